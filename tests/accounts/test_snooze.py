"""How long a pause of alerts may be, and when the offered ones end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from accounts import languages
from accounts.errors import LanguageUnknown, MutedNotSpoken, SnoozeInvalid
from accounts.snooze import LONGEST, Pause, checked

NOW = datetime(2026, 11, 25, 22, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("wish", "until"),
    [
        (None, None),
        (1, NOW + timedelta(hours=1)),
        (0.5, NOW + timedelta(minutes=30)),
        (NOW + timedelta(days=3), NOW + timedelta(days=3)),
        (datetime.fromisoformat("2026-11-26T08:00:00+09:00"), datetime(2026, 11, 25, 23, tzinfo=UTC)),
        (NOW + LONGEST, NOW + LONGEST),
    ],
)
def test_a_pause(wish: float | datetime | None, until: datetime | None) -> None:
    assert checked(wish, NOW) == until


@pytest.mark.parametrize(
    "wish",
    [0, -1, float("nan"), float("inf"), 1e300, 366 * 24 + 1, NOW, NOW - timedelta(seconds=1), NOW.replace(tzinfo=None)],
)
def test_no_pause(wish: float | datetime) -> None:
    with pytest.raises(SnoozeInvalid):
        checked(wish, NOW)


def test_a_moment_beyond_a_year() -> None:
    with pytest.raises(SnoozeInvalid):
        checked(NOW + LONGEST + timedelta(seconds=1), NOW)


@pytest.mark.parametrize(
    ("zone", "until"),
    [
        ("UTC", datetime(2026, 11, 26, 8, tzinfo=UTC)),
        ("Asia/Tokyo", datetime(2026, 11, 26, 23, tzinfo=UTC)),  # already the 26th there: the morning of the 27th
        ("America/New_York", datetime(2026, 11, 26, 13, tzinfo=UTC)),
        ("Nowhere/Vanished", datetime(2026, 11, 26, 8, tzinfo=UTC)),
    ],
)
def test_tomorrow_is_the_next_morning_of_the_persons_own_clock(zone: str, until: datetime) -> None:
    assert Pause.TOMORROW.until(NOW, zone) == until


def test_tomorrow_over_the_change_to_summer_time() -> None:
    night = datetime(2027, 3, 27, 22, tzinfo=UTC)
    assert Pause.TOMORROW.until(night, "Europe/Paris") == datetime(2027, 3, 28, 6, tzinfo=UTC)


def test_an_hour_and_a_week() -> None:
    assert Pause.HOUR.until(NOW, "UTC") - NOW == timedelta(hours=1)
    assert Pause.WEEK.until(NOW, "UTC") - NOW == timedelta(days=7)


def test_muted_languages_are_some_of_those_spoken() -> None:
    assert languages.muted(["fr", "pt-br"], ["pt-BR", "en", "fr"]) == ["pt-BR", "fr"]
    assert languages.muted([], ["en"]) == []
    with pytest.raises(MutedNotSpoken, match="de"):
        languages.muted(["de"], ["en"])
    with pytest.raises(LanguageUnknown):
        languages.muted(["klingon"], ["en"])
