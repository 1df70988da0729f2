"""What this floor tells people. These are the events of the protocol, word for word; the edge adds `seq`, and to
`call.begin` the ICE servers."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from accounts.model import Role
from matching.model import EndReason, Partner, Request


class Event(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something that happened, for one person."""


Looking = Literal["looking", "reserved", "looking_again"]
Choice = Literal["wait", "later", "stop"]
GoneReason = Literal["taken", "cancelled", "expired"]


class HelpStatus(Event, frozen=True, tag="help.status"):
    """How the search goes: how many were asked so far, and how many seconds the caller has waited."""

    request_id: UUID
    state: Looking
    asked: int
    waited: float


def looking(request: Request) -> Looking:
    """How the search for an open request stands."""
    if request.reserved:
        return "reserved"
    return "looking_again" if request.front else "looking"


class HelpNobody(Event, frozen=True, tag="help.nobody"):
    """Three minutes without an answer; `choices` are the commands that may follow."""

    request_id: UUID
    waited: float
    choices: tuple[Choice, ...]


class HelpClosed(Event, frozen=True, tag="help.closed"):
    """The request is over without a call."""

    request_id: UUID
    reason: Literal["cancelled", "unanswered", "later"]


class HelpFree(Event, frozen=True, tag="help.free"):
    """Somebody who could be asked is free now; the answer to `help.later`, said once. Asking is still to be done."""

    request_id: UUID
    languages: tuple[str, ...]


class OfferRing(Event, frozen=True, tag="offer.ring"):
    """Somebody needs help: ring. Nothing in it identifies the caller."""

    offer_id: UUID
    request_id: UUID
    languages: tuple[str, ...]
    waited: float
    expires_in: float
    topic: str | None = None
    callback: bool = False
    """The caller whom this volunteer just helped was cut off, and asks for the same volunteer."""


class OfferGone(Event, frozen=True, tag="offer.gone"):
    """Stop ringing."""

    offer_id: UUID
    reason: GoneReason


class CallBegin(Event, frozen=True, tag="call.begin"):
    """Matched."""

    call_id: UUID
    request_id: UUID
    role: Role
    partner: Partner
    fence: int


class CallPartner(Event, frozen=True, tag="call.partner"):
    """The other side's socket dropped, or came back; media may go on meanwhile."""

    call_id: UUID
    state: Literal["away", "back"]


class CallEnded(Event, frozen=True, tag="call.ended"):
    """The call is over; sent once. `duration` is in connected seconds."""

    call_id: UUID
    reason: EndReason
    duration: float
    may_call_back: bool
    rate_until: datetime


Told = HelpStatus | HelpNobody | HelpClosed | HelpFree | OfferRing | OfferGone | CallBegin | CallPartner | CallEnded
