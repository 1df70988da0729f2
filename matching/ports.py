"""What this floor needs from the others, so that it need not know them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol
from uuid import UUID

from accounts.outbox import Parcel
from accounts.postgres import Connection
from matching.events import Event, HelpFree, OfferGone, OfferRing
from matching.model import Call, Channel


class Voice(Protocol):
    """Speaks to people's open sockets, on whatever node they are. Best effort, and never raises."""

    async def tell(self, person: UUID, event: Event) -> None: ...


class Carrier(Protocol):
    """Carries parcels right after their transaction. Never raises: what it cannot carry stays in the outbox."""

    async def carry(self, parcels: Sequence[Parcel]) -> None: ...


class Doorbell(Protocol):
    """Rings volunteers. Never raises."""

    async def ring(self, volunteer: UUID, event: OfferRing, channel: Channel = Channel.SOCKET) -> None: ...

    async def withdraw(self, volunteer: UUID, event: OfferGone, channel: Channel = Channel.SOCKET) -> None: ...


class Reach(Protocol):
    """Reaches people who have no page open, by push or by mail. Never raises."""

    async def free(self, caller: UUID, event: HelpFree) -> None:
        """Somebody is free for a caller who wished to be told. Said once; the page will say it too."""
        ...


class Rewards(Protocol):
    """What a call or a late tap earns, in the transaction that ends the call or writes the tap."""

    async def call_ended(self, connection: Connection, call: Call) -> None: ...

    async def late_tap(self, connection: Connection, volunteer_id: UUID, offer_id: UUID) -> int:
        """The points it earns."""
        ...


class Touched(Protocol):
    """Who wants to hear that something about volunteers has changed."""

    def touched(self, volunteers: Iterable[UUID], languages: Iterable[str] = ()) -> None:
        """Never raises, and takes no time."""
        ...
