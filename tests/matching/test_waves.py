"""Hope: what the rings that are out promise, what there should be, and so how many more to ring."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matching import waves
from matching.model import Channel, Offer, Outcome
from matching.responses import Population
from matching.settings import MatchingSettings
from tests.matching.makers import offer, request

SETTINGS = MatchingSettings()
PEOPLE = Population()


def plan(made: list[Offer], **asked: object) -> waves.Plan:
    return waves.plan(request(**asked), made, PEOPLE, SETTINGS)


def test_at_first_there_is_no_hope_and_only_the_first_language() -> None:
    first = plan([])
    assert first.hope == 0
    assert first.first
    assert first.rings_at_most == SETTINGS.wave_at_most
    assert not first.widen


def test_a_fresh_ring_is_worth_its_chance_and_grows_old() -> None:
    hopes = [plan([offer(age, chance=0.3)]).hope for age in (0, 5, 10, 20, 40)]
    assert hopes[0] == pytest.approx(0.3)
    assert hopes == sorted(hopes, reverse=True)
    assert hopes[-1] < 0.05


@pytest.mark.parametrize("outcome", [Outcome.DECLINED, Outcome.FAILED, Outcome.IGNORED])
def test_a_refusal_takes_its_hope_away_at_once(outcome: Outcome) -> None:
    rings = [offer(1, chance=0.8), offer(1, chance=0.8)]
    refused = [rings[0], offer(1, outcome, chance=0.8)]
    assert plan(refused, waited=1).hope == pytest.approx(plan(rings, waited=1).hope / 2)
    assert plan(refused, waited=1).rings_at_most > 0


def test_enough_hope_rings_nobody() -> None:
    rings = [offer(1, chance=0.5) for _ in range(40)]
    assert plan(rings, waited=1).rings_at_most == 0


def test_the_target_rises_with_the_wait_to_its_limit() -> None:
    targets = [waves.target(waited, False, SETTINGS) for waited in (0, 10, 30, 600)]
    assert targets == sorted(targets)
    assert targets[0] == SETTINGS.hope_at_first
    assert targets[-1] == SETTINGS.hope_at_most


def test_who_was_given_back_gets_more_hope_than_anybody_who_waited_as_long() -> None:
    assert waves.target(20, True, SETTINGS) == waves.target(20, False, SETTINGS) + SETTINGS.hope_in_front


def test_where_people_answer_well_more_hope_is_bought() -> None:
    bought = [waves.worth(chance) for chance in (0.001, 0.02, 0.1, 0.4, 1.0)]
    assert bought == sorted(bought)
    assert waves.worth(0.1) == 1
    assert (bought[0], bought[-1]) == (waves.DEARER, waves.CHEAPER)
    well, badly = ([offer(1, Outcome.DECLINED, chance=chance)] for chance in (0.5, 0.02))
    assert plan(well, waited=5).target > plan(badly, waited=5).target


def test_an_open_page_answers_sooner_and_its_silence_says_more() -> None:
    page, push = (offer(10, chance=0.4, channel=channel) for channel in (Channel.SOCKET, Channel.PUSH))
    assert plan([page]).hope < plan([push]).hope


def test_silence_is_over_when_the_ring_is() -> None:
    old = offer(SETTINGS.ring_time, chance=0.5)
    found = plan([old, offer(1, chance=0.5)], waited=20)
    assert found.expired == (old.id,)
    assert found.hope == pytest.approx(plan([offer(1, chance=0.5)], waited=20).hope)


def test_second_languages_join_later() -> None:
    assert not plan([], waited=SETTINGS.second_languages_after - 1).widen
    assert plan([], waited=SETTINGS.second_languages_after).widen


def test_after_nobody_no_one_new_is_bothered_until_the_caller_chooses() -> None:
    assert plan([], waited=200, told=5.0).rings_at_most == 0


made = st.lists(
    st.builds(
        offer,
        age=st.floats(0, 120),
        outcome=st.sampled_from([None, *Outcome]),
        chance=st.floats(0, 1),
        channel=st.sampled_from(list(Channel)),
    ),
    max_size=120,
)


@given(waited=st.floats(0, 4000), offers=made, front=st.booleans())
def test_never_more_than_the_most_ring_at_once(waited: float, offers: list[Offer], front: bool) -> None:
    found = plan(offers, waited=waited, front=front)
    ringing = sum(each.outcome is None and each.age < SETTINGS.ring_time for each in offers)
    assert 0 <= found.rings_at_most <= SETTINGS.wave_at_most
    assert found.rings_at_most + ringing <= max(SETTINGS.rings_at_most, ringing)
    assert 0 <= found.hope <= ringing
    assert found.again_in > 0
