"""Tells callers who wished it that somebody is free: the longest waiting first, each once, and not a hundred of them
for one volunteer. Free is whoever has a page open, and whoever is likely to answer a push."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from itertools import chain
from random import Random
from uuid import UUID

import structlog

from accounts import outbox
from accounts.errors import Unavailable
from accounts.languages import spoken
from accounts.postgres import Pool, borrowed, transaction
from matching import ranking
from matching.board import Board
from matching.candidates import CandidateIndex
from matching.events import HelpFree
from matching.learning import Learner
from matching.ledger import offers, requests, wishes
from matching.ledger.wishes import Free, Wish
from matching.model import Candidate, Trust
from matching.ports import Carrier, Reach
from matching.quiet import is_quiet
from matching.responses import chance
from matching.settings import MatchingSettings

log = structlog.get_logger()

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
        index: CandidateIndex,
        learner: Learner,
        carrier: Carrier,
        reach: Reach,
        settings: MatchingSettings,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._pool = pool
        self._board = board
        self._index = index
        self._learner = learner
        self._carrier = carrier
        self._reach = reach
        self._settings = settings
        self._now = now
        self._random = Random()  # noqa: S311 (its draws are not used)

    async def tell(self) -> int:
        """Tell as many callers as there are volunteers free for them; how many were told."""
        async with borrowed(self._pool) as connection:
            await wishes.forget_expired(connection)
            waiting = await wishes.untold(connection, AT_MOST)
        told = 0
        free: dict[str, list[UUID]] = {}
        likely: dict[tuple[str, Trust], list[UUID]] = {}
        for wish in waiting:
            keys = list(dict.fromkeys(map(spoken, wish.languages)))
            for key in keys:
                if key not in free:
                    free[key] = await self._free(key)
            promised = await self._promised(wish, dict.fromkeys(chain.from_iterable(free[key] for key in keys)))
            if not promised:
                lines = [(key, wish.trust) for key in keys]
                for line in lines:
                    if line not in likely:
                        likely[line] = await self._likely(*line)
                promised = await self._sleeping(
                    wish, dict.fromkeys(chain.from_iterable(likely[line] for line in lines))
                )
            if promised:
                told += await self._tell(wish)
        return told

    async def _free(self, language: str) -> list[UUID]:
        """Volunteers of a language who are here, whose phone is silent, and who are promised to nobody."""
        return await self._unpromised(await self._board.free(await self._board.candidates(language, LOOK)))

    async def _unpromised(self, volunteers: Sequence[UUID]) -> list[UUID]:
        promised = await self._board.promised(volunteers)
        return [volunteer for volunteer, theirs in zip(volunteers, promised, strict=True) if not theirs]

    async def _likely(self, language: str, trust: Trust) -> list[UUID]:
        """Volunteers of a language who would probably answer a push now, as far as the index knows, the likeliest
        first; whose phone is silent, and who are promised to nobody. None while the index is away."""
        try:
            picked = await self._index.pick(language, self._settings.candidates_read, trusted=trust is Trust.TRUSTED)
        except Unavailable:
            log.warning("index.away", at="wishes")
            return []
        chances = {each.id: self._chance(each) for each in picked}
        best = sorted((one for one in chances if chances[one] >= self._settings.later_likely), key=chances.__getitem__)
        busy = await self._board.ringing(best)
        return await self._unpromised([one for one, rings in zip(best, busy, strict=True) if not rings][::-1])

    def _chance(self, candidate: Candidate) -> float:
        return chance(candidate, self._learner.population, self._now().timestamp(), self._random).mean

    async def _promised(self, wish: Wish, volunteers: Iterable[UUID]) -> bool:
        """Whether one of these volunteers is this caller's for a while."""
        async with borrowed(self._pool) as connection:
            found: Sequence[Free] = await wishes.free_for(connection, wish, list(volunteers))
        for volunteer in found:
            if not fits(wish, volunteer, self._now()):
                continue
            if await self._board.promise(volunteer.id, wish.request_id, self._settings.later_spread):
                return True
        return False

    async def _sleeping(self, wish: Wish, volunteers: Iterable[UUID]) -> bool:
        """As `_promised`, of volunteers who would have to be pushed to: Postgres and the clock on their wall have the
        last word, and who was rung for the request that nobody answered is not likely to answer now."""
        ids = list(volunteers)
        if not ids:
            return False
        now = self._now()
        async with borrowed(self._pool) as connection:
            (request,) = await requests.requests(connection, [wish.request_id])
            found = await offers.eligible(connection, request, ids, now)
        for each in (found[id_] for id_ in ids if id_ in found):
            volunteer = each.volunteer
            if (
                each.may_push
                and ranking.shared(request, volunteer)
                and not is_quiet(volunteer.quiet_hours, volunteer.time_zone, now)
                and self._chance(each.push) >= self._settings.later_likely
                and await self._board.promise(volunteer.id, wish.request_id, self._settings.later_spread)
            ):
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
