"""The frames of the socket. These structs decode what clients send and encode what they hear, and the AsyncAPI document
is made from them; the names are fixed.

Durations are seconds, times RFC 3339 in UTC, ids UUIDs, languages BCP 47."""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from accounts.model import Role, Standing
from matching.events import (
    CallBegin,
    CallEnded,
    CallPartner,
    Event,
    GoneReason,
    HelpClosed,
    HelpFree,
    HelpNobody,
    HelpStatus,
    Looking,
    OfferGone,
    OfferRing,
)
from matching.model import Trust

SUBPROTOCOL = "visavis.v1"
FRAME_LIMIT = 64 * 1024


class Close(IntEnum):
    """Close codes. 4000 to 4099: come back; 4400 to 4499: do not."""

    GOING_AWAY = 4001
    SLOW_READER = 4002
    NO_HEARTBEAT = 4003
    TOO_MANY_MESSAGES = 4004
    REPLACED = 4009
    BAD_FRAME = 4400
    NOT_AUTHORISED = 4401
    BANNED = 4403
    WRONG_SUBPROTOCOL = 4406
    FRAME_TOO_LARGE = 4413
    TOO_MANY_SOCKETS = 4429


CommandId = Annotated[str, Meta(min_length=1, max_length=64, description="The client's own name for this command.")]
AcceptId = Annotated[str, Meta(min_length=1, max_length=64, description="The client's own name for this accept.")]
Language = Annotated[str, Meta(min_length=2, max_length=35, description="A BCP 47 tag.")]


class Frame(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Anything a client sends."""


class Resume(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which session to go on with, and the last event that was seen of it."""

    session: UUID
    seq: Annotated[int, Meta(ge=0)]


class Hello(Frame, frozen=True, tag="hello"):
    """The first frame, within ten seconds."""

    ticket: Annotated[str, Meta(max_length=200)]
    resume: Resume | None = None
    client: Annotated[str, Meta(max_length=200)] | dict[str, Any] = ""
    features: tuple[Annotated[str, Meta(max_length=64)], ...] = ()


class Ack(Frame, frozen=True, tag="ack"):
    """Events up to `seq` need not be kept for a resume any more."""

    seq: Annotated[int, Meta(ge=0)]


# --- commands: each is answered by `ok` or `problem`


class Command(Frame, frozen=True):
    """A frame that is answered. The same `id` again gets the same answer and has no second effect."""

    id: CommandId


class HelpAsk(Command, frozen=True, tag="help.ask"):
    """Ask for help. A retry with the same `request_id` is the same request."""

    request_id: UUID
    languages: Annotated[tuple[Language, ...], Meta(max_length=10)] | None = None
    topic: Annotated[str, Meta(max_length=200)] | None = None
    trust: Trust = Trust.ANY


class HelpCancel(Command, frozen=True, tag="help.cancel"):
    """Stop asking; also forgets what `help.later` wished for this request."""

    request_id: UUID


class HelpWait(Command, frozen=True, tag="help.wait"):
    """Keep waiting after `help.nobody`."""

    request_id: UUID


class HelpLater(Command, frozen=True, tag="help.later"):
    """Stop looking, and say `help.free` once somebody is free."""

    request_id: UUID


class HelpCallback(Command, frozen=True, tag="help.callback"):
    """The call was cut off: ring the same volunteer first. A retry with the same `request_id` is the same request."""

    call_id: UUID
    request_id: UUID


class ShiftStart(Command, frozen=True, tag="shift.start"):
    """This open page may be rung."""


class ShiftEnd(Command, frozen=True, tag="shift.end"):
    """Not to be rung any more."""


class OfferAccept(Command, frozen=True, tag="offer.accept"):
    """Help this caller. The first one wins; a retry with the same `accept_id` gets the same call."""

    offer_id: UUID
    accept_id: AcceptId


class OfferDecline(Command, frozen=True, tag="offer.decline"):
    """Not now; somebody else is rung."""

    offer_id: UUID


class OfferOpen(Command, frozen=True, tag="offer.open"):
    """A notification was tapped: is this offer still open? If so, nobody else wins for a moment."""

    offer_id: UUID


class CallCommand(Command, frozen=True):
    """A command within a call."""

    call_id: UUID


class CallSignal(CallCommand, frozen=True, tag="call.signal"):
    """SDP or ICE for the other side: exactly one of `description` and `candidates`. The caller offers, the volunteer
    answers; `generation` rises with every offer, and whatever belongs to an older one is refused."""

    generation: Annotated[int, Meta(ge=0, le=1_000_000)]
    description: msgspec.Raw | UnsetType = UNSET
    candidates: msgspec.Raw | UnsetType = UNSET


class CallConnected(CallCommand, frozen=True, tag="call.connected"):
    """Media flows on this side."""


class CallQuality(CallCommand, frozen=True, tag="call.quality"):
    """How well media flows, as this side measures it."""

    round_trip: Annotated[float, Meta(ge=0, le=600)] | None = None
    lost: Annotated[float, Meta(ge=0, le=1, description="Share of packets.")] | None = None
    width: Annotated[int, Meta(ge=0, le=65_535)] | None = None
    height: Annotated[int, Meta(ge=0, le=65_535)] | None = None
    frames_per_second: Annotated[float, Meta(ge=0, le=1_000)] | None = None
    relayed: bool | None = None


Hint = Literal["left", "right", "up", "down", "nearer", "farther", "hold_still", "turn_over", "more_light"]


class CallHint(CallCommand, frozen=True, tag="call.hint"):
    """Guide the caller; spoken on the caller's device in the caller's language."""

    hint: Hint


class CallText(CallCommand, frozen=True, tag="call.text"):
    """Typed words, read aloud on the other side."""

    text: Annotated[str, Meta(min_length=1, max_length=2_000)]


class CallControl(CallCommand, frozen=True, tag="call.control"):
    """Ask the caller's device for something; it answers with `call.did`."""

    torch: bool | None = None
    zoom: Annotated[float, Meta(ge=0.1, le=100)] | None = None
    still: bool | None = None
    camera: Literal["front", "back"] | None = None


class CallDid(CallCommand, frozen=True, tag="call.did"):
    """What the caller's device really did."""

    torch: bool | None = None
    zoom: float | None = None
    still: bool | None = None
    camera: Literal["front", "back"] | None = None
    failed: Annotated[str, Meta(max_length=200)] | None = None


class CallRestart(CallCommand, frozen=True, tag="call.restart"):
    """The connection failed: fresh ICE servers for both, and the caller makes a new offer."""


class CallEnd(CallCommand, frozen=True, tag="call.end"):
    """Hang up. `abuse` also keeps the two apart and opens a report."""

    reason: Literal["done", "cannot_help", "abuse", "technical"] = "done"


AnyCommand = (
    HelpAsk
    | HelpCancel
    | HelpWait
    | HelpLater
    | HelpCallback
    | ShiftStart
    | ShiftEnd
    | OfferAccept
    | OfferDecline
    | OfferOpen
    | CallSignal
    | CallConnected
    | CallQuality
    | CallHint
    | CallText
    | CallControl
    | CallDid
    | CallRestart
    | CallEnd
)


# --- what WebRTC puts into `call.signal`


class Description(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An RTCSessionDescription."""

    type: Literal["offer", "answer"]
    sdp: Annotated[str, Meta(max_length=60_000)]


class Candidate(msgspec.Struct, frozen=True, omit_defaults=True):
    """An RTCIceCandidateInit; an empty `candidate` ends the candidates."""

    candidate: Annotated[str, Meta(max_length=1_000)]
    sdp_mid: str | None = msgspec.field(name="sdpMid", default=None)
    sdp_m_line_index: int | None = msgspec.field(name="sdpMLineIndex", default=None)
    username_fragment: str | None = msgspec.field(name="usernameFragment", default=None)


# --- answers


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """Anything that answers a command."""

    re: str | None


class Ok(Answer, frozen=True, tag="ok"):
    """The command was carried out."""

    request_id: UUID | None = None
    call_id: UUID | None = None
    open: bool | None = None
    """Of `offer.open`: the request may still be won with this offer."""
    offer: OfferRing | None = None
    """Of `offer.open`, if it is open: the offer; kept for this volunteer until it expires."""
    gone: GoneReason | None = None
    """Of `offer.open`, if it is not: why."""
    points: int | None = None
    """What a late tap has earned."""


class Problem(Answer, frozen=True, tag="problem"):
    """The command was refused; nothing was changed. `code` is stable, `detail` a sentence for the person."""

    code: str
    detail: str
    retry_after: float | None = None
    points: int | None = None
    """What a late tap has earned."""


# --- welcome, and the events this floor adds to those of matching


class IceServer(msgspec.Struct, frozen=True, omit_defaults=True):
    """An RTCIceServer."""

    urls: tuple[str, ...]
    username: str | None = None
    credential: str | None = None


IcePolicy = Literal["relay", "all"]


class CallBeginFrame(CallBegin, frozen=True, tag="call.begin"):
    """Matched; with the servers to connect through."""

    ice_servers: tuple[IceServer, ...]
    ice_policy: IcePolicy


class CallRestartEvent(Event, frozen=True, tag="call.restart"):
    """Connect anew; the caller makes the offer."""

    call_id: UUID
    ice_servers: tuple[IceServer, ...]
    ice_policy: IcePolicy


class AccountChanged(Event, frozen=True, tag="account.changed"):
    """What trust and safety decided about this person."""

    standing: Standing
    decision_id: UUID | None = None


class Bye(Event, frozen=True, tag="bye"):
    """The server is about to close this socket; come back after `after` seconds."""

    reason: Literal["restart", "signed_out", "banned", "replaced"]
    action: Literal["reconnect", "resume", "stop"]
    after: float


class RequestNow(msgspec.Struct, frozen=True, omit_defaults=True):
    """An open request, as in `welcome`."""

    request_id: UUID
    state: Looking
    waited: float
    nobody: bool = False
    """`help.nobody` was said and not answered yet."""


class WishNow(msgspec.Struct, frozen=True):
    """A wish to be told when somebody is free, as in `welcome`."""

    request_id: UUID
    languages: tuple[str, ...]


class CallBackNow(msgspec.Struct, frozen=True):
    """A call that was cut off, as in `welcome`: `help.callback` is possible for so many seconds more."""

    call_id: UUID
    expires_in: float


class StateNow(msgspec.Struct, frozen=True):
    """The whole present."""

    request: RequestNow | None
    call: CallBeginFrame | None
    shift: bool
    offers: tuple[OfferRing, ...]
    call_back: CallBackNow | None
    later: WishNow | None
    """`help.later` was asked for, and nobody has been free so far."""
    free: WishNow | None
    """`help.free` was said, and nothing was asked since."""


class PersonNow(msgspec.Struct, frozen=True):
    """The person a session belongs to."""

    id: UUID
    role: Role | None
    languages: tuple[str, ...]
    standing: Standing


class Welcome(msgspec.Struct, frozen=True, tag="welcome"):
    """The answer to `hello`. Events after `seq` follow."""

    person: PersonNow
    session: UUID
    resumed: bool
    seq: int
    heartbeat: float
    resume_window: float
    features: tuple[str, ...]
    state: StateNow


Events = (
    HelpStatus
    | HelpNobody
    | HelpClosed
    | HelpFree
    | OfferRing
    | OfferGone
    | CallBeginFrame
    | CallPartner
    | CallEnded
    | CallRestartEvent
    | AccountChanged
    | Bye
)
"""The events that are structs here; `call.signal`, `call.hint`, `call.text`, `call.control` and `call.did` reach the
other side as they came, with `seq` in the place of `id`."""
