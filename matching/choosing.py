"""Whom to ring: from those whose page is open and those whose device sleeps, as the board and the index suggest them,
as Postgres lets them pass, and in the order of `ranking`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from itertools import chain
from random import Random
from uuid import UUID

import msgspec
import structlog

from accounts.errors import Unavailable
from accounts.postgres import Connection, Pool, borrowed
from matching import figures, ranking
from matching.board import Board
from matching.candidates import CandidateIndex
from matching.learning import Learner
from matching.ledger import calls, offers
from matching.model import Candidate, Request, Trust, Volunteer
from matching.quiet import is_quiet
from matching.ranking import Ranked
from matching.settings import MatchingSettings
from matching.waves import Plan, Tier

log = structlog.get_logger()

PAGES = 60
"""Open pages of a language looked at for one wave."""
SPARE = 8
"""Sleeping candidates asked Postgres about beyond twice those that may be rung: some will fall out."""


class Chosen(msgspec.Struct, frozen=True):
    """A volunteer to be rung, and why."""

    volunteer: Volunteer
    candidate: Candidate
    ranked: Ranked
    why: dict[str, object]


class Chooser:
    """The chooser of one node. `now` gives the wall clock."""

    def __init__(
        self,
        pool: Pool,
        board: Board,
        index: CandidateIndex,
        learner: Learner,
        settings: MatchingSettings,
        now: Callable[[], float] = time.time,
        random: Random | None = None,
    ) -> None:
        self._pool = pool
        self._board = board
        self._index = index
        self._learner = learner
        self._settings = settings
        self._now = now
        self._random = random or Random()  # noqa: S311 (a draw, not a secret)
        self._index_away_until = 0.0

    async def choose(self, request: Request, plan: Plan, tier: Tier) -> list[Chosen]:
        """The volunteers of a tier to ring now, best first."""
        languages = ranking.keys(request, tier)
        lines = await asyncio.gather(*(self._board.candidates(language, PAGES) for language in languages))
        pages = await self._board.free(list(dict.fromkeys(chain.from_iterable(lines))))
        picked = await asyncio.gather(*(self._sleeping(language, request) for language in languages))
        sleeping = list(chain.from_iterable(picked))
        if not pages and not sleeping:
            return []
        with figures.CHOOSE_SECONDS.time():
            return await self._choose(request, plan, pages, sleeping)

    async def _choose(
        self, request: Request, plan: Plan, pages: Sequence[UUID], sleeping: Sequence[Candidate]
    ) -> list[Chosen]:
        now = self._now()
        awake = set(pages)
        # Whose phone rings falls out before the best are taken, or where many ring nobody would be left.
        asleep = {each.id: each for each in sleeping if each.id not in awake}
        silent = [asleep[id_] for id_ in await self._silent(list(asleep))]
        async with borrowed(self._pool) as connection:
            caller_calls = await calls.experience(connection, request.caller_id)
            best = [each.candidate.id for each in self._rank(silent, caller_calls, now)]
            best = best[: 2 * plan.rings_at_most + SPARE]
            candidates, volunteers = await self._let_pass(connection, request, awake, [*pages, *best], now)
        ranked = self._rank(candidates, caller_calls, now)
        told = msgspec.structs.replace(plan, target=ranking.wanted(ranked, plan))
        return [
            Chosen(
                volunteers[each.candidate.id],
                each.candidate,
                each,
                ranking.why(each, told, request, place, len(ranked), now),
            )
            for place, each in enumerate(ranking.fill(ranked, plan), 1)
        ]

    def _rank(self, candidates: Iterable[Candidate], caller_calls: int, now: float) -> list[Ranked]:
        return ranking.rank(candidates, caller_calls, self._learner.population, self._settings, now, self._random)

    async def _let_pass(
        self, connection: Connection, request: Request, awake: set[UUID], ids: Sequence[UUID], now: float
    ) -> tuple[list[Candidate], dict[UUID, Volunteer]]:
        """Those who may be rung, through the page if one is open; Postgres and their own clocks have the last word."""
        moment = datetime.fromtimestamp(now, UTC)
        found = await offers.eligible(connection, request, ids, moment)
        candidates, volunteers = [], {}
        for id_ in ids:
            each = found.get(id_)
            if each is None or (id_ not in awake and not each.may_push):
                continue
            volunteer = each.volunteer
            if not ranking.shared(request, volunteer):
                continue
            if is_quiet(volunteer.quiet_hours, volunteer.time_zone, moment):
                continue
            candidates.append(each.socket if id_ in awake else each.push)
            volunteers[id_] = volunteer
        return candidates, volunteers

    async def _sleeping(self, language: str, request: Request) -> list[Candidate]:
        """Volunteers whose device may be rung; none while the index is away: pages ring all the same, and nobody
        waits for it again and again."""
        if time.monotonic() < self._index_away_until:
            return []
        try:
            return await self._index.pick(
                language, self._settings.candidates_read, trusted=request.trust is Trust.TRUSTED
            )
        except Unavailable:
            log.warning("index.away", at="pick")
            self._index_away_until = time.monotonic() + self._settings.tick
            return []

    async def _silent(self, volunteers: Sequence[UUID]) -> list[UUID]:
        """Those of them whose phone does not ring now."""
        busy = await self._board.ringing(volunteers)
        return [volunteer for volunteer, rings in zip(volunteers, busy, strict=True) if not rings]
