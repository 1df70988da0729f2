"""What help earns, and what farming does not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rating.model import AwardKind
from rating.points import CallHistory, for_call, for_late_tap
from rating.settings import RatingSettings

SETTINGS = RatingSettings()
OLD_HAND = CallHistory(0, 0, 10)


def total(connected: float, history: CallHistory, reported: bool = False) -> int:
    return sum(award.points for award in for_call(connected, reported, history, SETTINGS))


def test_a_call_of_half_a_minute_earns() -> None:
    assert total(30, OLD_HAND) == SETTINGS.call_points
    assert total(29.9, OLD_HAND) == 0


def test_a_long_call_earns_no_more_than_a_short_one() -> None:
    assert total(7200, OLD_HAND) == total(30, OLD_HAND)


def test_the_first_call_ever_earns_once_more() -> None:
    awards = for_call(60, False, CallHistory(0, 0, 0), SETTINGS)
    assert [award.kind for award in awards] == [AwardKind.CALL, AwardKind.FIRST_CALL]


def test_a_reported_call_earns_nothing() -> None:
    assert total(60, OLD_HAND, reported=True) == 0


def test_the_same_pair_earns_less_and_then_nothing() -> None:
    earned = [total(60, CallHistory(nth, 0, 10 + nth)) for nth in range(4)]
    assert earned == [50, 25, 0, 0]


def test_ten_awards_a_day() -> None:
    assert total(60, CallHistory(0, 9, 50)) > 0
    assert total(60, CallHistory(0, 10, 50)) == 0


def test_late_taps_are_thanked_a_few_times_a_day() -> None:
    earned = [sum(award.points for award in for_late_tap(today, SETTINGS)) for today in range(8)]
    assert earned == [5, 5, 5, 5, 5, 0, 0, 0]


@given(
    connected=st.floats(0, 1e6),
    reported=st.booleans(),
    history=st.builds(CallHistory, *[st.integers(0, 1000)] * 3),
)
def test_no_call_ever_earns_more_than_a_first_one(connected: float, reported: bool, history: CallHistory) -> None:
    earned = for_call(connected, reported, history, SETTINGS)
    assert 0 <= sum(award.points for award in earned) <= SETTINGS.call_points + SETTINGS.first_call_points
    assert all(award.points > 0 for award in earned)
