"""The two state machines of the floor: a request, and a call. Pure: no I/O, no clock.

`step_request` and `step_call` take a state and an event and give the next state and effects, which are data; whoever
holds the row in a transaction carries them out. A move that is not in the table raises `IllegalMove`."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from accounts.model import Role
from matching.errors import IllegalMove
from matching.model import CallState, EndReason, RequestState

# --- events and effects


class Event(msgspec.Struct, frozen=True):
    """Something that happens to a request or a call."""


class Claimed(Event, frozen=True):
    """A volunteer's accept won."""


class GivenBack(Event, frozen=True):
    """The call was lost through no fault of the caller: look again, in front."""


class Cancelled(Event, frozen=True):
    """By the caller, or because the caller is gone or barred."""


class NobodyCame(Event, frozen=True):
    """Three minutes without an answer: the caller is told, and asked what next."""


class KeptWaiting(Event, frozen=True):
    """The caller chose to keep waiting."""


class PutOff(Event, frozen=True):
    """The caller would rather be told when somebody is free."""


class GivenUp(Event, frozen=True):
    """The caller made no choice for a long time."""


class Connected(Event, frozen=True):
    """One side says that media flows."""

    role: Role


class GraceOver(Event, frozen=True):
    """The two did not connect in time."""


class Lost(Event, frozen=True):
    """One side has been without a socket for the whole resume window."""

    role: Role


class Hung(Event, frozen=True):
    """One side ended the call, with a reason of theirs."""

    role: Role
    reason: EndReason


class Stopped(Event, frozen=True):
    """Staff ended the call, or barred `role` (None: the call itself was ended, nobody barred)."""

    role: Role | None


class Tell(msgspec.Struct, frozen=True):
    """Tell the caller: `nobody` or `closed` for this reason."""

    what: str


class Ring(msgspec.Struct, frozen=True):
    """Look for volunteers, from now on."""


class End(msgspec.Struct, frozen=True):
    """Write the end of the call, settle points, tell both sides; `give_back` opens the request again."""

    reason: EndReason
    by: Role | None
    give_back: bool


class MarkConnected(msgspec.Struct, frozen=True):
    """Remember that this side is connected."""

    role: Role


Effect = Tell | Ring | End | MarkConnected

# --- requests

REQUESTS: Mapping[tuple[RequestState, type[Event]], tuple[RequestState, tuple[Effect, ...]]] = {
    (RequestState.OPEN, Claimed): (RequestState.MATCHED, ()),
    (RequestState.OPEN, Cancelled): (RequestState.CANCELLED, (Tell("cancelled"),)),
    (RequestState.OPEN, NobodyCame): (RequestState.OPEN, (Tell("nobody"),)),
    (RequestState.OPEN, KeptWaiting): (RequestState.OPEN, (Ring(),)),
    (RequestState.OPEN, PutOff): (RequestState.UNANSWERED, (Tell("later"),)),
    (RequestState.OPEN, GivenUp): (RequestState.UNANSWERED, (Tell("unanswered"),)),
    (RequestState.MATCHED, GivenBack): (RequestState.OPEN, (Ring(),)),
}


def step_request(state: RequestState, event: Event) -> tuple[RequestState, tuple[Effect, ...]]:
    """The request's next state and what has to be done. Raises `IllegalMove`."""
    try:
        return REQUESTS[state, type(event)]
    except KeyError:
        raise IllegalMove(state=state, event=_name(event)) from None


# --- calls


class CallView(msgspec.Struct, frozen=True):
    """A call as its machine sees it."""

    state: CallState = CallState.RESERVED
    caller_connected: bool = False
    volunteer_connected: bool = False


def step_call(call: CallView, event: Event) -> tuple[CallView, tuple[Effect, ...]]:
    """The call's next state and what has to be done. Raises `IllegalMove`."""
    move = CALLS.get((call.state, type(event)))
    if move is None:
        raise IllegalMove(state=call.state, event=_name(event))
    return move(call, event)


def _connected(call: CallView, event: Event) -> tuple[CallView, tuple[Effect, ...]]:
    assert isinstance(event, Connected)
    already = call.caller_connected if event.role is Role.CALLER else call.volunteer_connected
    caller = call.caller_connected or event.role is Role.CALLER
    volunteer = call.volunteer_connected or event.role is Role.VOLUNTEER
    state = CallState.CONNECTED if caller and volunteer else call.state
    return CallView(state, caller, volunteer), () if already else (MarkConnected(event.role),)


def _ended(call: CallView, end: End) -> tuple[CallView, tuple[Effect, ...]]:
    return msgspec.structs.replace(call, state=CallState.ENDED), (end,)


def _grace_over(call: CallView, event: Event) -> tuple[CallView, tuple[Effect, ...]]:
    return _ended(call, End(EndReason.NOT_CONNECTED, None, give_back=True))


def _lost(call: CallView, event: Event) -> tuple[CallView, tuple[Effect, ...]]:
    assert isinstance(event, Lost)
    if event.role is Role.CALLER:
        return _ended(call, End(EndReason.CALLER_LOST, None, give_back=False))
    return _ended(call, End(EndReason.VOLUNTEER_LOST, None, give_back=True))


def _hung(call: CallView, event: Event) -> tuple[CallView, tuple[Effect, ...]]:
    assert isinstance(event, Hung)
    # A volunteer who leaves before the two ever saw each other has helped nobody yet; the caller must not start again
    # at the end of the line. After abuse nothing goes on by itself.
    early = call.state is CallState.RESERVED and event.role is Role.VOLUNTEER and event.reason is not EndReason.ABUSE
    return _ended(call, End(event.reason, event.role, give_back=early))


def _stopped(call: CallView, event: Event) -> tuple[CallView, tuple[Effect, ...]]:
    assert isinstance(event, Stopped)
    return _ended(call, End(EndReason.STAFF, None, give_back=event.role is Role.VOLUNTEER))


CALLS = {
    (CallState.RESERVED, Connected): _connected,
    (CallState.RESERVED, GraceOver): _grace_over,
    (CallState.RESERVED, Lost): _lost,
    (CallState.RESERVED, Hung): _hung,
    (CallState.RESERVED, Stopped): _stopped,
    (CallState.CONNECTED, Connected): _connected,
    (CallState.CONNECTED, Lost): _lost,
    (CallState.CONNECTED, Hung): _hung,
    (CallState.CONNECTED, Stopped): _stopped,
}

MAY_CALL_BACK = frozenset({EndReason.TECHNICAL, EndReason.NOT_CONNECTED, EndReason.CALLER_LOST})
"""Ends that were nobody's will, after which the caller may ask for the same volunteer."""


def told_reason(reason: EndReason, by: Role | None, to: Role) -> EndReason:
    """The reason as one side hears it: who ends a call for abuse is safer when the other side does not hear that."""
    return EndReason.DONE if reason is EndReason.ABUSE and by is not to else reason


def _name(event: Event) -> str:
    return type(event).__name__
