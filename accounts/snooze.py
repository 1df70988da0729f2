"""Pausing alerts: until when. Pure; `now` is aware."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, tzinfo
from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from accounts.errors import SnoozeInvalid

LONGEST = timedelta(days=366)
MORNING = time(8)
"""When "tomorrow" begins for whoever does not want to be rung any more today."""


class Pause(StrEnum):
    """What the profile page offers."""

    HOUR = "hour"
    TOMORROW = "tomorrow"
    WEEK = "week"

    def until(self, now: datetime, time_zone: str) -> datetime:
        """When this pause ends, for somebody in that zone."""
        match self:
            case Pause.HOUR:
                return now + timedelta(hours=1)
            case Pause.WEEK:
                return now + timedelta(days=7)
        local = now.astimezone(zone(time_zone))
        return datetime.combine(local.date() + timedelta(days=1), MORNING, local.tzinfo).astimezone(UTC)


def zone(name: str) -> tzinfo:
    """The zone of that name; UTC if it has vanished from the IANA database."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


def checked(wish: float | datetime | None, now: datetime) -> datetime | None:
    """Until when: so many hours from now, that moment, or None for not at all. Raises `SnoozeInvalid`."""
    if wish is None:
        return None
    if isinstance(wish, datetime):
        if wish.tzinfo is None:
            raise SnoozeInvalid()
        until = wish.astimezone(UTC)
    else:
        if not 0 < wish <= LONGEST / timedelta(hours=1):
            raise SnoozeInvalid()
        until = now + timedelta(hours=wish)
    if not now < until <= now + LONGEST:
        raise SnoozeInvalid()
    return until
