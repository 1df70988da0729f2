"""What callers can do before anybody answers: ask, stop, wait on, be told later, call the same volunteer back."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from accounts.errors import NotAllowed
from accounts.languages import canonical_all
from accounts.model import Person, Role
from accounts.postgres import Connection, Pool, borrowed, transaction
from matching import figures
from matching.dispatch import Dispatcher
from matching.ending import Endings
from matching.errors import (
    CallbackNotPossible,
    CallbackTooLate,
    CallUnknown,
    InCall,
    RequestClosed,
    RequestIdTaken,
    RequestOpen,
)
from matching.events import HelpClosed
from matching.ledger import callbacks, calls, requests, wishes
from matching.lifecycle import MAY_CALL_BACK, Cancelled, KeptWaiting, PutOff
from matching.model import CallState, Request, RequestState, Trust
from matching.ports import Carrier, Voice
from matching.settings import MatchingSettings
from matching.who import must_be


class Asking:
    """The callers' side. Raises `Unavailable` when Postgres is away; a cache that is away only slows it."""

    def __init__(
        self,
        pool: Pool,
        dispatcher: Dispatcher,
        endings: Endings,
        carrier: Carrier,
        voice: Voice,
        settings: MatchingSettings,
    ) -> None:
        self._pool = pool
        self._dispatcher = dispatcher
        self._endings = endings
        self._carrier = carrier
        self._voice = voice
        self._settings = settings

    async def ask(
        self,
        person: Person,
        request_id: UUID,
        languages: Sequence[str] | None = None,
        topic: str | None = None,
        trust: Trust = Trust.ANY,
    ) -> Request:
        """Open a request. The same `request_id` again is the same request.
        Raises `RequestOpen`, `InCall`, `RequestClosed`, `RequestIdTaken`, `LanguageUnknown`, `NotAllowed`."""
        must_be(person, Role.CALLER)
        tags = canonical_all(languages) if languages else list(person.languages)
        return await self._open(person, request_id, tags, topic, trust)

    async def call_back(self, person: Person, call_id: UUID, request_id: UUID) -> Request:
        """Open a request for the volunteer of a call that was cut off; others are asked if they do not come. What was
        asked for before is asked for again. The same `request_id` again is the same request.
        Raises `CallUnknown`, `CallbackNotPossible`, `CallbackTooLate`, and as `ask` does."""
        must_be(person, Role.CALLER)
        async with borrowed(self._pool) as connection:
            call = await callbacks.dropped(connection, call_id)
            if call is None or call.caller_id != person.id:
                raise CallUnknown()
            if found := await requests.requests(connection, [request_id]):
                return self._same(found[0], person)
        if call.state is not CallState.ENDED:
            raise InCall()
        if call.given_back or call.end_reason not in MAY_CALL_BACK:
            raise CallbackNotPossible()
        if call.since_end > self._settings.call_back_within:
            raise CallbackTooLate()
        return await self._open(person, request_id, call.languages, call.topic, call.trust, call_id)

    async def _open(
        self,
        person: Person,
        request_id: UUID,
        languages: Sequence[str],
        topic: str | None,
        trust: Trust,
        callback_call: UUID | None = None,
    ) -> Request:
        async with transaction(self._pool) as connection:
            request = await requests.ask(connection, request_id, person.id, languages, topic, trust, callback_call)
            if request is not None:
                await wishes.forget(connection, person.id)
                figures.ASKED.inc()
            else:
                request = await self._asked_before(connection, person, request_id)
        await self._dispatcher.look_at(request.id)
        return request

    async def _asked_before(self, connection: Connection, person: Person, request_id: UUID) -> Request:
        if found := await requests.requests(connection, [request_id]):
            return self._same(found[0], person)
        if await requests.open_request_of(connection, person.id):
            raise RequestOpen()
        if await calls.live_call_of(connection, person.id):
            raise InCall()
        raise NotAllowed()

    def _same(self, request: Request, person: Person) -> Request:
        if request.caller_id != person.id:
            raise RequestIdTaken()
        if request.state in (RequestState.CANCELLED, RequestState.UNANSWERED):
            raise RequestClosed()
        return request

    async def cancel(self, person_id: UUID, request_id: UUID) -> None:
        """Close an open request, or forget the wish that was left for it. Raises `RequestUnknown`, `RequestClosed`."""
        async with borrowed(self._pool) as connection:
            wished = await wishes.forget(connection, person_id, request_id)
        if wished:
            await self._voice.tell(person_id, HelpClosed(request_id, "cancelled"))
            return
        async with transaction(self._pool) as connection:
            parcels = await self._endings.move_request(connection, request_id, Cancelled(), person_id)
        await self._carrier.carry(parcels)
        await self._dispatcher.moved(request_id)

    async def keep_waiting(self, person_id: UUID, request_id: UUID) -> None:
        """Go on looking after "nobody". Raises `RequestUnknown`, `RequestClosed`."""
        async with transaction(self._pool) as connection:
            parcels = await self._endings.move_request(connection, request_id, KeptWaiting(), person_id)
        await self._carrier.carry(parcels)
        await self._dispatcher.look_at(request_id)

    async def be_told_later(self, person_id: UUID, request_id: UUID) -> None:
        """Close the request, and be told once when somebody is free. Raises `RequestUnknown`, `RequestClosed`."""
        async with borrowed(self._pool) as connection:
            wish = await wishes.wish_of(connection, person_id)
        if wish is not None and wish.request_id == request_id:
            return  # a retry
        async with transaction(self._pool) as connection:
            parcels = await self._endings.move_request(connection, request_id, PutOff(), person_id)
        await self._carrier.carry(parcels)
        await self._dispatcher.moved(request_id)
