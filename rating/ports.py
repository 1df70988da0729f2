"""What this floor needs from the others, so that it need not know them."""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

from accounts.postgres import Connection
from rating.model import CallFacts


class Calls(Protocol):
    """Who was in which call."""

    async def facts(self, person_id: UUID, call_id: UUID) -> CallFacts | None:
        """The call from this person's side; None for a stranger's."""
        ...


class Pairs(Protocol):
    """Keeps people apart."""

    async def never_again(self, connection: Connection, person_id: UUID, other: UUID, wished: bool) -> None:
        """Whether this person wishes never to meet the other again."""
        ...
