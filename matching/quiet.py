"""Quiet hours: local wall-clock windows in a person's own zone. Pure.

A window is what the person's clock on the wall shows, so it follows daylight saving by itself: in the night of the
change to summer time it is an hour shorter, in the other one an hour longer."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
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
