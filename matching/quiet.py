"""Quiet hours: local wall-clock windows in a person's own zone. Pure.

A window is what the person's clock on the wall shows, so it follows daylight saving by itself: in the night of the
change to summer time it is an hour shorter, in the other one an hour longer."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from accounts.model import DAYS, QuietWindow


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return None


def is_quiet(windows: Iterable[QuietWindow], time_zone: str, now: datetime) -> bool:
    """Whether `now` (aware) falls into one of the windows. In a zone that has vanished from the IANA database,
    the clock is taken to be UTC."""
    local = now.astimezone(_zone(time_zone) or UTC)
    clock = f"{local.hour:02}:{local.minute:02}"
    today, yesterday = DAYS[local.weekday()], DAYS[(local - timedelta(days=1)).weekday()]
    for window in windows:
        if window.start < window.end:
            if today in window.days and window.start <= clock < window.end:
                return True
        elif (today in window.days and clock >= window.start) or (yesterday in window.days and clock < window.end):
            return True
    return False


AHEAD = 15
"""Days that `next_change` looks ahead: a weekly window that falls into a skipped hour comes back after two weeks."""


def next_change(windows: Iterable[QuietWindow], time_zone: str, now: datetime) -> datetime | None:
    """The first moment after `now` at which `is_quiet` changes; None if there is none within `AHEAD` days."""
    changes = _changes(tuple(windows), time_zone, now.astimezone(UTC).toordinal())
    place = bisect_right(changes, now)
    return changes[place] if place < len(changes) else None


@lru_cache(maxsize=16_384)
def _changes(windows: tuple[QuietWindow, ...], time_zone: str, day: int) -> tuple[datetime, ...]:
    """Every change from the beginning of that day (UTC, an ordinal) on. Kept, because most people share their windows
    and zone with many others."""
    if not windows:
        return ()
    zone = _zone(time_zone) or UTC
    begin = datetime.fromordinal(day).replace(tzinfo=UTC)
    end = begin + timedelta(days=AHEAD + 1)
    # Only where a window begins or ends, or the clock on the wall is put forward or back, can the answer change.
    moments = _edges(windows, zone, begin, end) | _steps(zone, begin, end)
    found, quiet = [], is_quiet(windows, time_zone, begin)
    for moment in sorted(moment for moment in moments if begin < moment <= end):
        if is_quiet(windows, time_zone, moment) != quiet:
            quiet = not quiet
            found.append(moment)
    return tuple(found)


def _edges(windows: tuple[QuietWindow, ...], zone: tzinfo, begin: datetime, end: datetime) -> set[datetime]:
    """When the clock on the wall shows a start or an end: twice in an hour that is repeated (PEP 495)."""
    found = set()
    first = begin.astimezone(zone).toordinal() - 1
    for ordinal in range(first, end.astimezone(zone).toordinal() + 1):
        today = date.fromordinal(ordinal)
        for window in windows:
            if DAYS[today.weekday()] in window.days:
                over_midnight = timedelta(days=window.end <= window.start)
                for on, clock in ((today, window.start), (today + over_midnight, window.end)):
                    wall = datetime.combine(on, time.fromisoformat(clock), zone)
                    found |= {wall.replace(fold=fold).astimezone(UTC) for fold in (0, 1)}
    return found


def _steps(zone: tzinfo, begin: datetime, end: datetime) -> set[datetime]:
    """When the zone's distance to UTC changes, to the minute."""
    found = set()
    while begin < end:
        low, high = begin, begin + timedelta(days=1)
        begin = high
        if _ahead(zone, low) == _ahead(zone, high):
            continue
        before = _ahead(zone, low)
        while (gap := (high - low) // timedelta(minutes=1)) > 1:
            middle = low + timedelta(minutes=gap // 2)
            low, high = (middle, high) if _ahead(zone, middle) == before else (low, middle)
        found.add(high)
    return found


def _ahead(zone: tzinfo, moment: datetime) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta(0)


def ahead_of_utc(time_zone: str, now: datetime) -> int:
    """Seconds that the clock on the wall is ahead of UTC; 0 in a zone that has vanished."""
    return int(_ahead(_zone(time_zone) or UTC, now).total_seconds())
