"""Whose turn it is after a dropped call."""

from __future__ import annotations

import uuid

import msgspec
import pytest

from matching.callback import Turn, whose_turn
from matching.model import Outcome
from tests.matching.makers import offer, request

THEM = uuid.uuid4()


def test_an_ordinary_request_is_anybodys() -> None:
    assert whose_turn(request(), [], 20) is Turn.ANYBODY


def test_they_are_rung_before_anybody() -> None:
    assert whose_turn(request(callback=THEM), [], 20) is Turn.RING_THEM


@pytest.mark.parametrize(
    ("age", "outcome", "turn"),
    [
        (0, None, Turn.WAIT_FOR_THEM),
        (19.9, None, Turn.WAIT_FOR_THEM),
        (20, None, Turn.ANYBODY),
        *((1, outcome, Turn.ANYBODY) for outcome in Outcome),
    ],
)
def test_they_ring_alone_until_they_answer_or_for_a_while(age: float, outcome: Outcome | None, turn: Turn) -> None:
    theirs = msgspec.structs.replace(offer(age, outcome), volunteer_id=THEM)
    assert whose_turn(request(callback=THEM), [theirs], 20) is turn


def test_it_never_comes_back_to_them() -> None:
    assert whose_turn(request(callback=THEM, front=True), [], 20) is Turn.ANYBODY
