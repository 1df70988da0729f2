"""People as the rest of the house sees them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from functools import cache
from uuid import UUID
from zoneinfo import available_timezones

import msgspec
import uuid_utils.compat

from accounts.errors import AliasInvalid, QuietHoursInvalid, TimeZoneUnknown


def new_id() -> UUID:
    """A fresh UUIDv7: unique, and in the order of making (RFC 9562 section 5.7)."""
    return uuid_utils.compat.uuid7()


class Role(StrEnum):
    """What a person is here for; chosen once."""

    CALLER = "caller"
    VOLUNTEER = "volunteer"

    @property
    def other(self) -> Role:
        """The role on the other side of a call."""
        return Role.VOLUNTEER if self is Role.CALLER else Role.CALLER


class Standing(StrEnum):
    """What trust and safety has decided about a person."""

    GOOD = "good"
    WARNED = "warned"
    RESTRICTED = "restricted"
    HELD = "held"
    SUSPENDED = "suspended"
    BANNED = "banned"

    @property
    def barred(self) -> bool:
        """No way in at all."""
        return self in (Standing.SUSPENDED, Standing.BANNED)

    @property
    def may_meet(self) -> bool:
        """May be matched with somebody."""
        return self in (Standing.GOOD, Standing.WARNED)


class StaffRole(StrEnum):
    """What a member of staff may do."""

    TRIAGE = "triage"
    MODERATOR = "moderator"
    SENIOR = "senior"
    AUDITOR = "auditor"
    ADMIN = "admin"


DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class QuietWindow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Local wall-clock times in the person's own zone. An `end` before `start` runs over midnight; `days` name the
    day on which the window starts (none named: every day)."""

    start: str
    end: str
    days: tuple[str, ...] = DAYS

    def checked(self) -> QuietWindow:
        """Itself in canonical form. Raises `QuietHoursInvalid`."""
        start, end = _minute(self.start), _minute(self.end)
        days = tuple(day for day in DAYS if day in self.days) if self.days else DAYS
        if start == end or not set(self.days) <= set(DAYS):
            raise QuietHoursInvalid()
        return QuietWindow(f"{start // 60:02}:{start % 60:02}", f"{end // 60:02}:{end % 60:02}", days)


def _minute(text: str) -> int:
    hour, colon, minute = text.partition(":")
    if not (colon and hour.isdecimal() and minute.isdecimal() and len(minute) == 2 and hour.isascii()):
        raise QuietHoursInvalid()
    total = int(hour) * 60 + int(minute)
    if int(minute) > 59 or total > 24 * 60:
        raise QuietHoursInvalid()
    return total % (24 * 60)


@cache
def _time_zones() -> frozenset[str]:
    return frozenset(available_timezones() - {"localtime", "Factory"})


def checked_time_zone(name: str) -> str:
    """`name` if the IANA database has it. Raises `TimeZoneUnknown`."""
    if name not in _time_zones():
        raise TimeZoneUnknown(time_zone=name[:60])
    return name


def checked_alias(alias: str | None) -> str | None:
    """An alias without control characters, addresses, links or telephone numbers: the two people stay strangers.
    Raises `AliasInvalid`."""
    if alias is None or not alias.strip():
        return None
    tidy = " ".join(alias.split())
    digits = sum(character.isdigit() for character in tidy)
    if len(tidy) > 30 or digits > 4 or not all(c.isalnum() or c in " '-." for c in tidy) or "www." in tidy.lower():
        raise AliasInvalid()
    return tidy


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """One account."""

    id: UUID
    email: str | None
    role: Role | None
    staff_role: StaffRole | None
    standing: Standing
    token_epoch: int
    locale: str
    languages: tuple[str, ...]
    time_zone: str
    quiet_hours: tuple[QuietWindow, ...]
    alerts_per_day: int
    snoozed_until: datetime | None
    """Not rung before then; None once it has passed."""
    muted_languages: tuple[str, ...]
    """Spoken, but not to be rung for."""
    alias: str | None
    adult: bool
    consent: str | None
    created_at: datetime
    completed_at: datetime | None

    @property
    def complete(self) -> bool:
        """Whether the profile is filled in, so that the person may ask or help."""
        return self.completed_at is not None
