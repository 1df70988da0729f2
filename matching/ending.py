"""How requests and calls are moved: inside a transaction, under the row's lock, by the state machines."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from accounts import outbox
from accounts.model import Role
from accounts.outbox import Parcel
from accounts.postgres import Connection
from matching import figures, lifecycle
from matching.errors import CallOver, CallUnknown, RequestClosed, RequestUnknown
from matching.events import CallEnded, HelpClosed, HelpNobody
from matching.ledger import calls, requests, wishes
from matching.lifecycle import CallView, End, GivenBack, Lost, MarkConnected, Stopped
from matching.model import Call, CallState, RequestState
from matching.ports import Rewards
from matching.settings import MatchingSettings


class Endings:
    """Carries out the machines' effects. Every method runs in the caller's transaction and returns the parcels to be
    carried once it is committed."""

    def __init__(self, rewards: Rewards, settings: MatchingSettings) -> None:
        self._rewards = rewards
        self._settings = settings

    async def move_request(
        self, connection: Connection, request_id: UUID, event: lifecycle.Event, caller_id: UUID | None = None
    ) -> list[Parcel]:
        """Step a request. Raises `RequestUnknown` for a stranger's, `RequestClosed` for one that is over."""
        request = await requests.locked_request(connection, request_id)
        if request is None or (caller_id is not None and request.caller_id != caller_id):
            raise RequestUnknown()
        if request.state is not RequestState.OPEN:
            raise RequestClosed()
        state, effects = lifecycle.step_request(request.state, event)
        if state is not RequestState.OPEN:
            await requests.close_request(connection, request.id, state)
            figures.CLOSED.labels(state).inc()
        told: list[object] = []
        for effect in effects:
            match effect:
                case lifecycle.Tell(what="nobody"):
                    await requests.mark_told(connection, request.id)
                    told.append(HelpNobody(request.id, round(request.waited, 1), ("wait", "later", "stop")))
                case lifecycle.Tell(what="cancelled"):
                    told.append(HelpClosed(request.id, "cancelled"))
                case lifecycle.Tell(what="later"):
                    await wishes.make(connection, request, self._settings.later_within)
                    told.append(HelpClosed(request.id, "later"))
                case lifecycle.Tell(what="unanswered"):
                    told.append(HelpClosed(request.id, "unanswered"))
                case lifecycle.Ring():
                    await requests.mark_looking(connection, request.id)
        return await outbox.put(connection, "event", [(request.caller_id, event) for event in told])

    async def move_call(
        self, connection: Connection, call_id: UUID, event: lifecycle.Event, by: UUID | None = None
    ) -> tuple[Call, list[Parcel]]:
        """Step a call; `by` must be one of the two, if given. Raises `CallUnknown`, `CallOver`."""
        call = await calls.locked_call(connection, call_id)
        if call is None or (by is not None and call.role_of(by) is None):
            raise CallUnknown()
        if call.state is CallState.ENDED:
            raise CallOver()
        view = CallView(call.state, call.caller_connected_at is not None, call.volunteer_connected_at is not None)
        after, effects = lifecycle.step_call(view, event)
        for effect in effects:
            match effect:
                case MarkConnected(role):
                    await calls.mark_connected(connection, call.id, role, after.state)
                case End():
                    return await self._end(connection, call, effect)
        return call, []

    async def _end(self, connection: Connection, call: Call, end: End) -> tuple[Call, list[Parcel]]:
        ended = await calls.end_call(connection, call.id, end.reason, end.by, end.give_back)
        assert ended.ended_at is not None
        figures.ENDED.labels(end.reason).inc()
        if end.give_back:
            lifecycle.step_request(RequestState.MATCHED, GivenBack())
            await requests.reopen(connection, call.request_id)
        await self._rewards.call_ended(connection, ended)
        told = [
            (
                call.caller_id if role is Role.CALLER else call.volunteer_id,
                CallEnded(
                    call.id,
                    lifecycle.told_reason(end.reason, end.by, role),
                    round(ended.duration, 1),
                    role is Role.CALLER and not end.give_back and end.reason in lifecycle.MAY_CALL_BACK,
                    ended.ended_at + timedelta(seconds=self._settings.rate_within),
                ),
            )
            for role in Role
        ]
        return ended, await outbox.put(connection, "event", told)

    async def gone(self, connection: Connection, person_id: UUID) -> tuple[list[Parcel], list[UUID]]:
        """The person has been without a socket for the whole resume window. Returns parcels, and the requests whose
        rings have to be looked at."""
        return await self._leave(connection, person_id, Lost)

    async def barred(self, connection: Connection, person_id: UUID) -> tuple[list[Parcel], list[UUID]]:
        """The person was barred, earlier in this transaction."""
        return await self._leave(connection, person_id, Stopped)

    async def _leave(
        self, connection: Connection, person_id: UUID, leaving: type[Lost] | type[Stopped]
    ) -> tuple[list[Parcel], list[UUID]]:
        parcels: list[Parcel] = []
        touched: list[UUID] = []
        call = await calls.live_call_of(connection, person_id)
        if call is not None and (role := call.role_of(person_id)) is not None:
            try:
                ended, told = await self.move_call(connection, call.id, leaving(role))
            except CallOver:
                pass  # the other side hung up in the same moment
            else:
                parcels += told
                touched.append(ended.request_id)
        open_request = await requests.open_request_of(connection, person_id)
        if open_request is not None:
            try:
                parcels += await self.move_request(connection, open_request.id, lifecycle.Cancelled())
            except RequestClosed:
                pass
            else:
                touched.append(open_request.id)
        return parcels, touched
