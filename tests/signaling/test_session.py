"""The session without a socket: counting, replay, repeated commands, the bucket, the heartbeat, the move."""

from __future__ import annotations

import uuid
from typing import Any

import msgspec
import pytest

from accounts.model import Role
from signaling.codec import encode
from signaling.protocol import Close, Ok, Problem
from signaling.session import (
    LiveCall,
    Perform,
    Phase,
    Ping,
    Send,
    Session,
    SessionSettings,
    Shut,
    Snapshot,
    WrongPhase,
)

SETTINGS = SessionSettings()


def session(**settings: Any) -> Session:
    made = Session(uuid.uuid4(), uuid.uuid4(), SessionSettings(**settings))
    made.attach(0.0)
    return made


def event(text: str = "x") -> bytes:
    return encode({"type": "call.text", "text": text})


def receive(made: Session, frame: object, now: float = 0.0) -> list[Any]:
    return list(made.receive(now, frame if isinstance(frame, str) else encode(frame).decode()))


def perform(made: Session, name: str = "1", now: float = 0.0) -> Any:
    (effect,) = receive(made, {"type": "shift.start", "id": name}, now)
    assert isinstance(effect, Perform)
    return effect.command


# --- events and replay


def test_events_count_up_from_one() -> None:
    made = session()
    frames = [made.emit(event()) for _ in range(3)]
    assert [msgspec.json.decode(frame or b"")["seq"] for frame in frames] == [1, 2, 3]


def test_what_was_not_seen_is_replayed_in_order_and_unchanged() -> None:
    made = session()
    frames = [made.emit(event(str(number))) for number in range(5)]
    assert made.missed(2) == frames[2:]
    assert made.missed(5) == []


def test_events_without_a_socket_wait_for_the_resume() -> None:
    made = session()
    made.detach()
    frame = made.emit(event())
    made.attach(10.0)
    assert made.missed(0) == [frame]


def test_an_ack_frees_what_it_names_and_no_resume_goes_behind_it() -> None:
    made = session()
    frames = [made.emit(event()) for _ in range(4)]
    assert receive(made, {"type": "ack", "seq": 3}) == []
    assert made.missed(3) == frames[3:]
    assert made.missed(2) is None


def test_an_ack_of_what_never_was_frees_only_what_was() -> None:
    made = session()
    made.emit(event())
    receive(made, {"type": "ack", "seq": 99})
    frame = made.emit(event())
    assert made.missed(1) == [frame]


def test_a_resume_from_the_future_is_no_resume() -> None:
    made = session()
    made.emit(event())
    assert made.missed(2) is None


@pytest.mark.parametrize("limits", [{"events_kept": 3}, {"event_bytes_kept": 150}])
def test_the_buffer_is_bounded_by_number_and_by_size(limits: dict[str, int]) -> None:
    made = session(**limits)
    for _ in range(50):
        made.emit(event("y" * 10))
    assert made.missed(46) is None
    assert len(made.missed(48) or []) == 2


def test_a_parcel_that_comes_twice_is_emitted_once() -> None:
    made, key = session(), uuid.uuid4()
    assert made.emit(event(), key) is not None
    assert made.emit(event(), key) is None
    assert made.seq == 1


# --- commands


def test_a_command_is_performed_once_and_its_repetition_gets_the_same_answer() -> None:
    made = session()
    command = perform(made)
    frame = made.answered(command, Ok("1"))
    assert receive(made, {"type": "shift.start", "id": "1"}) == [Send(frame)]


def test_a_repetition_while_the_command_is_at_work_is_silent() -> None:
    made = session()
    perform(made)
    assert receive(made, {"type": "shift.start", "id": "1"}) == []


def test_not_now_is_not_remembered() -> None:
    made = session()
    made.answered(perform(made), Problem("1", "unavailable", "…", 5))
    assert perform(made)


def test_a_refusal_is_remembered() -> None:
    made = session()
    frame = made.answered(perform(made), Problem("1", "wrong_role", "…"))
    assert receive(made, {"type": "shift.start", "id": "1"}) == [Send(frame)]


def test_answers_are_kept_in_a_bounded_number() -> None:
    made = session(answers_kept=2)
    for name in "abc":
        made.answered(perform(made, name), Ok(name))
    assert perform(made, "a")
    assert receive(made, {"type": "shift.start", "id": "c"})[0].frame == encode(Ok("c"))


@pytest.mark.parametrize(
    ("frame", "code", "fatal"),
    [
        ("not json", "bad_frame", True),
        ("[]", "bad_frame", True),
        ("12", "bad_frame", True),
        ('{"type":"help.ask"', "bad_frame", True),
        ({"type": "nonsense", "id": "7"}, "unknown_type", False),
        ({"id": "7"}, "unknown_type", False),
        ({"type": 3, "id": "7"}, "unknown_type", False),
        ({"type": "hello", "id": "7", "ticket": "x"}, "wrong_state", False),
        ({"type": "shift.start", "id": "7", "extra": 1}, "bad_field", False),
        ({"type": "shift.start", "id": ""}, "bad_field", False),
        ({"type": "shift.start", "id": "x" * 65}, "bad_field", False),
        ({"type": "shift.start"}, "bad_field", False),
        ({"type": "help.ask", "id": "7", "request_id": "no uuid"}, "bad_field", False),
        ({"type": "call.end", "id": "7", "call_id": str(uuid.uuid4()), "reason": "bored"}, "bad_field", False),
        ({"type": "ack", "seq": -1}, "bad_field", False),
    ],
)
def test_a_bad_frame_gets_a_code_and_a_sentence(frame: object, code: str, fatal: bool) -> None:
    effects = receive(session(), frame)
    problem = msgspec.json.decode(effects[0].frame)
    assert problem["type"] == "problem"
    assert problem["code"] == code
    assert len(problem["detail"]) > 10
    assert problem["re"] == ("7" if isinstance(frame, dict) and frame.get("id") == "7" else None)
    assert [type(effect) for effect in effects[1:]] == ([Shut] if fatal else [])
    assert not fatal or effects[1].code is Close.BAD_FRAME


# --- the bucket and the heart


def test_too_many_messages_close_the_socket_and_patience_helps() -> None:
    made = session(frames_at_once=3, frames_a_second=1)
    assert [len(receive(made, {"type": "ack", "seq": 0})) for _ in range(3)] == [0, 0, 0]
    assert receive(made, {"type": "ack", "seq": 0}) == [Shut(Close.TOO_MANY_MESSAGES, "too many messages")]
    assert receive(made, {"type": "ack", "seq": 0}, now=1.0) == []
    assert receive(made, {"type": "ack", "seq": 0}, now=1.5) != []


def test_the_bucket_holds_no_more_than_its_size() -> None:
    made = session(frames_at_once=2, frames_a_second=10)
    results = [receive(made, {"type": "ack", "seq": 0}, now=1000.0) for _ in range(3)]
    assert [bool(effects) for effects in results] == [False, False, True]


def test_the_heart_beats_and_silence_kills() -> None:
    made = Session(uuid.uuid4(), uuid.uuid4(), SETTINGS)
    made.attach(0.0, jitter=0.5)
    first = SETTINGS.heartbeat * 0.5
    assert made.beat(first - 0.1) is None
    assert made.beat(first) == Ping()
    assert made.beat(first + SETTINGS.heartbeat_patience - 0.1) is None
    assert made.beat(first + SETTINGS.heartbeat_patience) == Shut(Close.NO_HEARTBEAT, "no heartbeat")


def test_any_sign_of_life_counts() -> None:
    made = session()
    assert made.beat(SETTINGS.heartbeat) == Ping()
    made.heard(SETTINGS.heartbeat + 1)
    assert made.beat(SETTINGS.heartbeat + SETTINGS.heartbeat_patience + 1) is None
    assert made.beat(2 * SETTINGS.heartbeat) == Ping()


def test_without_a_socket_nothing_beats() -> None:
    made = session()
    made.detach()
    assert made.beat(10_000.0) is None


# --- phases, calls, moves


def test_what_the_phase_does_not_allow_is_refused() -> None:
    made = session()
    made.detach()
    with pytest.raises(WrongPhase):
        receive(made, {"type": "ack", "seq": 0})
    made.close()
    with pytest.raises(WrongPhase):
        made.attach(0.0)
    with pytest.raises(WrongPhase):
        made.emit(event())
    assert made.phase is Phase.CLOSED


def live(call_id: uuid.UUID | None = None) -> LiveCall:
    return LiveCall(call_id or uuid.uuid4(), uuid.uuid4(), Role.CALLER, 1)


def test_a_call_begins_once_and_does_not_come_back_from_the_dead() -> None:
    made, call = session(), live()
    assert made.begin_call(call)
    assert not made.begin_call(live(call.id))
    made.end_call(call.id)
    assert made.call is None
    assert not made.begin_call(live(call.id))
    assert made.begin_call(live())


def test_the_end_of_another_call_leaves_this_one() -> None:
    made, call = session(), live()
    made.begin_call(call)
    made.end_call(uuid.uuid4())
    assert made.call is call


def test_a_session_moves_to_another_node_with_everything() -> None:
    made, key = session(), uuid.uuid4()
    made.shift = True
    made.begin_call(live())
    frames = [made.emit(event()), made.emit(event(), key)]
    answer = made.answered(perform(made), Ok("1"))
    wire = encode(made.snapshot())
    moved = Session.restored(msgspec.json.decode(wire, type=Snapshot), SETTINGS)
    moved.attach(0.0)
    assert (moved.id, moved.person, moved.seq, moved.shift) == (made.id, made.person, 2, True)
    assert moved.call == made.call
    assert moved.missed(0) == frames
    assert moved.emit(event(), key) is None
    assert receive(moved, {"type": "shift.start", "id": "1"}) == [Send(answer)]


def test_a_command_at_work_does_not_move() -> None:
    made = session()
    perform(made)
    moved = Session.restored(made.snapshot(), SETTINGS)
    moved.attach(0.0)
    assert perform(moved)
