"""Keeps the candidate index true: looks at volunteers again when something about them changed, when their window opens
or closes, and at all of them after the cache has forgotten.

Any number of nodes may keep it. What a node was told and did not do before it died is made up for at the volunteer's
next turn, a day later at most; a turn that was taken by a node that died is taken up again after its lease."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping
from typing import Any
from uuid import UUID

import structlog

from accounts.errors import Unavailable
from accounts.languages import spoken
from accounts.postgres import Pool, borrowed
from matching.candidates import CandidateIndex
from matching.ledger import candidates
from matching.placement import Facts, Place, place
from matching.rebuild import Rebuild, Rebuilt
from matching.responses import Population
from matching.settings import MatchingSettings

log = structlog.get_logger()

BATCH = 128
HELD = 100_000
"""Volunteers remembered of whom something was told. Beyond, their next turn has to do."""
FAREWELL = 2.0


class Keeper:
    """The keeper of one node. `population` gives what is known about volunteers at large."""

    def __init__(
        self,
        pool: Pool,
        index: CandidateIndex,
        settings: MatchingSettings,
        population: Callable[[], Population] = Population,
    ) -> None:
        self._pool = pool
        self.index = index
        self._settings = settings
        self._population = population
        self._told: dict[UUID, set[str]] = {}
        self._forgotten: set[str] = set()
        self._wake = asyncio.Event()

    # --- what others tell

    def touched(self, volunteers: Iterable[UUID], languages: Iterable[str] = ()) -> None:
        """Something about these volunteers has changed, and that is committed: look at them soon, also in `languages`
        that they spoke before. Never raises, and takes no time."""
        before = {spoken(tag) for tag in languages}
        for volunteer in volunteers:
            if len(self._told) < HELD or volunteer in self._told:
                self._told.setdefault(volunteer, set()).update(before)
        self._wake.set()

    async def refresh(self, volunteers: Collection[UUID], also: Mapping[UUID, Collection[str]] | None = None) -> None:
        """Put volunteers where they belong now; `also`: languages in which they may be found beside their own.
        Safe to do twice, and from two places at once. Raises `Unavailable` once all that can be reached is done."""
        ids = list(volunteers)
        missed: set[str] = set()
        for start in range(0, len(ids), BATCH):
            some = ids[start : start + BATCH]
            async with borrowed(self._pool) as connection:
                facts = await candidates.facts_of(connection, some)
            missed |= await self.put(facts, also or {}, unknown=set(some) - {each.id for each in facts})
        if missed:
            raise Unavailable(retry_after=5)

    async def put(
        self,
        facts: Collection[Facts],
        also: Mapping[UUID, Collection[str]],
        *,
        unknown: Collection[UUID] = (),
        absent: bool = True,
    ) -> frozenset[str]:
        """Place volunteers by what Postgres has just told. Returns the languages that could not be reached."""
        places = [self._place(each, also.get(each.id, ())) for each in facts]
        # Nobody Postgres knows as a volunteer; the index may.
        places += [Place(id=each, leaves=frozenset(also.get(each, ()))) for each in unknown]
        as_of = min((each.now.timestamp() for each in facts), default=0.0)
        return await self.index.place(places, as_of, absent=absent) if places else frozenset()

    def _place(self, facts: Facts, also: Collection[str]) -> Place:
        try:
            return place(facts, self._population().push, self._settings.index_look_every, tuple(also))
        except Exception:  # one profile that cannot be understood must not hold up the others
            log.exception("keeper.not_understood")
            return Place(id=facts.id, leaves=frozenset({spoken(tag) for tag in facts.languages} | set(also)))

    # --- what it does by itself

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._again_and_again(self.follow))
            tasks.create_task(self._again_and_again(self.take_turns))
            tasks.create_task(self._again_and_again(self.watch))

    async def _again_and_again(self, work: Callable[[], Coroutine[Any, Any, object]]) -> None:
        while True:
            try:
                await work()
            except Unavailable:
                log.warning("keeper.unavailable", at=work.__name__)
            except Exception:
                log.exception("keeper.failed", at=work.__name__)
            await asyncio.sleep(self._settings.tick)

    async def follow(self) -> None:
        """Look at those of whom something was told, as long as there are any."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._told:
                await self._look_at_told()

    async def _look_at_told(self) -> None:
        some = {volunteer: self._told[volunteer] for volunteer, _ in zip(self._told, range(BATCH), strict=False)}
        for volunteer in some:
            del self._told[volunteer]
        try:
            await self.refresh(some, some)
        except BaseException:
            for volunteer, languages in some.items():
                self.touched([volunteer], languages)
            raise

    async def drain(self) -> None:
        """Look at those of whom something was told, before this process ends. Never raises, takes a moment at most."""
        with contextlib.suppress(Unavailable, TimeoutError):
            async with asyncio.timeout(FAREWELL):
                while self._told:
                    await self._look_at_told()

    async def take_turns(self) -> int:
        """Look at everybody whose turn has come. Returns how many."""
        looked, missed = 0, False
        try:
            languages = await self.index.languages()
        except Unavailable:
            missed, languages = True, self.index.known
        for language in sorted(languages):
            more = True
            while more:
                try:
                    taken = await self.index.take(language, BATCH)
                    if not taken.built:
                        self._forgotten.add(language)
                    await self.refresh(taken.volunteers, dict.fromkeys(taken.volunteers, (language,)))
                except Unavailable:
                    missed = True  # another language may be on a part of the cluster that answers
                    break
                looked, more = looked + len(taken.volunteers), taken.more
        if missed:
            raise Unavailable(retry_after=5)
        return looked

    async def watch(self) -> Rebuilt | None:
        """Rebuild what the cache has forgotten, if it has and nobody else is at it."""
        if not await self.index.built():
            return await self.rebuild()
        if self._forgotten:
            forgotten, self._forgotten = self._forgotten, set()
            return await self.rebuild(forgotten)
        return None

    async def rebuild(
        self, languages: Collection[str] | None = None, progress: Callable[[int], None] | None = None
    ) -> Rebuilt | None:
        """Look at everybody in Postgres, of these languages or of all; None if another rebuild is going on.
        Safe while servers run."""
        return await Rebuild(self._pool, self, languages, progress).run()
