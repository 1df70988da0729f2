"""Carries parcels out of the outbox to the people they are for.

A parcel is deleted once every node where its person has a socket has it. Until then it stays, and the sweeper tries
again; sessions know a parcel's id, so what comes twice has its effect once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec
import structlog

from accounts import outbox
from accounts.errors import Unavailable
from accounts.model import Standing
from accounts.outbox import Parcel
from accounts.postgres import Pool
from matching.events import CallBegin, CallEnded, HelpClosed, HelpFree, HelpNobody
from matching.model import Call
from signaling.bus import Bus, letter_of
from signaling.protocol import AccountChanged, Bye, CallBeginFrame, Close
from signaling.session import LiveCall
from signaling.turn import Turn

if TYPE_CHECKING:
    from matching.keeper import Keeper
    from matching.service import HelpService

log = structlog.get_logger()

TransactionalEvent = HelpNobody | HelpClosed | HelpFree | CallEnded


class Carrier:
    """Carries. `help_service` is set once it exists: it needs a carrier itself."""

    help_service: HelpService
    keeper: Keeper
    """Hears of everybody whose call began or ended, or whose standing changed."""

    def __init__(self, pool: Pool, bus: Bus, turn: Turn, now: Callable[[], float]) -> None:
        self._pool = pool
        self._bus = bus
        self._turn = turn
        self._now = now

    async def carry(self, parcels: Sequence[Parcel]) -> None:
        """Carry what can be carried now. Never raises."""
        carried = []
        for parcel in parcels:
            try:
                if await self._carry(parcel):
                    carried.append(parcel.id)
            except Unavailable:
                log.warning("carrier.away", topic=parcel.topic)
            except Exception:
                log.exception("carrier.failed", topic=parcel.topic)
        if carried:
            try:
                await outbox.done(self._pool, carried)
            except Unavailable:
                log.warning("carrier.away", topic="done")

    async def _carry(self, parcel: Parcel) -> bool:
        match parcel.topic:
            case "event":
                assert parcel.person_id is not None
                event = msgspec.convert(parcel.payload, TransactionalEvent)
                if isinstance(event, CallEnded):
                    self.keeper.touched([parcel.person_id])
                return await self._bus.send(letter_of(parcel.person_id, event, parcel.id))
            case "begun":
                return await self._begun(UUID(str(parcel.payload["call_id"])), parcel.id)
            case "standing":
                assert parcel.person_id is not None
                return await self._standing(parcel.person_id, Standing(str(parcel.payload["standing"])), parcel.id)
            case "signed_out":
                assert parcel.person_id is not None
                self.keeper.touched([parcel.person_id])  # their devices are gone
                await self._bus.tell(parcel.person_id, Bye("signed_out", "stop", 0))
                return await self._bus.shut_all(parcel.person_id, Close.NOT_AUTHORISED, "signed out")
            case _:
                log.error("carrier.unknown", topic=parcel.topic)  # of a newer version: that node will carry it
                return False

    async def _begun(self, call_id: UUID, key: UUID) -> bool:
        begun = await self.help_service.tell_begun(call_id)
        if begun is None:
            return True
        call, begins = begun
        self.keeper.touched([call.volunteer_id])
        reached = True
        for person, begin in begins:
            live = LiveCall(call.id, call.other(begin.role), begin.role, call.fence)
            reached = await self._bus.send(letter_of(person, self.with_servers(begin), key, live)) and reached
        return reached

    def with_servers(self, begin: CallBegin) -> CallBeginFrame:
        """`call.begin` with the ICE servers for that side."""
        return CallBeginFrame(
            **msgspec.structs.asdict(begin),
            ice_servers=self._turn.servers(begin.call_id, begin.role, self._now()),
            ice_policy=self._turn.policy,
        )

    async def _standing(self, person: UUID, standing: Standing, key: UUID) -> bool:
        self.keeper.touched([person])
        reached = await self._bus.send(letter_of(person, AccountChanged(standing), key))
        if standing.barred:
            return await self._bus.shut_all(person, Close.BANNED, "banned") and reached
        return reached


def live_call(call: Call, person: UUID) -> LiveCall | None:
    """The call as a session of this person may speak in it."""
    role = call.role_of(person)
    return LiveCall(call.id, call.other(role), role, call.fence) if role else None
