"""When quiet hours begin or end next: the same as walking through the minutes and asking at each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.model import DAYS, QuietWindow
from matching.quiet import AHEAD, ahead_of_utc, is_quiet, next_change
from tests.matching.test_quiet import NIGHT, at

MINUTE = timedelta(minutes=1)

# Half hours of daylight saving, a change at midnight, a zone far ahead, one without changes, one that never was.
ZONES = (
    "Europe/Paris",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Havana",
    "Asia/Beirut",
    "Africa/Casablanca",
    "Pacific/Kiritimati",
    "Asia/Kathmandu",
    "Europe/Atlantis",
)
CHANGES = (
    datetime(2026, 3, 8, tzinfo=UTC),
    datetime(2026, 3, 29, tzinfo=UTC),
    datetime(2026, 4, 4, 15, tzinfo=UTC),
    datetime(2026, 10, 3, 15, tzinfo=UTC),
    datetime(2026, 10, 25, tzinfo=UTC),
    datetime(2026, 11, 1, tzinfo=UTC),
)


def walked(windows: tuple[QuietWindow, ...], zone: str, now: datetime, days: int) -> datetime | None:
    """The first minute that answers otherwise than `now`."""
    quiet, moment = is_quiet(windows, zone, now), now.replace(second=0, microsecond=0)
    for _ in range(days * 24 * 60):
        moment += MINUTE
        if is_quiet(windows, zone, moment) != quiet:
            return moment
    return None


clocks = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.sampled_from((0, 1, 15, 30, 59)))
some_windows = st.lists(
    st.builds(
        QuietWindow,
        clocks,
        clocks,
        st.sets(st.sampled_from(DAYS), min_size=1).map(lambda days: tuple(day for day in DAYS if day in days)),
    ),
    max_size=4,
).map(tuple)
moments = st.one_of(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)),
    st.builds(
        lambda change, minutes: change + timedelta(minutes=minutes),
        st.sampled_from(CHANGES),
        st.integers(-36 * 60, 36 * 60),
    ),
)


@settings(max_examples=150, deadline=None)
@given(some_windows, st.sampled_from(ZONES), moments)
def test_it_is_what_a_walk_through_the_minutes_finds(
    windows: tuple[QuietWindow, ...], zone: str, now: datetime
) -> None:
    found = next_change(windows, zone, now)
    expected = walked(windows, zone, now, 3)
    if expected is not None or (found is not None and found <= now + timedelta(days=3) - MINUTE):
        assert found == expected


def test_over_midnight() -> None:
    assert next_change(NIGHT, "Europe/Paris", at("Europe/Paris", 2026, 11, 22, 12)) == at(
        "Europe/Paris", 2026, 11, 22, 22
    )
    assert next_change(NIGHT, "Europe/Paris", at("Europe/Paris", 2026, 11, 22, 23)) == at(
        "Europe/Paris", 2026, 11, 23, 7
    )


def test_a_window_that_opens_in_the_hour_that_is_skipped_opens_at_the_step() -> None:
    windows = (QuietWindow("02:30", "05:00"),)
    step = datetime(2026, 3, 29, 1, 0, tzinfo=UTC)  # 02:00 becomes 03:00
    assert next_change(windows, "Europe/Paris", step - timedelta(hours=3)) == step


def test_a_weekly_window_that_is_skipped_whole_comes_back_after_two_weeks() -> None:
    windows = (QuietWindow("02:15", "02:45", ("sun",)),)
    after = at("Europe/Paris", 2026, 3, 22, 3)
    assert next_change(windows, "Europe/Paris", after) == at("Europe/Paris", 2026, 4, 5, 2, 15)


def test_the_hour_that_is_repeated_is_quiet_twice() -> None:
    windows = (QuietWindow("02:15", "02:45"),)
    moment, found = datetime(2026, 10, 24, 23, 0, tzinfo=UTC), []
    for _ in range(4):
        change = next_change(windows, "Europe/Paris", moment)
        assert change is not None
        moment = change
        found.append(f"{change:%d %H:%M}")
    assert found == ["25 00:15", "25 00:45", "25 01:15", "25 01:45"]


def test_windows_that_touch_are_one() -> None:
    windows = (QuietWindow("20:00", "22:00"), QuietWindow("22:00", "06:00"))
    assert next_change(windows, "UTC", datetime(2026, 11, 22, 21, tzinfo=UTC)) == datetime(2026, 11, 23, 6, tzinfo=UTC)


@pytest.mark.parametrize("windows", [(), (QuietWindow("00:00", "12:00"), QuietWindow("12:00", "00:00"))])
def test_what_never_changes(windows: tuple[QuietWindow, ...]) -> None:
    now = datetime(2026, 11, 22, tzinfo=UTC)
    assert next_change(windows, "Europe/Paris", now) is None
    assert walked(windows, "Europe/Paris", now, 1) is None


def test_it_looks_far_enough_for_a_weekly_window() -> None:
    windows = (QuietWindow("10:00", "11:00", ("mon",)),)
    monday = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)
    assert next_change(windows, "UTC", monday) == monday + timedelta(days=7, hours=-1)
    assert AHEAD >= 14


def test_a_zone_that_vanished_is_taken_for_utc() -> None:
    now = datetime(2026, 7, 1, 12, tzinfo=UTC)
    assert next_change(NIGHT, "Europe/Atlantis", now) == datetime(2026, 7, 1, 22, tzinfo=UTC)
    assert ahead_of_utc("Europe/Atlantis", now) == 0
    assert ahead_of_utc("Europe/Paris", now) == 7200
