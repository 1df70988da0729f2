"""The things of this floor: requests, offers, calls, and how each may end."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from accounts.model import QuietWindow, Role


class RequestState(StrEnum):
    """A caller's request for help."""

    OPEN = "open"
    MATCHED = "matched"
    CANCELLED = "cancelled"
    UNANSWERED = "unanswered"


class CallState(StrEnum):
    """A call, from the claim on."""

    RESERVED = "reserved"
    """Claimed; the two are connecting."""
    CONNECTED = "connected"
    """Both sides have said that media flows."""
    ENDED = "ended"


class EndReason(StrEnum):
    """Why a call ended."""

    DONE = "done"
    CANNOT_HELP = "cannot_help"
    ABUSE = "abuse"
    TECHNICAL = "technical"
    NOT_CONNECTED = "not_connected"
    CALLER_LOST = "caller_lost"
    VOLUNTEER_LOST = "volunteer_lost"
    STAFF = "staff"


class Outcome(StrEnum):
    """What became of an offer."""

    ACCEPTED = "accepted"
    DECLINED = "declined"
    LATE = "late"
    """Accepted after somebody else: a late tap."""
    IGNORED = "ignored"
    FAILED = "failed"
    """The push service refused it."""
    WITHDRAWN = "withdrawn"
    """The request was closed while it rang."""


class Channel(StrEnum):
    """How a volunteer is rung."""

    SOCKET = "socket"
    """In an open page, on shift."""
    PUSH = "push"
    """By a notification on a device that sleeps."""


class Trust(StrEnum):
    """Which volunteers a caller wants to be asked."""

    ANY = "any"
    TRUSTED = "trusted"


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A caller's request as Postgres has it; ages in seconds, by the database's clock."""

    id: UUID
    caller_id: UUID
    languages: tuple[str, ...]
    topic: str | None
    trust: Trust
    state: RequestState
    fence: int
    asked_at: datetime
    waited: float
    """Seconds without a partner, over all its openings."""
    front: bool
    """Given back by a call that was lost: it goes before the others."""
    told: float | None
    """Seconds since the caller was told that nobody answered; None while looking."""
    looking: float
    """Seconds since it opened or the caller chose to keep waiting."""
    reserved_offer: UUID | None = None
    """The offer that was opened first: nobody else wins while `reserved_for` lasts."""
    reserved_for: float = 0.0
    """Seconds; less than 0 once they have passed."""
    callback: UUID | None = None
    """The volunteer of a dropped call, who is asked before the others."""

    @property
    def reserved(self) -> bool:
        """Whether somebody has picked up and is unlocking the phone."""
        return self.reserved_offer is not None and self.reserved_for > 0


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """One volunteer rung for one request."""

    id: UUID
    request_id: UUID
    volunteer_id: UUID
    age: float
    """Seconds since it began to ring."""
    outcome: Outcome | None
    channel: Channel = Channel.SOCKET
    chance: float = 0.0
    """Of an accept, as it was thought to be when it began to ring."""


class Evidence(msgspec.Struct, frozen=True):
    """What a volunteer's rings through one channel have taught so far."""

    yes: float = 0.0
    """Answers, late ones too; old ones count for less."""
    exposure: float = 0.0
    """Rings, each worth what could be expected of it: less at night, less when tired, less when cut short."""
    ignored: int = 0
    """Rings in a row without any answer."""


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A volunteer who may be rung, as ranking sees them."""

    id: UUID
    channel: Channel
    evidence: Evidence = Evidence()
    last_rung: float = 0.0
    """Unix time; 0 for never."""
    calls: int = 0
    """Calls they have had."""
    last_call: float = 0.0
    """When the last of them began, Unix time; 0 for none, or where it is not known."""
    offset: int = 0
    """Seconds that their clock on the wall is ahead of UTC."""


class Volunteer(msgspec.Struct, frozen=True):
    """A volunteer who may be rung for a request, as far as Postgres knows."""

    id: UUID
    languages: tuple[str, ...]
    time_zone: str
    quiet_hours: tuple[QuietWindow, ...]
    muted: tuple[str, ...] = ()
    """Languages they speak but do not want to be rung for."""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A call as Postgres has it."""

    id: UUID
    request_id: UUID
    caller_id: UUID
    volunteer_id: UUID
    accept_id: str
    fence: int
    waited: float
    """Seconds the caller had waited when it was claimed."""
    state: CallState
    claimed_at: datetime
    caller_connected_at: datetime | None = None
    volunteer_connected_at: datetime | None = None
    connected_at: datetime | None = None
    ended_at: datetime | None = None
    end_reason: EndReason | None = None
    ended_by: Role | None = None

    def role_of(self, person_id: UUID) -> Role | None:
        """Which side of the call a person is on; None for a stranger."""
        if person_id == self.caller_id:
            return Role.CALLER
        return Role.VOLUNTEER if person_id == self.volunteer_id else None

    def other(self, role: Role) -> UUID:
        """The person on the other side."""
        return self.volunteer_id if role is Role.CALLER else self.caller_id

    @property
    def duration(self) -> float:
        """Connected seconds as the server saw them."""
        if self.connected_at is None or self.ended_at is None:
            return 0.0
        return max(0.0, (self.ended_at - self.connected_at).total_seconds())


class Partner(msgspec.Struct, frozen=True, omit_defaults=True):
    """What each side may know of the other: nothing that identifies."""

    languages: tuple[str, ...]
    alias: str | None
    experience: int
    """Calls this person had before."""
