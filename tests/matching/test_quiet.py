"""Quiet hours follow the clock on the person's wall: over midnight, by weekday, through both changes of the clocks."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from accounts.model import QuietWindow
from matching.quiet import is_quiet

NIGHT = (QuietWindow("22:00", "07:00"),)


def at(zone: str, *clock: int) -> datetime:
    return datetime(*clock, tzinfo=ZoneInfo(zone)).astimezone(UTC)  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("hour", "minute", "quiet"), [(21, 59, False), (22, 0, True), (0, 0, True), (6, 59, True), (7, 0, False)]
)
def test_a_night_runs_over_midnight(hour: int, minute: int, quiet: bool) -> None:
    assert is_quiet(NIGHT, "Europe/Paris", at("Europe/Paris", 2026, 11, 22, hour, minute)) is quiet


def test_the_wall_clock_of_the_zone_counts_not_ours() -> None:
    noon_in_paris = at("Europe/Paris", 2026, 7, 1, 12)
    assert not is_quiet(NIGHT, "Europe/Paris", noon_in_paris)
    assert is_quiet(NIGHT, "America/Los_Angeles", noon_in_paris)
    assert is_quiet(NIGHT, "Pacific/Auckland", noon_in_paris)


def test_a_window_belongs_to_the_day_it_starts_on() -> None:
    friday_night = (QuietWindow("23:00", "06:00", ("fri",)),)
    assert is_quiet(friday_night, "UTC", datetime(2026, 11, 20, 23, 30, tzinfo=UTC))  # Friday
    assert is_quiet(friday_night, "UTC", datetime(2026, 11, 21, 5, 0, tzinfo=UTC))  # Saturday, still that night
    assert not is_quiet(friday_night, "UTC", datetime(2026, 11, 20, 5, 0, tzinfo=UTC))  # Friday, the night before
    assert not is_quiet(friday_night, "UTC", datetime(2026, 11, 21, 23, 30, tzinfo=UTC))


def test_a_window_within_a_day() -> None:
    lunch = (QuietWindow("12:00", "13:30", ("mon", "tue")),)
    assert is_quiet(lunch, "UTC", datetime(2026, 11, 23, 12, 0, tzinfo=UTC))
    assert not is_quiet(lunch, "UTC", datetime(2026, 11, 23, 13, 30, tzinfo=UTC))
    assert not is_quiet(lunch, "UTC", datetime(2026, 11, 25, 12, 30, tzinfo=UTC))


@pytest.mark.parametrize(
    ("instant", "quiet"),
    [
        (datetime(2026, 3, 29, 0, 59, tzinfo=UTC), True),  # 01:59, the last minute before the jump
        (datetime(2026, 3, 29, 1, 0, tzinfo=UTC), False),  # 03:00
        (datetime(2026, 10, 24, 23, 30, tzinfo=UTC), True),  # 01:30
        (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), False),  # 02:30, the first time
        (datetime(2026, 10, 25, 1, 30, tzinfo=UTC), False),  # 02:30, the second time
    ],
)
def test_both_changes_of_the_clocks(instant: datetime, quiet: bool) -> None:
    assert is_quiet((QuietWindow("01:00", "02:30"),), "Europe/Paris", instant) is quiet


def test_a_zone_that_vanished_is_taken_for_utc() -> None:
    assert is_quiet(NIGHT, "Europe/Atlantis", datetime(2026, 1, 1, 23, 0, tzinfo=UTC))
    assert not is_quiet(NIGHT, "Europe/Atlantis", datetime(2026, 1, 1, 12, 0, tzinfo=UTC))


def test_nobody_is_quiet_without_windows() -> None:
    assert not is_quiet((), "UTC", datetime(2026, 1, 1, 3, 0, tzinfo=UTC))


def test_several_windows_each_count() -> None:
    """Two nights of their own and a nap on two days, as a profile may hold them."""
    windows = (
        QuietWindow("22:00", "07:00", ("mon", "tue", "wed", "thu", "sun")),
        QuietWindow("23:30", "10:00", ("fri", "sat")),
        QuietWindow("13:00", "14:00", ("sat", "sun")),
    )
    quiet = {
        (23, 22, 0): True,  # Monday night
        (24, 6, 59): True,  # … until Tuesday morning
        (24, 7, 0): False,
        (27, 22, 30): False,  # Friday: later
        (27, 23, 30): True,
        (28, 9, 59): True,  # … until Saturday morning
        (28, 13, 30): True,
        (28, 14, 0): False,
        (29, 9, 0): True,  # the night of Saturday
        (29, 22, 0): True,
        (23, 13, 30): False,  # no nap on Mondays
    }
    for (day, hour, minute), expected in quiet.items():
        assert is_quiet(windows, "Europe/Paris", at("Europe/Paris", 2026, 11, day, hour, minute)) is expected, day
