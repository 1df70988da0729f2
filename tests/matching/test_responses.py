"""What a ring teaches, and what is expected of the next one."""

from __future__ import annotations

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matching.model import Candidate, Channel, Evidence, Outcome
from matching.responses import (
    HALF_LIFE,
    Delay,
    Fatigue,
    Population,
    Prior,
    chance,
    faded,
    learned,
    lesson,
    local_hour,
    posterior,
    still_to_come,
)
from tests.matching.test_ranking import NOW, candidate

DELAY = Delay.lognormal(11.0, 0.8)
ages = st.floats(0, 600)
evidence = st.builds(Evidence, st.floats(0, 50), st.floats(0, 100), st.integers(0, 20))


# --- delays


@pytest.mark.parametrize("age", [1, 3, 6, 11, 20, 45, 90])
def test_the_hazards_are_those_of_the_distribution(age: float) -> None:
    exact = 0.5 * math.erfc(math.log(age / 11) / (0.8 * math.sqrt(2)))
    assert DELAY.survival(age) == pytest.approx(exact, abs=0.02)


@given(ages, ages)
def test_fewer_answers_are_to_come_with_every_second(one: float, other: float) -> None:
    early, late = sorted((one, other))
    assert 0 <= DELAY.survival(late) <= DELAY.survival(early) <= 1
    assert DELAY.survival(0) == 1


@given(st.floats(0, 1), ages)
def test_silence_only_lowers_hope(chance: float, age: float) -> None:
    left = still_to_come(chance, age, DELAY)
    assert 0 <= left <= chance + 1e-9
    assert still_to_come(chance, 0, DELAY) == pytest.approx(chance, abs=0.001)
    assert still_to_come(chance, age + 10, DELAY) <= left + 1e-9


def test_silence_can_tell_of_the_surest() -> None:
    assert still_to_come(1.0, 600, DELAY) < 0.1


def test_still_to_come_is_what_a_thousand_phones_do() -> None:
    random, answered, silent = Random(1), 0, 0
    for _ in range(40_000):
        replies = random.random() < 0.4
        delay = 11 * math.exp(0.8 * random.gauss(0, 1))
        if not (replies and delay <= 15):
            silent += 1
            answered += replies
    assert still_to_come(0.4, 15, DELAY) == pytest.approx(answered / silent, abs=0.01)


# --- lessons


@pytest.mark.parametrize(
    ("outcome", "yes", "exposure", "ignored"),
    [
        (Outcome.ACCEPTED, 1, 0.8, 0),
        (Outcome.LATE, 1, 0.8, 0),
        (Outcome.DECLINED, 0, 0.8, 0),
        (Outcome.IGNORED, 0, 0.8, 4),
        (Outcome.FAILED, 0, 0, 3),
    ],
)
def test_every_outcome_teaches(outcome: Outcome, yes: float, exposure: float, ignored: int) -> None:
    after = learned(Evidence(2, 10, 3), lesson(outcome, 0.8, 30, DELAY), 0)
    assert after == Evidence(2 + yes, 10 + exposure, ignored)


def test_a_ring_that_was_cut_short_says_little() -> None:
    short, long = (lesson(Outcome.WITHDRAWN, 1.0, rang, DELAY).exposure for rang in (2, 40))
    assert 0 <= short < 0.05
    assert 0.9 < long < 1
    assert learned(Evidence(0, 0, 3), lesson(Outcome.WITHDRAWN, 1.0, 2, DELAY), 0).ignored == 3


def test_a_late_tap_on_a_silence_that_was_counted_adds_the_answer_only() -> None:
    silent = learned(Evidence(), lesson(Outcome.IGNORED, 0.9, 45, DELAY), 0)
    after = learned(silent, lesson(Outcome.LATE, 0.9, 60, DELAY, again=True), 0)
    assert after == Evidence(1.0, 0.9, 0)


@given(evidence, st.floats(-1e6, 1e9))
def test_old_evidence_fades_and_never_grows(known: Evidence, seconds: float) -> None:
    after = faded(known, seconds)
    assert after.yes <= known.yes
    assert after.exposure <= known.exposure
    assert faded(known, HALF_LIFE).exposure == pytest.approx(known.exposure / 2)


@given(evidence)
def test_the_posterior_is_a_distribution(known: Evidence) -> None:
    own = posterior(known, Prior(0.5, 9.5))
    assert own.a > 0
    assert own.b > 0
    assert 0 < own.mean < 1


# --- the chance now


@given(st.floats(0, 2e9), st.integers(0, 50), st.floats(1.7e9, 1.8e9))
def test_nobody_is_so_tired_that_nothing_is_left(last_rung: float, ignored: int, now: float) -> None:
    assert 0.1 - 1e-9 <= Fatigue().factor(last_rung, ignored, now) <= 1


def test_the_hour_is_the_one_on_the_wall() -> None:
    assert local_hour(NOW, 0) == 12
    assert local_hour(NOW, 5 * 3600 + 1800) == 17
    assert local_hour(NOW, -13 * 3600) == 23


def test_pages_and_pushes_are_told_apart() -> None:
    push = candidate(2, 10)
    page = Candidate(id=push.id, channel=Channel.SOCKET, evidence=push.evidence)
    people = Population(socket=Prior(6, 4), push=Prior(0.5, 9.5))
    means = [chance(each, people, NOW, Random(1)).mean for each in (page, push)]
    assert means[0] > means[1]


def test_draws_are_from_the_posterior() -> None:
    random, known = Random(2), candidate(3, 10)
    thoughts = [chance(known, Population(), NOW, random) for _ in range(4_000)]
    mean = sum(each.drawn for each in thoughts) / len(thoughts)
    assert mean == pytest.approx(thoughts[0].mean, rel=0.05)
    assert len({each.drawn for each in thoughts}) > 3_900
