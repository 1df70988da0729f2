"""How likely a volunteer is to answer, and when: learned from every ring. Pure.

A volunteer's own chance is a Beta distribution: the population's (fitted, see `fitting.py`) plus what this volunteer's
rings have taught. A ring teaches as much as could be expected of it: one at four in the morning, or to somebody rung an
hour ago, says little when it stays silent. So a ring counts as an *exposure* between 0 and 1, the product of the hour's
factor, of fatigue, and of how long it rang; the mean is (a + answers) / (a + b + exposures)."""

from __future__ import annotations

import math
from bisect import bisect_right
from itertools import pairwise
from random import Random

import msgspec

from matching.model import Candidate, Channel, Evidence, Outcome

EDGES = (
    0.0,
    1.0,
    2.0,
    3.0,
    4.0,
    5.0,
    6.0,
    8.0,
    10.0,
    12.0,
    15.0,
    20.0,
    25.0,
    30.0,
    40.0,
    50.0,
    60.0,
    90.0,
    120.0,
    180.0,
)
"""Seconds at which the bins of a delay distribution begin; the last one is open."""


class Delay(msgspec.Struct, frozen=True):
    """When those who answer do so: the hazard in each bin of `EDGES`, per second."""

    hazards: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.hazards) != len(EDGES) or min(self.hazards) < 0:
            raise ValueError("a delay has one hazard, 0 or more, for each bin")

    def survival(self, age: float) -> float:
        """The share of answers that take longer than `age` seconds."""
        if age <= 0:
            return 1.0
        last = bisect_right(EDGES, age) - 1
        total = sum(self.hazards[k] * (EDGES[k + 1] - EDGES[k]) for k in range(last))
        return math.exp(-total - self.hazards[last] * (age - EDGES[last]))

    @classmethod
    def lognormal(cls, median: float, sigma: float) -> Delay:
        """The hazards of a lognormal delay."""

        def survival(age: float) -> float:
            return 0.5 * math.erfc(math.log(age / median) / (sigma * math.sqrt(2))) if age > 0 else 1.0

        steps = [
            math.log(survival(start) / max(survival(end), 1e-12)) / (end - start) for start, end in pairwise(EDGES)
        ]
        return cls((*steps, steps[-1]))


class Prior(msgspec.Struct, frozen=True):
    """A Beta distribution over people: how chances to answer are spread."""

    a: float
    b: float

    @property
    def mean(self) -> float:
        return self.a / (self.a + self.b)


NIGHT_TO_NIGHT = (
    0.08, 0.04, 0.03, 0.03, 0.04, 0.10, 0.30, 0.55, 0.75, 0.85, 0.90, 0.95,
    0.95, 0.95, 0.95, 0.95, 1.00, 1.05, 1.10, 1.15, 1.25, 1.25, 1.10, 0.60,
)  # fmt: skip
"""What to expect of each local hour before anything was measured: best in the evening, next to nothing at night."""


TIRED_AT_MOST = 0.9
RESTED_AFTER = 10
"""Half-lives after which nothing is left of it."""


class Fatigue(msgspec.Struct, frozen=True):
    """How a ring makes the next one less welcome."""

    depth: float = 0.3
    """The share of the chance that is lost right after a ring."""
    each_ignored: float = 0.12
    """How much more is lost for each ring in a row that was ignored."""
    half_life: float = 12 * 3600.0
    """Seconds in which half of it passes."""

    def factor(self, last_rung: float, ignored: int, now: float) -> float:
        """What is left of the chance; 1 for somebody well rested."""
        if last_rung <= 0 or now - last_rung > RESTED_AFTER * self.half_life:
            return 1.0
        depth = min(TIRED_AT_MOST, self.depth + self.each_ignored * ignored)
        return 1.0 - depth * math.pow(0.5, max(0.0, now - last_rung) / self.half_life)


class Population(msgspec.Struct, frozen=True):
    """What is known about volunteers at large. These defaults hold until there is a history to fit."""

    socket: Prior = Prior(1.5, 2.5)
    push: Prior = Prior(0.5, 9.5)
    hours: tuple[float, ...] = NIGHT_TO_NIGHT
    socket_delay: Delay = Delay.lognormal(6.0, 0.8)
    push_delay: Delay = Delay.lognormal(11.0, 0.8)
    fatigue: Fatigue = Fatigue()

    def __post_init__(self) -> None:
        if len(self.hours) != 24 or min(self.hours) < 0:
            raise ValueError("a day has 24 hours, each with a factor of 0 or more")
        if min(self.socket.a, self.socket.b, self.push.a, self.push.b) <= 0:
            raise ValueError("both figures of a Beta distribution are above 0")

    def prior(self, channel: Channel) -> Prior:
        return self.socket if channel is Channel.SOCKET else self.push

    def delay(self, channel: Channel) -> Delay:
        return self.socket_delay if channel is Channel.SOCKET else self.push_delay


# --- what a volunteer's own rings have taught

HALF_LIFE = 180 * 86_400.0
"""Seconds after which evidence counts half: people's lives change."""


def faded(evidence: Evidence, seconds: float) -> Evidence:
    """What evidence is worth `seconds` later."""
    keep = 0.5 ** (max(0.0, seconds) / HALF_LIFE)
    return Evidence(evidence.yes * keep, evidence.exposure * keep, evidence.ignored)


class Lesson(msgspec.Struct, frozen=True):
    """What one outcome adds to a volunteer's evidence."""

    yes: float
    exposure: float
    ignored: int | None
    """The rings in a row without an answer from now on: None for one more, -1 for as before."""


AS_BEFORE = -1


def lesson(outcome: Outcome, exposure: float, rang: float, delay: Delay, *, again: bool = False) -> Lesson:
    """What is learned from a ring worth `exposure` that ended after `rang` seconds. `again`: it is answered after all,
    or ends anew, and was counted before as a ring that stayed silent."""
    if again:
        exposure = 0.0
    match outcome:
        case Outcome.ACCEPTED | Outcome.LATE:
            return Lesson(1.0, exposure, 0)
        case Outcome.DECLINED:
            return Lesson(0.0, exposure, 0)
        case Outcome.IGNORED:
            return Lesson(0.0, exposure, None)
        case Outcome.WITHDRAWN:
            # Cut short: only the answers that would have come by now did not.
            return Lesson(0.0, exposure * (1.0 - delay.survival(rang)), AS_BEFORE)
        case Outcome.FAILED:
            return Lesson(0.0, 0.0, AS_BEFORE)


def learned(evidence: Evidence, lesson: Lesson, seconds: float) -> Evidence:
    """The evidence after a lesson, `seconds` after the one before."""
    old = faded(evidence, seconds)
    ignored = old.ignored + 1 if lesson.ignored is None else lesson.ignored
    return Evidence(
        old.yes + lesson.yes,
        old.exposure + lesson.exposure,
        old.ignored if lesson.ignored == AS_BEFORE else ignored,
    )


# --- the chance that somebody accepts now


def posterior(evidence: Evidence, prior: Prior) -> Prior:
    """The distribution of a volunteer's own chance."""
    return Prior(prior.a + evidence.yes, prior.b + max(0.0, evidence.exposure - evidence.yes))


def local_hour(now: float, offset: int) -> int:
    """The hour on the wall, 0 to 23, of somebody `offset` seconds ahead of UTC."""
    return int((now + offset) // 3600 % 24)


class Chance(msgspec.Struct, frozen=True):
    """The chance that a candidate accepts a ring now, and a draw from what is known about it (Thompson sampling)."""

    mean: float
    drawn: float
    hour: float
    """What the hour makes of it."""
    tired: float
    """What earlier rings leave of it."""

    @property
    def exposure(self) -> float:
        """How much may be expected of a ring now, compared with a good moment."""
        return self.hour * self.tired


def chance(candidate: Candidate, population: Population, now: float, random: Random) -> Chance:
    """`mean` and `drawn` are for this moment: hour and fatigue are in them."""
    evidence, prior = candidate.evidence, population.prior(candidate.channel)
    a, b = prior.a + evidence.yes, prior.b + max(0.0, evidence.exposure - evidence.yes)
    hour = population.hours[local_hour(now, candidate.offset)]
    tired = population.fatigue.factor(candidate.last_rung, evidence.ignored, now)
    worth = hour * tired
    return Chance(min(1.0, a / (a + b) * worth), min(1.0, random.betavariate(a, b) * worth), hour, tired)


CERTAIN = 0.999
"""Nobody is surer than this to answer: silence must be able to tell."""


def still_to_come(chance: float, age: float, delay: Delay) -> float:
    """The chance that a ring which has been silent for `age` seconds is answered yet (Bayes' rule)."""
    believed = min(CERTAIN, chance)
    left = believed * delay.survival(age)
    return left / (left + 1.0 - believed)
