"""Fits the population of `responses.py` to what really happened. Pure.

With little history every figure stays near what was believed before: each has a weight, in rings or in people, that the
history has to outweigh. With none, nothing changes."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import product

import msgspec

from matching.model import Channel, Evidence
from matching.responses import EDGES, Delay, Fatigue, Population, Prior, still_to_come

PEOPLE = 30.0
"""How many people's evidence the earlier prior is worth."""
RINGS_AN_HOUR = 40.0
"""How many expected answers the earlier factor of an hour is worth."""
RINGS_A_BIN = 8.0
"""How many answers the earlier hazard of a bin is worth."""
ROUNDS = 4
"""Of the EM algorithm for delays; it changes little after two."""


class Ring(msgspec.Struct, frozen=True):
    """One ring of the past."""

    channel: Channel
    hour: int
    """On the volunteer's wall, 0 to 23."""
    chance: float
    """As it was thought to be then, with the next two in it."""
    replied: bool
    seconds: float
    """Until the answer; without one, until the ring ended."""
    since: float = math.inf
    """Seconds since the ring before."""
    ignored: int = 0
    """Rings in a row that were ignored before."""
    hour_factor: float = 1.0
    """What the hour was thought to make of the chance."""
    tired: float = 1.0
    """What earlier rings were thought to have left of it."""
    heard: float = 1.0
    """The share of answers that would have come before it ended."""

    @property
    def expected(self) -> float:
        """Answers that were to be expected of it, as it was cut short, in a good hour of somebody rested."""
        plain = self.chance / max(1e-6, self.hour_factor * self.tired)
        return plain if self.replied else plain * self.heard


def fit(rings: Sequence[Ring], evidence: Iterable[tuple[Channel, Evidence]], before: Population) -> Population:
    """What the population looks like now. `evidence`: of people, each once for a channel."""
    by_channel: dict[Channel, list[Evidence]] = {channel: [] for channel in Channel}
    for channel, each in evidence:
        by_channel[channel].append(each)
    return Population(
        socket=fit_prior(by_channel[Channel.SOCKET], before.socket),
        push=fit_prior(by_channel[Channel.PUSH], before.push),
        hours=fit_hours(rings, before.hours),
        socket_delay=fit_delay([r for r in rings if r.channel is Channel.SOCKET], before.socket_delay),
        push_delay=fit_delay([r for r in rings if r.channel is Channel.PUSH], before.push_delay),
        fatigue=fit_fatigue(rings, before.fatigue),
    )


# --- how chances are spread


def fit_prior(evidence: Iterable[Evidence], before: Prior) -> Prior:
    """The Beta that makes this evidence likeliest (beta-binomial likelihood), held near the earlier one by a normal
    penalty on the logarithms of mean and size that weighs as much as `PEOPLE` people's evidence."""
    seen = Counter(
        (round(each.yes, 1), round(max(0.0, each.exposure - each.yes), 1)) for each in evidence if each.exposure > 0
    )
    if not seen:
        return before
    start = (math.log(before.mean / (1 - before.mean)), math.log(before.a + before.b))

    def badness(place: tuple[float, float]) -> float:
        mean, size = 1 / (1 + math.exp(-place[0])), math.exp(place[1])
        a, b = mean * size, (1 - mean) * size
        unit = _log_beta(a, b)
        likelihood = sum(count * (_log_beta(a + yes, b + no) - unit) for (yes, no), count in seen.items())
        away = sum((here - there) ** 2 for here, there in zip(place, start, strict=True))
        return PEOPLE / 10 * away - likelihood

    logit, log_size = _descend(badness, start)
    mean, size = 1 / (1 + math.exp(-logit)), math.exp(log_size)
    return Prior(mean * size, (1 - mean) * size)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


Place = tuple[float, float]


def _descend(badness: Callable[[Place], float], start: Place) -> Place:
    """A pattern search in two dimensions: the surface is smooth and has one valley."""
    place, best, step = start, badness(start), 0.5
    while step > 0.01:
        around = [(place[0] + dx * step, place[1] + dy * step) for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1))]
        around = [(x, min(7.0, max(-3.0, y))) for x, y in around]
        found, there = min((badness(each), each) for each in around)
        if found < best - 1e-9:
            place, best = there, found
        else:
            step /= 2
    return place


# --- what each hour makes of the chance


def fit_hours(rings: Iterable[Ring], before: Sequence[float]) -> tuple[float, ...]:
    """Answers against what was to be expected in a good hour, for each local hour."""
    got, expected = [0.0] * 24, [0.0] * 24
    for ring in rings:
        got[ring.hour] += ring.replied
        expected[ring.hour] += ring.expected * ring.tired
    usual = sum(total * factor for total, factor in zip(expected, before, strict=True))
    if usual <= 0:
        return tuple(before)
    # How far all hours are off together is the prior's affair.
    scale = (sum(got) + RINGS_AN_HOUR) / (usual + RINGS_AN_HOUR)
    return tuple(
        min(3.0, max(0.005, (got[hour] / scale + RINGS_AN_HOUR * factor) / (expected[hour] + RINGS_AN_HOUR)))
        for hour, factor in enumerate(before)
    )


# --- when answers come


def fit_delay(rings: Sequence[Ring], before: Delay) -> Delay:
    """The hazard in each bin, by EM: a ring without an answer was at risk of one only as far as its volunteer would
    have answered later."""
    fitted = before
    if not any(ring.replied for ring in rings):
        return before
    last = len(EDGES) - 1
    for _ in range(ROUNDS):
        events, at_risk = [0.0] * len(EDGES), [0.0] * len(EDGES)
        for ring in rings:
            # Whoever stayed silent until the end may be somebody whose answer was still to come: so far they count.
            coming = 1.0 if ring.replied else still_to_come(ring.chance, ring.seconds, fitted)
            for k, start in enumerate(EDGES):
                if ring.seconds < start:
                    break
                end = EDGES[k + 1] if k < last else math.inf
                at_risk[k] += coming * (min(ring.seconds, end) - start)
                events[k] += ring.replied and ring.seconds < end
        fitted = Delay(
            tuple(
                (events[k] + RINGS_A_BIN) / (at_risk[k] + RINGS_A_BIN / hazard) if hazard > 0 else hazard
                for k, hazard in enumerate(before.hazards)
            )
        )
    return fitted


# --- what a ring costs the next one

DEPTHS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
EACH_IGNORED = (0.0, 0.06, 0.12, 0.2)
HALF_LIVES = tuple(hours * 3600.0 for hours in (3, 6, 12, 24, 48, 96))
GAPS = tuple(900.0 * 2**k for k in range(12))
"""Seconds at which the classes of gaps between two rings begin: from a quarter of an hour to three weeks."""
TIRED_RINGS = 20.0
"""How many expected answers the earlier fatigue is worth."""


def fit_fatigue(rings: Iterable[Ring], before: Fatigue) -> Fatigue:
    """The likeliest of a grid: answers are counted against what was expected of rested people, in classes of gap and of
    rings ignored before (Poisson likelihood), and held near the earlier figures."""
    got: dict[tuple[float, int], float] = defaultdict(float)
    expected: dict[tuple[float, int], float] = defaultdict(float)
    for ring in rings:
        if ring.since < GAPS[-1]:
            gap = GAPS[max(0, bisect_right(GAPS, ring.since) - 1)] * 2**0.5
            place = (gap, min(ring.ignored, 6))
            got[place] += ring.replied
            expected[place] += ring.expected * ring.hour_factor
    if not expected:
        return before
    for gap, ignored in list(expected):
        share = TIRED_RINGS / len(expected)
        got[gap, ignored] += share * _left(before, (gap, ignored))
        expected[gap, ignored] += share

    def likelihood(fatigue: Fatigue) -> float:
        return sum(
            got[place] * math.log(max(1e-6, _left(fatigue, place))) - expected[place] * _left(fatigue, place)
            for place in expected
        )

    grid = [Fatigue(*each) for each in product(DEPTHS, EACH_IGNORED, HALF_LIVES)]
    return max([before, *grid], key=likelihood)


def _left(fatigue: Fatigue, place: tuple[float, int]) -> float:
    gap, ignored = place
    return fatigue.factor(1.0, ignored, 1.0 + gap)
