"""What each command does: a table of contents of the socket."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import structlog

from accounts.errors import VisavisError
from accounts.model import Person, Role
from accounts.service import AccountService
from matching.asking import Asking
from matching.board import Board
from matching.errors import CallUnknown, OfferTaken
from matching.events import GoneReason
from matching.model import EndReason
from matching.service import HelpService
from signaling import protocol
from signaling.bus import Bus
from signaling.codec import encode
from signaling.i18n import Words
from signaling.limits import Limits
from signaling.metrics import COMMANDS, QUALITY
from signaling.problems import details
from signaling.protocol import Answer, AnyCommand, CallCommand, CallSignal
from signaling.relay import SignalStale, passed
from signaling.session import LiveCall, Session, refusal, success
from signaling.settings import LimitSettings
from signaling.switchboard import Letter
from signaling.turn import Turn

log = structlog.get_logger()


class Commands:
    """Carries out commands for sessions."""

    def __init__(
        self,
        accounts: AccountService,
        asking: Asking,
        help_service: HelpService,
        board: Board,
        bus: Bus,
        turn: Turn,
        limits: Limits,
        limit_settings: LimitSettings,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._accounts = accounts
        self._asking = asking
        self._help = help_service
        self._board = board
        self._bus = bus
        self._turn = turn
        self._limits = limits
        self._limit_settings = limit_settings
        self._now = now
        self._table: dict[type[AnyCommand], Callable[[Session, Any], Awaitable[Answer]]] = {
            protocol.HelpAsk: self._ask,
            protocol.HelpCancel: self._cancel,
            protocol.HelpWait: self._wait,
            protocol.HelpLater: self._later,
            protocol.HelpCallback: self._callback,
            protocol.ShiftStart: self._start_shift,
            protocol.ShiftEnd: self._end_shift,
            protocol.OfferAccept: self._accept,
            protocol.OfferDecline: self._decline,
            protocol.OfferOpen: self._open,
            protocol.CallSignal: self._signal,
            protocol.CallConnected: self._connected,
            protocol.CallQuality: self._quality,
            protocol.CallHint: self._pass_on_if_volunteer,
            protocol.CallText: self._pass_on,
            protocol.CallControl: self._pass_on_if_volunteer,
            protocol.CallDid: self._pass_on_if_caller,
            protocol.CallRestart: self._restart,
            protocol.CallEnd: self._end,
        }

    async def perform(self, session: Session, command: AnyCommand, words: Words) -> Answer:
        """Carry out a command; whatever goes wrong becomes its `problem`."""
        name = str(command.__struct_config__.tag)
        try:
            answer = await self._table[type(command)](session, command)
        except VisavisError as error:
            problem = details(error, words)
            COMMANDS.labels(name, error.code).inc()
            points = error.points if isinstance(error, OfferTaken) else None
            return refusal(command, problem.code, problem.detail, problem.retry_after, points)
        except Exception:
            log.exception("command.failed", type=name)
            COMMANDS.labels(name, "internal").inc()
            return refusal(command, "internal", words("Something went wrong on our side. Please try again."), 1)
        COMMANDS.labels(name, "ok").inc()
        return answer

    async def _person(self, session: Session) -> Person:
        """As they are now: a profile may have changed since the session began."""
        return await self._accounts.person(session.person)

    # --- help

    async def _ask(self, session: Session, command: protocol.HelpAsk) -> Answer:
        await self._limits.check("ask", session.person, self._limit_settings.asks_per_person)
        person = await self._person(session)
        request = await self._asking.ask(person, command.request_id, command.languages, command.topic, command.trust)
        return success(command, request_id=request.id)

    async def _cancel(self, session: Session, command: protocol.HelpCancel) -> Answer:
        await self._asking.cancel(session.person, command.request_id)
        return success(command, request_id=command.request_id)

    async def _wait(self, session: Session, command: protocol.HelpWait) -> Answer:
        await self._asking.keep_waiting(session.person, command.request_id)
        return success(command, request_id=command.request_id)

    async def _later(self, session: Session, command: protocol.HelpLater) -> Answer:
        await self._asking.be_told_later(session.person, command.request_id)
        return success(command, request_id=command.request_id)

    async def _callback(self, session: Session, command: protocol.HelpCallback) -> Answer:
        await self._limits.check("ask", session.person, self._limit_settings.asks_per_person)
        person = await self._person(session)
        request = await self._asking.call_back(person, command.call_id, command.request_id)
        return success(command, request_id=request.id)

    # --- shift and offers

    async def _start_shift(self, session: Session, command: protocol.ShiftStart) -> Answer:
        await self.start_shift(session, await self._person(session))
        return success(command)

    async def start_shift(self, session: Session, person: Person) -> None:
        """Let this session be rung."""
        await self._help.start_shift(person)
        await self._board.on_shift(session.id, person.id)
        session.shift = True

    async def _end_shift(self, session: Session, command: protocol.ShiftEnd) -> Answer:
        session.shift = False
        await self._help.end_shift(await self._person(session))
        await self._board.off_shift(session.id)
        return success(command)

    async def _accept(self, session: Session, command: protocol.OfferAccept) -> Answer:
        call = await self._help.accept(session.person, command.offer_id, command.accept_id)
        return success(command, call_id=call.id, request_id=call.request_id)

    async def _decline(self, session: Session, command: protocol.OfferDecline) -> Answer:
        await self._help.decline(session.person, command.offer_id)
        return success(command)

    async def _open(self, session: Session, command: protocol.OfferOpen) -> Answer:
        opened = await self._help.open_offer(session.person, command.offer_id)
        if opened.ring is not None:
            session.shown(opened.ring.offer_id)
            return success(command, open=True, request_id=opened.request.id, offer=opened.ring)
        gone: GoneReason = "taken" if opened.taken else "cancelled"
        return success(command, open=False, request_id=opened.request.id, gone=gone, points=opened.points or None)

    # --- the call

    def _live(self, session: Session, command: CallCommand) -> LiveCall:
        """The session's live call, which is the only one it may speak in. Raises `CallUnknown`."""
        if session.call is None or session.call.id != command.call_id:
            raise CallUnknown()
        return session.call

    async def _signal(self, session: Session, command: CallSignal) -> Answer:
        call = self._live(session, command)
        if command.generation < call.generation:
            raise SignalStale()
        payload = passed(command, call.role, self._turn.policy)
        call.generation = command.generation
        frame = b'{"type":"call.signal","call_id":"%b","generation":%d,%b}' % (
            str(call.id).encode(),
            command.generation,
            payload,
        )
        await self._bus.relay(Letter(call.partner, "call.signal", msgspec.Raw(frame), generation=command.generation))
        return success(command)

    async def _connected(self, session: Session, command: protocol.CallConnected) -> Answer:
        await self._help.connected(session.person, command.call_id)
        return success(command, call_id=command.call_id)

    async def _quality(self, session: Session, command: protocol.CallQuality) -> Answer:
        call = self._live(session, command)
        if command.round_trip is not None:
            QUALITY.labels(call.role, "round_trip").observe(command.round_trip)
        if command.lost is not None:
            QUALITY.labels(call.role, "lost").observe(command.lost)
        return success(command)

    async def _pass_on(self, session: Session, command: CallCommand) -> Answer:
        """Give the frame to the other side as it came, without the command's id."""
        call = self._live(session, command)
        fields: dict[str, Any] = msgspec.to_builtins(command)
        del fields["id"]
        name = str(command.__struct_config__.tag)
        await self._bus.relay(Letter(call.partner, name, msgspec.Raw(encode(fields))))
        return success(command)

    async def _pass_on_if_volunteer(self, session: Session, command: CallCommand) -> Answer:
        self._live(session, command).must_be(Role.VOLUNTEER)
        return await self._pass_on(session, command)

    async def _pass_on_if_caller(self, session: Session, command: CallCommand) -> Answer:
        self._live(session, command).must_be(Role.CALLER)
        return await self._pass_on(session, command)

    async def _restart(self, session: Session, command: protocol.CallRestart) -> Answer:
        call = self._live(session, command)
        await self._limits.check("restart", call.id, self._limit_settings.restarts_per_call)
        for person, role in ((session.person, call.role), (call.partner, call.role.other)):
            servers = self._turn.servers(call.id, role, self._now())
            await self._bus.tell(person, protocol.CallRestartEvent(call.id, servers, self._turn.policy))
        return success(command)

    async def _end(self, session: Session, command: protocol.CallEnd) -> Answer:
        ended = await self._help.hang_up(session.person, command.call_id, EndReason(command.reason))
        return success(command, call_id=ended.id)
