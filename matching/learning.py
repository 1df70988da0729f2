"""Learns from every ring: soon after it ended, what it says about its volunteer; from time to time, what all of them
say about volunteers at large.

Outcomes are written by whoever sees them, in one statement and without a thought for learning; this loop comes behind,
so no accept waits for it, and what a node had not learned when it died, another one does."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

import msgspec
import structlog

from accounts.errors import Unavailable
from accounts.postgres import Pool, Row, borrowed, transaction
from matching import figures
from matching.fitting import Ring, fit
from matching.ledger import learning
from matching.ledger.learning import Ended, Key, PastRing
from matching.model import Channel, Evidence
from matching.ports import Touched
from matching.quiet import ahead_of_utc
from matching.responses import Population, learned, lesson, local_hour
from matching.settings import MatchingSettings

log = structlog.get_logger()

BATCH = 500
EVERY = 1.0
FITTED_TO = 20_000
"""The latest rings, and people, that the population is fitted to: about two seconds of work, beside the loop."""
LOOK_EVERY = 60.0
"""How often another node's fit is looked for."""


class Learner:
    """The learner of one node. `population` is what is known now; whoever decides something reads it there."""

    def __init__(self, pool: Pool, touched: Touched, settings: MatchingSettings) -> None:
        self.population = Population()
        self._pool = pool
        self._touched = touched
        self._settings = settings
        self._in_force = 0

    async def run(self) -> None:
        """Work until cancelled."""
        loop = asyncio.get_running_loop()
        look_at = 0.0
        while True:
            try:
                if loop.time() >= look_at:
                    await self.look()
                    await self.fit()
                    look_at = loop.time() + LOOK_EVERY
                while await self.learn():
                    pass
            except Unavailable:
                log.warning("learner.unavailable")
            except Exception:
                log.exception("learner.failed")
            await asyncio.sleep(EVERY)

    async def learn(self) -> int:
        """Learn from the rings that ended; from how many."""
        async with transaction(self._pool) as connection:
            ended = await learning.take_ended(connection, BATCH)
            if not ended:
                return 0
            held = await learning.held_evidence(
                connection, sorted({(each.volunteer_id, each.channel) for each in ended})
            )
            await learning.write_evidence(
                connection, taught(ended, held, self.population), [each.offer_id for each in ended]
            )
        for each in ended:
            figures.OUTCOMES.labels(each.channel, each.outcome).inc()
        self._touched.touched({each.volunteer_id for each in ended})
        return len(ended)

    async def look(self) -> None:
        """Take over the latest fit."""
        async with borrowed(self._pool) as connection:
            found = await learning.population_in_force(connection)
        if found is None or found[0] == self._in_force:
            return
        try:
            self.population = msgspec.convert(found[1], Population)
        except msgspec.MsgspecError:
            log.error("learner.not_understood")  # of another version; the next fit is ours
        self._in_force = found[0]

    async def fit(self) -> bool:
        """Fit the population again if it is time and nobody else does; whether it was."""
        every = self._settings.fit_every
        async with borrowed(self._pool) as connection:
            if not await learning.is_due(connection, every):
                return False
            async with learning.fitting_alone(connection) as alone:
                # Who held the lock a moment ago has just made a fit.
                if not alone or not await learning.is_due(connection, every):
                    return False
                rings = await learning.past_rings(connection, FITTED_TO)
                evidence = await learning.some_evidence(connection, FITTED_TO)
                fitted = await asyncio.to_thread(_fit, rings, evidence)
                await learning.add_population(connection, len(rings), msgspec.to_builtins(fitted))
        log.info("learner.fitted", count=len(rings))
        await self.look()
        return True


def taught(
    ended: Sequence[Ended], held: dict[Key, tuple[Evidence, float]], population: Population
) -> dict[Key, Evidence]:
    """The evidence after these rings, given what it was before and how many seconds ago."""
    after: dict[Key, Evidence] = {}
    for each in ended:
        key = (each.volunteer_id, each.channel)
        before, age = (after[key], 0.0) if key in after else held[key]
        delay = population.delay(each.channel)
        after[key] = learned(before, lesson(each.outcome, each.exposure, each.rang, delay, again=each.again), age)
    return after


class Thought(msgspec.Struct, frozen=True):
    """What of a ring's `why` the fit needs."""

    since: float | None = None
    ignored: int = 0
    hour: float = 1.0
    tired: float = 1.0


def _fit(rows: Sequence[Row], evidence: Sequence[tuple[Channel, Evidence]]) -> Population:
    """Seconds of work, for a thread of its own. From what was believed before there was any history: a fit of fits
    would count the same rings twice."""
    return fit([_ring(learning.past_ring(row)) for row in rows], evidence, Population())


def _ring(past: PastRing) -> Ring:
    try:
        thought = msgspec.json.decode(past.why, type=Thought)
    except msgspec.MsgspecError:
        thought = Thought()
    moment: datetime = past.rung_at
    return Ring(
        channel=past.channel,
        hour=local_hour(moment.timestamp(), ahead_of_utc(past.time_zone, moment)),
        chance=past.chance,
        replied=past.replied,
        seconds=past.seconds,
        since=float("inf") if thought.since is None else thought.since,
        ignored=thought.ignored,
        hour_factor=thought.hour,
        tired=thought.tired,
        heard=1.0 - Population().delay(past.channel).survival(past.seconds),
    )
