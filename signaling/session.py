"""One client's session: what outlives a socket. Pure: no I/O and no clock of its own; every method is told the time.

It counts events and keeps them until they are acknowledged, answers a repeated command as it did the first time, knows
which call its frames may belong to, and says when the socket under it has to be closed. The shell in `socket.py`
carries bytes and does what it is told."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec

from accounts.model import Role
from matching.errors import NotForRole
from signaling.codec import FrameRefused, decode, encode
from signaling.protocol import Ack, Answer, AnyCommand, Close, Command, Ok, Problem


class SessionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of a session. Times in seconds, sizes in bytes."""

    hello_within: float = 10
    heartbeat: float = 25
    """The server pings this often."""
    heartbeat_patience: float = 10
    """A ping that nothing answers for this long means the socket is dead."""
    frames_a_second: float = 50
    frames_at_once: float = 200
    answers_kept: int = 128
    events_kept: int = 256
    event_bytes_kept: int = 512 * 1024
    keys_kept: int = 64
    sockets_a_person: int = 3
    restart_spread: float = 2
    """Within this time everybody comes back when a node stops."""
    handover_time: float = 3
    """How much longer a node that stops waits for others to fetch its sessions."""


class LiveCall(msgspec.Struct):
    """The call that a session may speak in."""

    id: UUID
    partner: UUID
    role: Role
    fence: int
    generation: int = 0
    """The highest generation of offer that passed through, either way."""

    def must_be(self, role: Role) -> None:
        """Raises `NotForRole` for the other side."""
        if self.role is not role:
            raise NotForRole(role=role)


class Phase(StrEnum):
    """Where a session stands."""

    ATTACHED = "attached"
    DETACHED = "detached"
    """Without a socket; waits for a resume."""
    CLOSED = "closed"


class Perform(msgspec.Struct, frozen=True):
    """Carry out this command, then give its answer to `answered`."""

    command: AnyCommand


class Send(msgspec.Struct, frozen=True):
    """Write this frame."""

    frame: bytes


class Shut(msgspec.Struct, frozen=True):
    """Close the socket; the session lives on unless `code` says not to come back."""

    code: Close
    reason: str


class Ping(msgspec.Struct, frozen=True):
    """Send a ping."""


Effect = Perform | Send | Shut | Ping


class WrongPhase(Exception):
    """The shell asked for something that the session's phase does not allow."""

    def __init__(self, phase: Phase, wanted: str) -> None:
        super().__init__(f"{wanted} while {phase}")
        self.phase = phase


class Snapshot(msgspec.Struct, frozen=True):
    """A session on its way to another node."""

    id: UUID
    person: UUID
    seq: int
    events: list[tuple[int, msgspec.Raw]]
    answers: list[tuple[str, msgspec.Raw]]
    keys: list[UUID]
    offers: list[tuple[UUID, bool]]
    shift: bool
    call: LiveCall | None


class Session:
    """A session. `translate` turns a refused frame's English detail into the person's language."""

    def __init__(
        self,
        session_id: UUID,
        person: UUID,
        settings: SessionSettings,
        translate: Callable[[str], str] = lambda text: text,
    ) -> None:
        self.id = session_id
        self.person = person
        self.phase = Phase.DETACHED
        self.shift = False
        self.call: LiveCall | None = None
        self._ended: UUID | None = None
        self.seq = 0
        self._settings = settings
        self._translate = translate
        self._events: deque[tuple[int, bytes]] = deque()
        self._event_bytes = 0
        self._answers: OrderedDict[str, bytes | None] = OrderedDict()
        self._keys: OrderedDict[UUID, None] = OrderedDict()
        self._offers: OrderedDict[UUID, bool] = OrderedDict()
        self._tokens = settings.frames_at_once
        self._counted_at = 0.0
        self._heard_at = 0.0
        self._pinged_at: float | None = None
        self._ping_due = 0.0

    # --- the socket comes and goes

    def attach(self, now: float, jitter: float = 1.0) -> None:
        """A socket carries this session from now on; the first ping comes after `jitter` times the interval."""
        self._need(self.phase is not Phase.CLOSED, "attach")
        self.phase = Phase.ATTACHED
        self._heard_at = now
        self._counted_at = now
        self._tokens = self._settings.frames_at_once
        self._pinged_at = None
        self._ping_due = now + self._settings.heartbeat * jitter

    def detach(self) -> None:
        """The socket is gone."""
        if self.phase is Phase.ATTACHED:
            self.phase = Phase.DETACHED

    def close(self) -> None:
        """Nothing comes of this session any more."""
        self.phase = Phase.CLOSED

    def _need(self, allowed: bool, wanted: str) -> None:
        if not allowed:
            raise WrongPhase(self.phase, wanted)

    # --- frames from the client

    def receive(self, now: float, frame: str) -> Iterable[Effect]:
        """What a frame means."""
        self._need(self.phase is Phase.ATTACHED, "receive")
        self.heard(now)
        if not self._may_speak(now):
            return (Shut(Close.TOO_MANY_MESSAGES, "too many messages"),)
        try:
            command = decode(frame)
        except FrameRefused as refused:
            problem = Send(encode(Problem(refused.re, refused.code, self._translate(refused.detail))))
            return (problem, Shut(Close.BAD_FRAME, refused.code)) if refused.fatal else (problem,)
        if isinstance(command, Ack):
            self._free(command.seq)
            return ()
        if command.id in self._answers:
            earlier = self._answers[command.id]
            # None: it is being carried out, and its one answer is on the way.
            return (Send(earlier),) if earlier is not None else ()
        self._answers[command.id] = None
        return (Perform(command),)

    def answered(self, command: AnyCommand, answer: Answer) -> bytes:
        """The frame for a command's answer, kept for a repetition. "Not now" is not kept: the same command may be sent
        again later and then succeed."""
        frame = encode(answer)
        if isinstance(answer, Problem) and answer.retry_after is not None:
            self._answers.pop(command.id, None)
        else:
            self._answers[command.id] = frame
            while len(self._answers) > self._settings.answers_kept:
                self._answers.popitem(last=False)
        return frame

    def _may_speak(self, now: float) -> bool:
        settings = self._settings
        self._tokens = min(settings.frames_at_once, self._tokens + (now - self._counted_at) * settings.frames_a_second)
        self._counted_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    # --- events to the client

    def emit(self, payload: bytes, key: UUID | None = None) -> bytes | None:
        """The frame for an event, counted and kept; None if `key` says that it was emitted before. `payload` is the
        event as JSON, without `seq`. Without a socket the frame only waits for a resume."""
        self._need(self.phase is not Phase.CLOSED, "emit")
        if key is not None:
            if key in self._keys:
                return None
            self._keys[key] = None
            if len(self._keys) > self._settings.keys_kept:
                self._keys.popitem(last=False)
        self.seq += 1
        frame = b'{"seq":%d,%b' % (self.seq, payload[1:])
        self._events.append((self.seq, frame))
        self._event_bytes += len(frame)
        while len(self._events) > self._settings.events_kept or self._event_bytes > self._settings.event_bytes_kept:
            self._event_bytes -= len(self._events.popleft()[1])
        return frame

    def _free(self, seq: int) -> None:
        while self._events and self._events[0][0] <= min(seq, self.seq):
            self._event_bytes -= len(self._events.popleft()[1])

    def missed(self, seq: int) -> list[bytes] | None:
        """The events after `seq`; None if some are not kept any more, or if `seq` was never reached."""
        if seq > self.seq:
            return None
        frames = [frame for number, frame in self._events if number > seq]
        return frames if len(frames) == self.seq - seq else None

    # --- the call this session may speak in

    def begin_call(self, call: LiveCall) -> bool:
        """A call began; false if this session knows it already, or knows that it is over."""
        if call.id == self._ended or (self.call is not None and self.call.id == call.id):
            return False
        self.call = call
        return True

    def end_call(self, call_id: UUID) -> None:
        """A call ended."""
        self._ended = call_id
        if self.call is not None and self.call.id == call_id:
            self.call = None

    # --- the offers that ring on this page

    def rings(self, offer_id: UUID, *, off_shift: bool = False) -> bool:
        """An offer is to ring here; false if this page may not be rung, or if the offer was withdrawn before its ring
        came this far. With `off_shift` it rings on any page: somebody who was cut off calls back."""
        if not (self.shift or off_shift) or offer_id in self._offers:
            return False
        self._remember(offer_id, True)
        return True

    def withdrawn(self, offer_id: UUID) -> bool:
        """An offer is over; false if it never rang here."""
        rang = self._offers.get(offer_id, False)
        self._remember(offer_id, False)
        return rang

    def shown(self, offer_id: UUID) -> None:
        """The client has learned of an offer from its welcome."""
        self._remember(offer_id, True)

    def _remember(self, offer_id: UUID, rings: bool) -> None:
        self._offers[offer_id] = rings
        self._offers.move_to_end(offer_id)
        if len(self._offers) > self._settings.keys_kept:
            self._offers.popitem(last=False)

    # --- heartbeat

    def heard(self, now: float) -> None:
        """Anything came from the client, be it only a pong."""
        self._heard_at = now

    def beat(self, now: float) -> Ping | Shut | None:
        """What the heartbeat asks for now; to be called about once a second."""
        if self.phase is not Phase.ATTACHED:
            return None
        if self._pinged_at is not None:
            if self._heard_at >= self._pinged_at:
                self._pinged_at = None
            elif now - self._pinged_at >= self._settings.heartbeat_patience:
                return Shut(Close.NO_HEARTBEAT, "no heartbeat")
        if now >= self._ping_due and self._pinged_at is None:
            self._pinged_at = now
            self._ping_due = now + self._settings.heartbeat
            return Ping()
        return None

    # --- to another node

    def snapshot(self) -> Snapshot:
        """Everything another node needs to go on with this session. Commands in work are not in it: their answers
        would come to a socket that is gone."""
        return Snapshot(
            self.id,
            self.person,
            self.seq,
            [(number, msgspec.Raw(frame)) for number, frame in self._events],
            [(name, msgspec.Raw(frame)) for name, frame in self._answers.items() if frame is not None],
            list(self._keys),
            list(self._offers.items()),
            self.shift,
            self.call,
        )

    @classmethod
    def restored(cls, snapshot: Snapshot, settings: SessionSettings, **kwargs: Any) -> Session:
        """The session of a snapshot, without a socket."""
        session = cls(snapshot.id, snapshot.person, settings, **kwargs)
        session.seq = snapshot.seq
        session.shift = snapshot.shift
        session.call = snapshot.call
        session._events = deque((number, bytes(frame)) for number, frame in snapshot.events)
        session._event_bytes = sum(len(frame) for _, frame in session._events)
        session._answers = OrderedDict((name, bytes(frame)) for name, frame in snapshot.answers)
        session._keys = OrderedDict((key, None) for key in snapshot.keys)
        session._offers = OrderedDict(snapshot.offers)
        return session


def refusal(
    command: Command, code: str, detail: str, retry_after: float | None = None, points: int | None = None
) -> Problem:
    """The `problem` that answers a command."""
    return Problem(command.id, code, detail, retry_after, points)


def success(command: Command, **fields: Any) -> Ok:
    """The `ok` that answers a command."""
    return Ok(command.id, **fields)
