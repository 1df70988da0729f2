"""Ratings, reports and awards."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from accounts.model import Role
from rating.errors import TextTooLong


class SolvedOutcome(StrEnum):
    """Whether the caller's problem was solved."""

    SOLVED = "solved"
    PARTLY = "partly"
    NO = "no"


class Conduct(StrEnum):
    """How the other person behaved."""

    FINE = "fine"
    PROBLEM = "problem"


class Kind(StrEnum):
    """What a report is about."""

    SEXUAL = "sexual"
    MINOR = "minor"
    THREAT = "threat"
    DANGER = "danger"
    HARASSMENT = "harassment"
    RECORDING = "recording"
    MONEY = "money"
    CREDENTIALS = "credentials"
    ADDRESS = "address"
    ABUSE = "abuse"
    """Ended with "end, block, report"; the reporter has not said more yet."""
    RUDE = "rude"
    PRANK = "prank"
    MISUSE = "misuse"
    OTHER = "other"

    @property
    def severity(self) -> int:
        """0 is the gravest, 3 the lightest."""
        return SEVERITIES[self]


SEVERITIES = {
    Kind.SEXUAL: 0,
    Kind.MINOR: 0,
    Kind.THREAT: 0,
    Kind.DANGER: 0,
    Kind.HARASSMENT: 1,
    Kind.RECORDING: 1,
    Kind.MONEY: 1,
    Kind.CREDENTIALS: 1,
    Kind.ADDRESS: 1,
    Kind.ABUSE: 1,
    Kind.RUDE: 2,
    Kind.PRANK: 2,
    Kind.MISUSE: 2,
    Kind.OTHER: 3,
}


class AwardKind(StrEnum):
    """What an award is for."""

    CALL = "call"
    FIRST_CALL = "first_call"
    STANDBY = "standby"
    PRACTICE = "practice"
    REVERSAL = "reversal"


class CallFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What this floor needs to know of a call, from one participant's side."""

    id: UUID
    person_id: UUID
    role: Role
    other_id: UUID
    ended_at: datetime | None
    connected: float
    """Seconds, as the server saw them."""
    since_end: float
    """Seconds since it ended; 0 while it goes on."""


class EndedCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call in the transaction that ends it."""

    id: UUID
    caller_id: UUID
    volunteer_id: UUID
    connected: float
    abuse_by: Role | None
    """Who ended it with "end, block, report"."""


class Rating(msgspec.Struct, frozen=True, kw_only=True):
    """What one participant said of a call."""

    conduct: Conduct
    outcome: SolvedOutcome | None = None
    technical: bool = False
    comment: str | None = None


class Award(msgspec.Struct, frozen=True):
    """Points for something."""

    kind: AwardKind
    points: int


CONTROL = {code: None for code in range(32) if chr(code) not in "\n\t"} | {
    code: None
    for code in (0x7F, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF, *range(0x80, 0xA0))
}
"""Characters that only disturb or deceive a reader: controls and overrides of the writing direction."""


def tidy(text: str | None, at_most: int) -> str | None:
    """Free text without control characters and direction overrides; None if nothing is left.
    Raises `TextTooLong`."""
    if text is None:
        return None
    if len(text) > at_most:
        raise TextTooLong(at_most=at_most)
    return text.translate(CONTROL).strip() or None
