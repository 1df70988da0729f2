"""The two state machines: what leads where, and that nothing else leads anywhere."""

from __future__ import annotations

import itertools

import pytest

from accounts.model import Role
from matching import lifecycle
from matching.errors import IllegalMove
from matching.lifecycle import (
    CALLS,
    REQUESTS,
    CallView,
    Cancelled,
    Claimed,
    Connected,
    End,
    GivenBack,
    GivenUp,
    GraceOver,
    Hung,
    KeptWaiting,
    Lost,
    MarkConnected,
    NobodyCame,
    PutOff,
    Ring,
    Stopped,
    Tell,
    step_call,
    step_request,
)
from matching.model import CallState, EndReason, RequestState

CALLER, VOLUNTEER = Role.CALLER, Role.VOLUNTEER
RESERVED = CallView()
CONNECTED = CallView(CallState.CONNECTED, True, True)
REQUEST_EVENTS = (Claimed(), GivenBack(), Cancelled(), NobodyCame(), KeptWaiting(), PutOff(), GivenUp())
CALL_EVENTS = (
    *(Connected(role) for role in Role),
    GraceOver(),
    *(Lost(role) for role in Role),
    *(Hung(role, reason) for role in Role for reason in EndReason),
    *(Stopped(role) for role in (None, *Role)),
)


@pytest.mark.parametrize(
    ("state", "event", "after", "effects"),
    [
        (RequestState.OPEN, Claimed(), RequestState.MATCHED, ()),
        (RequestState.OPEN, Cancelled(), RequestState.CANCELLED, (Tell("cancelled"),)),
        (RequestState.OPEN, NobodyCame(), RequestState.OPEN, (Tell("nobody"),)),
        (RequestState.OPEN, KeptWaiting(), RequestState.OPEN, (Ring(),)),
        (RequestState.OPEN, PutOff(), RequestState.UNANSWERED, (Tell("later"),)),
        (RequestState.OPEN, GivenUp(), RequestState.UNANSWERED, (Tell("unanswered"),)),
        (RequestState.MATCHED, GivenBack(), RequestState.OPEN, (Ring(),)),
    ],
)
def test_a_request_moves(state: RequestState, event: lifecycle.Event, after: RequestState, effects: object) -> None:
    assert step_request(state, event) == (after, effects)


def test_a_request_moves_in_no_other_way() -> None:
    for state, event in itertools.product(RequestState, REQUEST_EVENTS):
        if (state, type(event)) not in REQUESTS:
            with pytest.raises(IllegalMove) as refused:
                step_request(state, event)
            assert refused.value.data == {"state": state, "event": type(event).__name__}


def test_a_closed_request_stays_closed() -> None:
    assert not {state for state, _ in REQUESTS} & {RequestState.CANCELLED, RequestState.UNANSWERED}


def test_a_call_is_connected_once_both_sides_are() -> None:
    once, effects = step_call(RESERVED, Connected(CALLER))
    assert once == CallView(CallState.RESERVED, True, False)
    assert effects == (MarkConnected(CALLER),)
    assert step_call(once, Connected(CALLER)) == (once, ())
    both, effects = step_call(once, Connected(VOLUNTEER))
    assert both == CONNECTED
    assert effects == (MarkConnected(VOLUNTEER),)
    assert step_call(both, Connected(CALLER)) == (both, ())


@pytest.mark.parametrize(
    ("call", "event", "end"),
    [
        (RESERVED, GraceOver(), End(EndReason.NOT_CONNECTED, None, True)),
        (RESERVED, Lost(VOLUNTEER), End(EndReason.VOLUNTEER_LOST, None, True)),
        (CONNECTED, Lost(VOLUNTEER), End(EndReason.VOLUNTEER_LOST, None, True)),
        (RESERVED, Lost(CALLER), End(EndReason.CALLER_LOST, None, False)),
        (CONNECTED, Lost(CALLER), End(EndReason.CALLER_LOST, None, False)),
        # Who leaves before they ever saw each other gives the caller back to the line; afterwards it is an end.
        (RESERVED, Hung(VOLUNTEER, EndReason.DONE), End(EndReason.DONE, VOLUNTEER, True)),
        (RESERVED, Hung(VOLUNTEER, EndReason.CANNOT_HELP), End(EndReason.CANNOT_HELP, VOLUNTEER, True)),
        (RESERVED, Hung(VOLUNTEER, EndReason.ABUSE), End(EndReason.ABUSE, VOLUNTEER, False)),
        (CONNECTED, Hung(VOLUNTEER, EndReason.DONE), End(EndReason.DONE, VOLUNTEER, False)),
        (RESERVED, Hung(CALLER, EndReason.DONE), End(EndReason.DONE, CALLER, False)),
        (CONNECTED, Hung(CALLER, EndReason.ABUSE), End(EndReason.ABUSE, CALLER, False)),
        (CONNECTED, Stopped(VOLUNTEER), End(EndReason.STAFF, None, True)),
        (CONNECTED, Stopped(CALLER), End(EndReason.STAFF, None, False)),
        (CONNECTED, Stopped(None), End(EndReason.STAFF, None, False)),
    ],
)
def test_a_call_ends(call: CallView, event: lifecycle.Event, end: End) -> None:
    after, effects = step_call(call, event)
    assert after.state is CallState.ENDED
    assert effects == (end,)


def test_a_connected_call_has_no_grace() -> None:
    with pytest.raises(IllegalMove):
        step_call(CONNECTED, GraceOver())


def test_an_ended_call_moves_nowhere() -> None:
    assert CallState.ENDED not in {state for state, _ in CALLS}
    for event in CALL_EVENTS:
        with pytest.raises(IllegalMove):
            step_call(CallView(CallState.ENDED), event)


def test_only_who_ended_it_hears_that_it_was_abuse() -> None:
    told = lifecycle.told_reason
    assert told(EndReason.ABUSE, CALLER, CALLER) is EndReason.ABUSE
    assert told(EndReason.ABUSE, CALLER, VOLUNTEER) is EndReason.DONE
    assert told(EndReason.TECHNICAL, CALLER, VOLUNTEER) is EndReason.TECHNICAL
