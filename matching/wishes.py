"""Tells callers who wished it that somebody is free: the longest waiting first, each once, and not a hundred of them
for one volunteer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from uuid import UUID

from accounts import outbox
from accounts.languages import spoken
from accounts.postgres import Pool, borrowed, transaction
from matching.board import Board
from matching.events import HelpFree
from matching.ledger import wishes
from matching.ledger.wishes import Free, Wish
from matching.ports import Carrier, Reach
from matching.quiet import is_quiet
from matching.settings import MatchingSettings

AT_MOST = 50
"""Wishes looked at in one sweep; the others wait for their turn."""
LOOK = 200
"""Volunteers of a language looked at in one sweep."""


def fits(wish: Wish, volunteer: Free, now: datetime) -> bool:
    """Whether the volunteer could be rung for this caller now. Pure."""
    speaks = {spoken(tag) for tag in volunteer.languages} - {spoken(tag) for tag in volunteer.muted}
    shares = any(spoken(tag) in speaks for tag in wish.languages)
    return shares and not is_quiet(volunteer.quiet_hours, volunteer.time_zone, now)


class Wishes:
    """What the sweeper does for callers who wait to be told. `now` gives the wall clock, for quiet hours only."""

    def __init__(
        self,
        pool: Pool,
        board: Board,
        carrier: Carrier,
        reach: Reach,
        settings: MatchingSettings,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._pool = pool
        self._board = board
        self._carrier = carrier
        self._reach = reach
        self._settings = settings
        self._now = now

    async def tell(self) -> int:
        """Tell as many callers as there are volunteers free for them; how many were told."""
        async with borrowed(self._pool) as connection:
            await wishes.forget_expired(connection)
            waiting = await wishes.untold(connection, AT_MOST)
        told = 0
        free: dict[str, list[UUID]] = {}
        for wish in waiting:
            keys = list(dict.fromkeys(map(spoken, wish.languages)))
            for key in keys:
                if key not in free:
                    free[key] = await self._free(key)
            if await self._promised(wish, dict.fromkeys(one for key in keys for one in free[key])):
                told += await self._tell(wish)
        return told

    async def _free(self, language: str) -> list[UUID]:
        """Volunteers of a language who are here, whose phone is silent, and who are promised to nobody."""
        candidates = await self._board.candidates(language, LOOK)
        here, busy, promised = await asyncio.gather(
            self._board.present(candidates), self._board.ringing(candidates), self._board.promised(candidates)
        )
        rows = zip(candidates, here, busy, promised, strict=True)
        return [person for person, is_here, rings, theirs in rows if is_here and not rings and not theirs]

    async def _promised(self, wish: Wish, volunteers: Iterable[UUID]) -> bool:
        """Whether one of these volunteers is this caller's for a while."""
        async with borrowed(self._pool) as connection:
            found: Sequence[Free] = await wishes.free_for(connection, wish.caller_id, list(volunteers))
        for volunteer in found:
            if not fits(wish, volunteer, self._now()):
                continue
            if await self._board.promise(volunteer.id, wish.request_id, self._settings.later_spread):
                return True
        return False

    async def _tell(self, wish: Wish) -> bool:
        event = HelpFree(wish.request_id, wish.languages)
        async with transaction(self._pool) as connection:
            if not await wishes.mark_told(connection, wish):
                return False
            parcels = await outbox.put(connection, "event", [(wish.caller_id, event)])
        await self._carrier.carry(parcels)
        (here,) = await self._board.present([wish.caller_id])
        if not here:
            await self._reach.free(wish.caller_id, event)
        return True
