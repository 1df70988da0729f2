"""The shell around a session: carries frames between a WebSocket and the session, and does what the session says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable

import msgspec
import structlog
from aiohttp import WSCloseCode, WSMsgType, web

from accounts.errors import Barred, TokenInvalid, Unavailable, VisavisError
from accounts.model import Person
from matching.board import Board
from matching.service import HelpService
from matching.settings import MatchingSettings
from signaling.codec import HELLO, encode
from signaling.commands import Commands
from signaling.greeting import Greeted, Greeter
from signaling.i18n import words
from signaling.metrics import SOCKETS, SOCKETS_CLOSED
from signaling.middleware import language_of
from signaling.problems import ShuttingDown, TicketInvalid, TooManySockets, WrongOrigin, details
from signaling.protocol import FRAME_LIMIT, SUBPROTOCOL, Bye, Close, Hello, Problem
from signaling.session import Perform, Phase, Ping, Send, Session, SessionSettings, Shut
from signaling.switchboard import Switchboard

log = structlog.get_logger()

UNREAD_LIMIT = 256 * 1024
"""Bytes that may wait for a reader before it counts as too slow."""
CLOSE_PATIENCE = 2.0


class SocketLine:
    """The writing half of a socket. Frames of one turn of the event loop leave in one write.

    It writes RFC 6455 section 5.2 frames to the transport itself: aiohttp would take a task and a write for each."""

    def __init__(self, socket: web.WebSocketResponse, transport: asyncio.Transport) -> None:
        self._socket = socket
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._waiting: list[bytes] = []
        self._open = False
        self._closing: asyncio.Task[bool] | None = None
        self.closed_with: int | None = None

    def welcome(self, frames: Iterable[bytes]) -> None:
        """The session has begun: these frames first, then whatever it is told."""
        self._open = True
        for frame in frames:
            self._write(frame)

    def send(self, frame: bytes) -> None:
        if self._open:
            self._write(frame)

    def _write(self, frame: bytes) -> None:
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting.append(frame)

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        if not waiting or self._closing is not None or self._transport.is_closing():
            return
        self._transport.write(b"".join([_header(len(frame)) + frame for frame in waiting]))
        if self._transport.get_write_buffer_size() > UNREAD_LIMIT:
            self.shut(Close.SLOW_READER, "reads too slowly")

    def ping(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(b"\x89\x00")

    def pong(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(bytes((0x8A, len(data))) + data)

    def shut(self, code: int, reason: str) -> None:
        """Close with that code; the first one counts."""
        if self._closing is not None:
            return
        self._flush()
        if self._closing is not None:  # the flush found the reader too slow
            return
        self.closed_with = code
        self._closing = self._loop.create_task(self._socket.close(code=code, message=reason.encode()[:120]))
        # A reader that does not read does not close either.
        self._loop.call_later(CLOSE_PATIENCE, self._transport.abort)

    async def closed(self) -> None:
        """Wait until a close that was begun is done."""
        if self._closing is not None:
            await asyncio.wait([self._closing], timeout=CLOSE_PATIENCE)


def _header(length: int) -> bytes:
    """The header of an unmasked, final text frame."""
    if length < 126:
        return bytes((0x81, length))
    if length < 65_536:
        return b"\x81\x7e" + length.to_bytes(2, "big")
    return b"\x81\x7f" + length.to_bytes(8, "big")


class SocketServer:
    """All sockets of this node."""

    def __init__(
        self,
        greeter: Greeter,
        commands: Commands,
        help_service: HelpService,
        board: Board,
        switchboard: Switchboard,
        origins: tuple[str, ...],
        settings: SessionSettings,
        matching: MatchingSettings,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._greeter = greeter
        self._commands = commands
        self._help = help_service
        self._board = board
        self._switchboard = switchboard
        self._origins = frozenset(origins)
        self._settings = settings
        self._matching = matching
        self._clock = clock
        self._lines: set[SocketLine] = set()
        self._draining = False

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """`GET /v1/socket`."""
        # Browsers always send Origin, and no other guard keeps a foreign page from opening our socket in a visitor's
        # name (RFC 6455 section 10.2). Programs send none, and come with a ticket of their own.
        origin = request.headers.get("Origin")
        if origin is not None and origin not in self._origins:
            raise WrongOrigin()
        if self._draining:
            raise ShuttingDown(retry_after=1)
        socket = web.WebSocketResponse(
            protocols=(SUBPROTOCOL,),
            compress=False,
            autoping=False,
            max_msg_size=4 * FRAME_LIMIT,  # beyond our own limit, so that we choose the close code
            timeout=CLOSE_PATIENCE,
        )
        await socket.prepare(request)
        if socket.ws_protocol != SUBPROTOCOL:
            await socket.close(code=Close.WRONG_SUBPROTOCOL, message=f"speak {SUBPROTOCOL}".encode())
            return socket
        assert request.transport is not None
        line = SocketLine(socket, request.transport)
        self._lines.add(line)
        SOCKETS.inc()
        try:
            greeted = await self._greet(request, socket, line)
            if greeted is not None:
                await self._converse(greeted, socket, line)
        finally:
            SOCKETS.dec()
            self._lines.discard(line)
            await line.closed()
            SOCKETS_CLOSED.labels(str(line.closed_with or socket.close_code or WSCloseCode.ABNORMAL_CLOSURE)).inc()
        return socket

    async def _greet(self, request: web.Request, socket: web.WebSocketResponse, line: SocketLine) -> Greeted | None:
        language = words(language_of(request))
        try:
            message = await socket.receive(timeout=self._settings.hello_within)
        except TimeoutError:
            line.shut(Close.NO_HEARTBEAT, "no hello in time")
            return None
        if message.type is not WSMsgType.TEXT:
            if message.type is WSMsgType.BINARY:
                line.shut(Close.BAD_FRAME, "text frames only")
            return None
        if len(message.data.encode()) > FRAME_LIMIT:
            line.shut(Close.FRAME_TOO_LARGE, "frame too large")
            return None
        try:
            hello: Hello = HELLO.decode(message.data)
        except msgspec.MsgspecError as error:
            detail = language("The first frame must be “hello” with a ticket: %(why)s.", {"why": error})
            _refuse(line, "bad_frame", detail, Close.BAD_FRAME)
            return None
        try:
            greeted = await self._greeter.greet(hello, line)
        except VisavisError as error:
            problem = details(error, language)
            _refuse(line, problem.code, problem.detail, _close_code(error), problem.retry_after)
            return None
        line.welcome(greeted.first)
        return greeted

    async def _converse(self, greeted: Greeted, socket: web.WebSocketResponse, line: SocketLine) -> None:
        session = greeted.session
        try:
            async for message in socket:
                if self._switchboard.line_of(session) is not line:
                    break
                if message.type is WSMsgType.TEXT:
                    if len(message.data) > FRAME_LIMIT or len(message.data.encode()) > FRAME_LIMIT:
                        line.shut(Close.FRAME_TOO_LARGE, "frame too large")
                        break
                    await self._obey(session.receive(self._clock(), message.data), greeted, line)
                elif message.type is WSMsgType.PONG:
                    session.heard(self._clock())
                elif message.type is WSMsgType.PING:
                    session.heard(self._clock())
                    line.pong(message.data)
                elif message.type is WSMsgType.BINARY:
                    line.shut(Close.BAD_FRAME, "text frames only")
                    break
        finally:
            await self._leave(greeted.person, session, line)

    async def _obey(self, effects: Iterable[object], greeted: Greeted, line: SocketLine) -> None:
        session = greeted.session
        for effect in effects:
            match effect:
                case Send(frame):
                    line.send(frame)
                case Perform(command):
                    frame = session.answered(command, await self._commands.perform(session, command, greeted.words))
                    # By now a newer socket may carry this session.
                    current = self._switchboard.line_of(session)
                    if current is not None:
                        current.send(frame)
                case Shut(code, reason):
                    line.shut(code, reason)

    async def _leave(self, person: Person, session: Session, line: SocketLine) -> None:
        """The socket is gone."""
        still_ours = self._switchboard.disconnect(session, line)
        if line.closed_with is not None and line.closed_with >= 4400:
            self._switchboard.remove(session.id)
        try:
            away = await self._board.detach(person.id, session.id, self._matching.resume_window)
            if away and still_ours:
                await self._help.partner_away(person.id, True)
        except Unavailable:
            log.warning("socket.leave_unavailable")

    # --- tasks of this node

    async def beat_hearts(self) -> None:
        """Ping every session when it is due, until cancelled."""
        while True:
            now = self._clock()
            for session in self._switchboard.attached():
                effect = session.beat(now)
                line = self._switchboard.line_of(session)
                if isinstance(line, SocketLine):
                    if isinstance(effect, Ping):
                        line.ping()
                    elif isinstance(effect, Shut):
                        line.shut(effect.code, effect.reason)
            await asyncio.sleep(1)

    async def drain(self) -> None:
        """Say goodbye before this node stops: everybody comes back, elsewhere, within the restart spread. The sessions
        stay a moment, so that the nodes they go to can fetch them."""
        self._draining = True
        spread = self._settings.restart_spread
        sessions = self._switchboard.attached()
        for index, session in enumerate(sessions):
            after = round(spread * index / len(sessions), 2)
            frame = session.emit(encode(Bye("restart", "resume", after)))
            line = self._switchboard.line_of(session)
            if line is not None and frame is not None:
                line.send(frame)
        lines = list(self._lines)
        for each in lines:
            each.shut(WSCloseCode.SERVICE_RESTART, "restarting")
        await asyncio.gather(*(each.closed() for each in lines))
        try:
            alone = await self._board.nodes() <= {self._board.node}
        except Unavailable:
            alone = True
        until = self._clock() + spread + self._settings.handover_time
        # They leave one by one, through the bus.
        while not alone and any(s.phase is not Phase.CLOSED for s in sessions) and self._clock() < until:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


def _refuse(line: SocketLine, code: str, detail: str, close: Close, retry_after: float | None = None) -> None:
    line.welcome([encode(Problem(None, code, detail, retry_after))])
    line.shut(close, code)


def _close_code(error: VisavisError) -> Close:
    match error:
        case Barred():
            return Close.BANNED
        case TicketInvalid() | TokenInvalid():
            return Close.NOT_AUTHORISED
        case TooManySockets():
            return Close.TOO_MANY_SOCKETS
        case _:
            return Close.GOING_AWAY
