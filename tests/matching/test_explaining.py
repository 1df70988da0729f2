"""Why somebody was rung, in words."""

from __future__ import annotations

from random import Random
from typing import Any
from uuid import uuid4

import pytest

from matching import ranking
from matching.explaining import explained
from matching.model import Candidate, Channel, Evidence
from matching.responses import Population
from matching.settings import MatchingSettings
from matching.waves import Plan
from tests.matching.makers import request
from tests.matching.test_ranking import NOW

PLAN = Plan(hope=0.4, target=1.3, first=False, rings_at_most=5, widen=False, expired=(), again_in=1)


def told(calls: int = 0, **fields: Any) -> str:
    each = Candidate(id=uuid4(), channel=Channel.PUSH, calls=calls, **fields)
    (ranked,) = ranking.rank([each], 0, Population(), MatchingSettings(), NOW, Random(1))
    return "\n".join(explained(ranking.why(ranked, PLAN, request(waited=12.0), 2, 9, NOW)))


def test_of_somebody_new() -> None:
    words = told()
    assert "waited 12 s" in words
    assert "0.40 accepts could be expected, and 1.30 were wanted" in words
    assert "Of 9 who could be rung this volunteer was number 2" in words
    assert "Nothing was known about them yet" in words
    assert "had not been rung before" in words
    assert "0 calls" in words
    assert "ring" not in words.split("had not been rung before.")[1].split("A draw")[0], "nothing was ignored"


def test_of_somebody_known() -> None:
    words = told(5, evidence=Evidence(2.0, 7.0, 3), last_rung=NOW - 3 * 3600)
    assert "answered 2.0 of what counts as 7.0 rings" in words
    assert "rung 3.0 hours before" in words
    assert "The last 3 rings they had not answered" in words
    assert "5 calls" in words
    assert "counted 1.20 times" in words
    assert "The last ring they" in told(1, evidence=Evidence(0.0, 1.0, 1), last_rung=NOW - 60)


def test_of_a_call_back() -> None:
    (words,) = explained({"callback": True})
    assert "cut off" in words


@pytest.mark.parametrize("why", [{}, [], None, "text", {"chance": 0.1}, {"callback": "yes"}])
def test_of_what_is_not_understood(why: object) -> None:
    (words,) = explained(why)
    assert "another version" in words
