"""The plain policy: keep some ringing, replace refusals, widen with time, second languages later."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from matching.model import Offer, Outcome
from matching.settings import MatchingSettings
from matching.waves import KeepRinging
from tests.matching.makers import offer, request

SETTINGS = MatchingSettings()
POLICY = KeepRinging(SETTINGS)


def test_at_first_some_are_rung_and_only_in_the_first_language() -> None:
    plan = POLICY.plan(request(), [])
    assert plan.ring == SETTINGS.rings_at_first
    assert not plan.widen


def test_a_refusal_is_replaced_at_once() -> None:
    offers = [offer(), offer(), offer(outcome=Outcome.DECLINED)]
    assert POLICY.plan(request(waited=2), offers).ring == 1


def test_who_rings_is_not_rung_again() -> None:
    assert POLICY.plan(request(waited=2), [offer(1), offer(1), offer(1)]).ring == 0


def test_silence_is_replaced_when_the_ring_is_over() -> None:
    old = offer(SETTINGS.ring_time)
    plan = POLICY.plan(request(waited=2), [old, offer(1), offer(1)])
    assert plan.expired == (old.id,)
    assert plan.ring == 1


def test_it_widens_with_time_and_takes_second_languages_in() -> None:
    waited = SETTINGS.rings_more_every * 2
    plan = POLICY.plan(request(waited=waited), [])
    assert plan.ring == SETTINGS.rings_at_first + 2
    assert plan.widen


def test_after_nobody_no_one_new_is_bothered_until_the_caller_chooses() -> None:
    assert POLICY.plan(request(waited=200, told=5.0), []).ring == 0


outcomes = st.sampled_from([None, *Outcome])
offers = st.lists(st.builds(offer, age=st.floats(0, 120), outcome=outcomes), max_size=40)


@given(waited=st.floats(0, 4000), made=offers)
def test_never_more_than_the_most_ring_at_once(waited: float, made: list[Offer]) -> None:
    plan = POLICY.plan(request(waited=waited), made)
    ringing = sum(each.outcome is None and each.age < SETTINGS.ring_time for each in made)
    assert plan.ring >= 0
    assert plan.ring + ringing <= max(SETTINGS.rings_at_most, ringing)
    assert plan.again_in > 0
