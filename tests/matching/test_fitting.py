"""The population, fitted to what happened: found again where it is known, and left alone where nothing is."""

from __future__ import annotations

import math
from random import Random

import pytest

from matching.fitting import Ring, fit, fit_delay, fit_fatigue, fit_hours, fit_prior
from matching.model import Channel, Evidence
from matching.responses import Delay, Fatigue, Population, Prior

BEFORE = Population()


def test_without_a_history_nothing_changes() -> None:
    assert fit([], [], BEFORE) == BEFORE


def test_one_ring_changes_next_to_nothing() -> None:
    after = fit([Ring(Channel.PUSH, 3, 0.1, True, 9.0)], [(Channel.PUSH, Evidence(1, 1))], BEFORE)
    assert after.push.mean == pytest.approx(BEFORE.push.mean, rel=0.3)
    assert after.hours[3] < 0.1
    assert after.push_delay.survival(11) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("truth", [Prior(0.5, 24.5), Prior(0.5, 4.5), Prior(2.0, 8.0)])
def test_the_spread_of_chances_is_found(truth: Prior) -> None:
    random, evidence = Random(3), []
    for _ in range(3_000):
        own = random.betavariate(truth.a, truth.b)
        evidence.append(Evidence(sum(random.random() < own for _ in range(12)), 12))
    found = fit_prior(evidence, BEFORE.push)
    assert found.mean == pytest.approx(truth.mean, rel=0.1)
    assert found.a == pytest.approx(truth.a, rel=0.3)


def test_the_hours_are_found_whatever_was_believed() -> None:
    random, rings = Random(4), []
    truth = [0.2 if hour < 12 else 1.0 for hour in range(24)]
    for _ in range(60_000):
        hour = random.randrange(24)
        believed = BEFORE.hours[hour]
        rings.append(
            Ring(Channel.PUSH, hour, 0.1 * believed, random.random() < 0.1 * truth[hour], 45, hour_factor=believed)
        )
    found = fit_hours(rings, BEFORE.hours)
    morning, evening = sum(found[2:12]) / 10, sum(found[14:24]) / 10
    assert morning / evening == pytest.approx(0.2, rel=0.3)


def rings_with_delays(median: float, how_many: int, window: float, chance: float = 0.3) -> list[Ring]:
    """Rings of which half were cut short, as a claim by somebody else does."""
    random, rings = Random(5), []
    for _ in range(how_many):
        end = window if random.random() < 0.5 else random.uniform(2, 25)
        delay = median * math.exp(0.8 * random.gauss(0, 1))
        replied = random.random() < chance and delay < end
        rings.append(Ring(Channel.PUSH, 12, chance, replied, delay if replied else end))
    return rings


@pytest.mark.parametrize("median", [6.0, 11.0, 18.0])
def test_delays_are_found_though_many_rings_were_cut_short(median: float) -> None:
    found = fit_delay(rings_with_delays(median, 12_000, 60), BEFORE.push_delay)
    truth = Delay.lognormal(median, 0.8)
    for age in (4, 8, 12, 20, 30):
        assert found.survival(age) == pytest.approx(truth.survival(age), abs=0.06)


def test_taking_the_answers_alone_would_be_wrong() -> None:
    """Why the silent rings count too: of the answers that were seen, early ones are too many."""
    answers = [ring.seconds for ring in rings_with_delays(18.0, 12_000, 60) if ring.replied]
    naive = sum(seconds > 18 for seconds in answers) / len(answers)
    found = fit_delay(rings_with_delays(18.0, 12_000, 60), BEFORE.push_delay).survival(18)
    assert abs(found - 0.5) < abs(naive - 0.5) / 2


@pytest.mark.parametrize("truth", [Fatigue(0.0, 0.0, 43_200), Fatigue(0.6, 0.06, 86_400)])
def test_fatigue_is_found(truth: Fatigue) -> None:
    random, rings = Random(6), []
    believed = Fatigue()
    for _ in range(30_000):
        since, ignored = math.exp(random.uniform(math.log(1800), math.log(10 * 86_400))), random.randrange(4)
        left, thought = (each.factor(1.0, ignored, 1.0 + since) for each in (truth, believed))
        rings.append(
            Ring(Channel.PUSH, 12, 0.3 * thought, random.random() < 0.3 * left, 45, since, ignored, tired=thought)
        )
    found = fit_fatigue(rings, believed)
    for hours in (2, 12, 48):
        mine, theirs = (each.factor(1.0, 1, 1.0 + hours * 3600) for each in (found, truth))
        assert mine == pytest.approx(theirs, abs=0.12)
