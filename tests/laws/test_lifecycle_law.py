"""Laws of the lifecycle: over any sequence of events, I1, I3 and I5 hold in the machines themselves."""

from __future__ import annotations

import contextlib

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from accounts.model import Role
from matching.errors import IllegalMove
from matching.lifecycle import (
    CallView,
    Cancelled,
    Claimed,
    Connected,
    End,
    Event,
    GivenBack,
    GivenUp,
    GraceOver,
    Hung,
    KeptWaiting,
    Lost,
    NobodyCame,
    PutOff,
    Stopped,
    step_call,
    step_request,
)
from matching.model import CallState, EndReason, RequestState

roles = st.sampled_from(Role)
call_events = st.one_of(
    st.builds(Connected, roles),
    st.builds(GraceOver),
    st.builds(Lost, roles),
    st.builds(Hung, roles, st.sampled_from([EndReason.DONE, EndReason.ABUSE, EndReason.TECHNICAL])),
    st.builds(Stopped, st.one_of(st.none(), roles)),
)
request_events = st.sampled_from([Cancelled(), NobodyCame(), KeptWaiting(), PutOff(), GivenUp()])


class OneRequest(RuleBasedStateMachine):
    """A request and its calls, moved only as `ending.py` and the claim move them."""

    def __init__(self) -> None:
        super().__init__()
        self.request = RequestState.OPEN
        self.calls: list[CallView] = []
        self.ends: list[End] = []
        self.closings = 0

    @property
    def live(self) -> CallView | None:
        return self.calls[-1] if self.calls and self.calls[-1].state is not CallState.ENDED else None

    @rule()
    def claim(self) -> None:
        with contextlib.suppress(IllegalMove):
            self.request, _ = step_request(self.request, Claimed())
            self.calls.append(CallView())

    @rule(event=request_events)
    def on_request(self, event: Event) -> None:
        with contextlib.suppress(IllegalMove):
            self.request, effects = step_request(self.request, event)
            self.closings += self.request in (RequestState.CANCELLED, RequestState.UNANSWERED)
            assert self.request is RequestState.OPEN or effects, "a request closed in silence"
            if isinstance(event, PutOff):
                assert self.request is RequestState.UNANSWERED, "who is told later does not wait as well"

    @rule(event=call_events)
    def on_call(self, event: Event) -> None:
        if not self.calls:
            return
        try:
            self.calls[-1], effects = step_call(self.calls[-1], event)
        except IllegalMove:
            return
        for effect in effects:
            if isinstance(effect, End):
                self.ends.append(effect)
                if effect.give_back:
                    self.request, _ = step_request(self.request, GivenBack())

    @invariant()
    def at_most_one_call_that_was_not_given_back(self) -> None:
        kept = len(self.calls) - sum(end.give_back for end in self.ends)
        assert kept <= 1

    @invariant()
    def a_live_call_and_an_open_request_exclude_each_other(self) -> None:
        assert not (self.live and self.request is RequestState.OPEN)
        if self.live:
            assert self.request is RequestState.MATCHED

    @invariant()
    def every_call_ends_once_with_a_reason(self) -> None:
        assert len(self.ends) == len(self.calls) - (self.live is not None)
        assert all(end.reason in EndReason for end in self.ends)

    @invariant()
    def a_request_closes_once(self) -> None:
        assert self.closings <= 1


OneRequest.TestCase.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)
TestLifecycleLaw = OneRequest.TestCase
