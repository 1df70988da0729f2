"""Law of the session: whatever drops, moves and repeats, a client that follows the protocol sees every event once, in
order, and every command has one effect and one answer."""

from __future__ import annotations

import uuid

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from signaling.codec import encode
from signaling.protocol import Ok
from signaling.session import Perform, Phase, Send, Session, SessionSettings, Snapshot

SETTINGS = SessionSettings(events_kept=12, frames_at_once=10**6, answers_kept=50)


class ClientAndSession(RuleBasedStateMachine):
    """A client over a network that loses sockets at any point, and a session that wanders between nodes."""

    def __init__(self) -> None:
        super().__init__()
        self.session = Session(uuid.uuid4(), uuid.uuid4(), SETTINGS)
        self.session.attach(0.0)
        self.emitted: list[int] = []
        self.keys: list[uuid.UUID] = []
        self.seen: list[int] = []
        self.seq = 0
        self.effects: dict[str, int] = {}
        self.answers: dict[str, bytes] = {}

    def _hear(self, frame: bytes | None) -> None:
        if frame is None or self.session.phase is not Phase.ATTACHED:
            return
        event = msgspec.json.decode(frame)
        assert event["seq"] == self.seq + 1, "an event was lost or came twice"
        self.seq = event["seq"]
        self.seen.append(event["number"])

    def _emit(self, key: uuid.UUID | None) -> None:
        number = len(self.emitted)
        payload = encode({"type": "x", "number": number})
        before = self.session.seq
        frame = self.session.emit(payload, key)
        if self.session.seq > before:
            self.emitted.append(number)
        self._hear(frame)

    @rule()
    def event(self) -> None:
        self._emit(None)

    @rule()
    def parcel(self) -> None:
        key = uuid.uuid4()
        self.keys.append(key)
        self._emit(key)

    @precondition(lambda self: self.keys)
    @rule()
    def parcel_again(self) -> None:
        before = len(self.emitted)
        self._emit(self.keys[-1])
        assert len(self.emitted) == before

    @precondition(lambda self: self.session.phase is Phase.ATTACHED)
    @rule(name=st.sampled_from("abcdef"), answer_arrives=st.booleans())
    def command(self, name: str, answer_arrives: bool) -> None:
        for effect in self.session.receive(0.0, encode({"type": "shift.start", "id": name}).decode()):
            match effect:
                case Perform(command):
                    self.effects[name] = self.effects.get(name, 0) + 1
                    frame = self.session.answered(command, Ok(name, request_id=uuid.uuid4()))
                    if answer_arrives:
                        self.answers[name] = frame
                case Send(frame):
                    assert self.answers.setdefault(name, frame) == frame

    @precondition(lambda self: self.session.phase is Phase.ATTACHED)
    @rule()
    def ack(self) -> None:
        list(self.session.receive(0.0, encode({"type": "ack", "seq": self.seq}).decode()))

    @precondition(lambda self: self.session.phase is Phase.ATTACHED)
    @rule(lost=st.integers(0, 3))
    def drop(self, lost: int) -> None:
        """The socket drops with the last events still on the wire."""
        unheard = min(lost, len(self.seen), self.seq)
        self.session.detach()
        held = self.session.missed(self.seq - unheard)
        if held is not None:  # what the client has acknowledged, it has
            self.seq -= unheard
            del self.seen[len(self.seen) - unheard :]

    @precondition(lambda self: self.session.phase is Phase.DETACHED)
    @rule(moves=st.booleans())
    def resume(self, moves: bool) -> None:
        if moves:
            wire = encode(self.session.snapshot())
            self.session = Session.restored(msgspec.json.decode(wire, type=Snapshot), SETTINGS)
        missed = self.session.missed(self.seq)
        if missed is None:
            # Too much was missed: a fresh session and the whole present instead.
            self.session = Session(uuid.uuid4(), uuid.uuid4(), SETTINGS)
            self.session.attach(0.0)
            self.seq, self.effects, self.answers, self.keys = 0, {}, {}, []
            self.seen = list(self.emitted)
            return
        self.session.attach(0.0)
        for frame in missed:
            self._hear(frame)

    @invariant()
    def one_effect(self) -> None:
        assert all(count == 1 for count in self.effects.values())

    @invariant()
    def everything_in_order(self) -> None:
        if self.session.phase is Phase.ATTACHED:
            assert self.seen == self.emitted


ClientAndSession.TestCase.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
TestSessionLaw = ClientAndSession.TestCase
