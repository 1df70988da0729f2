"""The volunteers of a simulated town: what they truly are, which no policy may look at, and what becomes of them."""

from __future__ import annotations

import math
from random import Random

import numpy as np
from numpy.typing import NDArray

from matching.simulator.world import World

START = 1_767_571_200.0
"""A Monday at midnight where the callers are (2026-01-05, as Unix time)."""
DAY = 86_400.0
RESTING = 0.1
TIRED_AT_MOST = 0.9
TIRED_BY_EACH = 0.1
VECTOR_FROM = 24
"""Rings at once from which numpy is faster than one by one."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Town:
    """`pool` volunteers with mean chance `p`. `random` decides what people do; policies have their own."""

    def __init__(self, world: World, p: float, pool: int, seed: tuple[int, ...]) -> None:
        self.world = world
        self.pool = pool
        rng = np.random.default_rng(seed)
        self.rng = rng
        self.random = Random(int(rng.integers(2**63)))
        a = world.spread
        self.chance: Floats = rng.beta(a, a / p - a, pool) if a > 0 and p < 1 else np.full(pool, float(p))
        zones = rng.choice(len(world.zones), pool, p=[zone.share for zone in world.zones])
        self.offset: Ints = np.array([int(zone.ahead * 3600) for zone in world.zones])[zones]
        self.habit: Ints = rng.choice(len(world.quiet), pool, p=[quiet.share for quiet in world.quiet])
        self.group: Ints = zones * len(world.quiet) + self.habit
        """Volunteers of one group are awake at the same time."""
        self.last_rung: Floats = np.zeros(pool)
        self.ignored: Ints = np.zeros(pool, dtype=np.int64)
        self.rest_until: Floats = np.zeros(pool)
        self.busy_until: Floats = np.zeros(pool)
        self.calls: Ints = np.zeros(pool, dtype=np.int64)
        self.on_page: NDArray[np.bool_] = np.zeros(pool, dtype=bool)
        self.last_call: Floats = np.zeros(pool)
        """Of before the first day."""
        self.called: set[int] = set()
        """Who had a call since the first day."""
        self.rung_at: dict[int, list[float]] = {}
        self.hours = world.hours
        self._hours = np.array(world.hours)
        self._remember()
        self._shift_hour = -1

    def _remember(self) -> None:
        """The rings of before the first day: at waking hours, answered as they would have been."""
        world, rng = self.world, self.rng
        rings = rng.poisson(world.remembered, self.pool) * (rng.random(self.pool) >= world.newcomers)
        waking = float(np.mean(self._hours[8:22]))
        self.past_rings: Ints = rings
        self.past_yes: Ints = rng.binomial(rings, np.minimum(1.0, self.chance * waking))
        self.past_exposure: Floats = np.asarray(rings * waking, dtype=np.float64)
        self.calls = (self.past_yes + 1) // 2
        had = self.calls > 0
        self.last_call[had] = START - DAY - rng.random(int(had.sum())) * 180 * DAY
        ever = rings > 0
        self.last_rung[ever] = START - DAY - rng.random(int(ever.sum())) * 180 * DAY

    # --- who may be rung

    def hour(self, group: int, now: float) -> int:
        """The hour on the wall of a group."""
        ahead = self.world.zones[group // len(self.world.quiet)].ahead
        return int((now - START + ahead * 3600) // 3600 % 24)

    def awake(self, group: int, now: float) -> bool:
        """Whether a group is outside its quiet hours."""
        return not is_quiet(self.world, group, self.hour(group, now))

    def quiet_among(self, volunteers: Ints, now: float) -> int:
        """How many of them have quiet hours now."""
        quiet = np.array([not self.awake(group, now) for group in range(self.groups)])
        return int(quiet[self.group[volunteers]].sum())

    @property
    def groups(self) -> int:
        return len(self.world.zones) * len(self.world.quiet)

    def change_shifts(self, now: float) -> None:
        """Every hour other volunteers sit before an open page; the eager ones more often."""
        hour = int((now - START) // 3600)
        if self.world.on_page <= 0 or hour == self._shift_hour:
            return
        self._shift_hour = hour
        awake = np.array([self.awake(group, now) for group in range(self.groups)])[self.group]
        weight = self.chance * awake + 1e-12
        how_many = int(self.rng.binomial(self.pool, self.world.on_page))
        self.on_page[:] = False
        self.on_page[self.rng.choice(self.pool, min(how_many, self.pool), replace=False, p=weight / weight.sum())] = (
            True
        )

    # --- what they do

    def ring(self, volunteer: int, now: float) -> tuple[float | None, float | None]:
        """Ring one volunteer: seconds until the tap, or until the refusal; (None, None) for silence."""
        world, random = self.world, self.random
        page = bool(self.on_page[volunteer])
        says_yes = random.random() < self._chance_now(volunteer, page, now)
        self.last_rung[volunteer] = now
        self.rung_at.setdefault(volunteer, []).append(now)
        delay = (world.page_delay_median if page else world.delay_median) * math.exp(
            world.delay_sigma * random.gauss(0, 1)
        )
        if says_yes:
            self.ignored[volunteer] = 0
            return delay, None
        return (None, delay) if random.random() < world.refuses else (None, None)

    def ignore(self, volunteers: Ints, now: float) -> None:
        """They let it ring to its end, or for long enough to be bothered."""
        self.ignored[volunteers] += 1
        if self.world.rest:
            rests = self.rng.random(len(volunteers)) < self.world.rest * self.ignored[volunteers]
            self.rest_until[volunteers[rests]] = now + self.world.rest_days * DAY

    def _chance_now(self, volunteer: int, page: bool, now: float) -> float:
        world = self.world
        chance = float(self.chance[volunteer])
        if page:
            chance = 1 - (1 - chance) ** world.page_lift
        hour = self.hours[int((now - START + self.offset[volunteer]) // 3600 % 24)]
        tired = min(TIRED_AT_MOST, world.tired_by + TIRED_BY_EACH * self.ignored[volunteer]) if world.tired_by else 0.0
        rested = 1 - tired * 0.5 ** ((now - self.last_rung[volunteer]) / world.tired_half_life)
        resting = RESTING if self.rest_until[volunteer] > now else 1.0
        return float(min(1.0, chance * hour * rested * resting))

    def ring_many(self, volunteers: Ints, now: float) -> tuple[Ints, Floats, Ints]:
        """Ring many at once: who will tap and after how long; and who stays silent. The same as `ring`, in bulk."""
        world, rng = self.world, self.rng
        page = self.on_page[volunteers]
        chance = self.chance[volunteers]
        chance = np.where(page, 1 - (1 - chance) ** world.page_lift, chance)
        hour = ((now - START + self.offset[volunteers]) // 3600 % 24).astype(np.int64)
        ignored = self.ignored[volunteers]
        rested = 1.0
        if world.tired_by:
            tired = np.minimum(TIRED_AT_MOST, world.tired_by + TIRED_BY_EACH * ignored)
            rested = 1 - tired * 0.5 ** ((now - self.last_rung[volunteers]) / world.tired_half_life)
        resting = np.where(self.rest_until[volunteers] > now, RESTING, 1.0)
        says_yes = rng.random(len(volunteers)) < chance * self._hours[hour] * rested * resting
        self.last_rung[volunteers] = now
        refuses = ~says_yes & (rng.random(len(volunteers)) < world.refuses)
        self.ignored[volunteers[says_yes]] = 0
        taps = volunteers[says_yes]
        median = np.where(page[says_yes], world.page_delay_median, world.delay_median)
        return (
            taps,
            median * np.exp(world.delay_sigma * rng.standard_normal(len(taps))),
            volunteers[~says_yes & ~refuses],
        )

    def over_budget(self, volunteer: int, now: float) -> bool:
        """Whether the volunteer had all the rings of a day."""
        times = self.rung_at.get(volunteer)
        if not times:
            return self.world.alerts_per_day == 0
        while times and times[0] <= now - DAY:
            del times[0]
        return len(times) >= self.world.alerts_per_day


def is_quiet(world: World, group: int, hour: int) -> bool:
    quiet = world.quiet[group % len(world.quiet)]
    if quiet.start == quiet.end:
        return False
    if quiet.start < quiet.end:
        return quiet.start <= hour < quiet.end
    return hour >= quiet.start or hour < quiet.end
