"""Who is rung first, and that every choice can explain itself."""

from __future__ import annotations

import uuid
from random import Random
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from matching import ranking, waves
from matching.model import Candidate, Channel, Evidence
from matching.ranking import Ranked
from matching.responses import Population
from matching.settings import MatchingSettings
from matching.waves import Plan, Tier
from tests.matching.makers import request, volunteer

NOW = 1_795_867_200.0  # noon in UTC
DAY = 86_400.0
SETTINGS = MatchingSettings()
PEOPLE = Population()


def candidate(yes: float = 0, exposure: float = 0, **others: Any) -> Candidate:
    return Candidate(id=uuid.uuid4(), channel=Channel.PUSH, evidence=Evidence(yes, exposure), **others)


def rank(*candidates: Candidate, caller_calls: int = 10, seed: int = 1, **changes: Any) -> list[Ranked]:
    settings = msgspec.structs.replace(SETTINGS, **changes)
    return ranking.rank(candidates, caller_calls, PEOPLE, settings, NOW, Random(seed))


def first(*candidates: Candidate, **others: Any) -> Candidate:
    return rank(*candidates, explore=0.0, **others)[0].candidate


# --- languages


def test_languages_are_matched_by_what_is_spoken() -> None:
    asked = request(languages=("pt-BR", "en"))
    assert ranking.shared(asked, volunteer("pt-PT")) == ("pt-BR",)
    assert ranking.shared(asked, volunteer("en-GB", "pt")) == ("pt-BR", "en")
    assert ranking.shared(asked, volunteer("fr")) == ()


def test_a_muted_language_is_not_shared() -> None:
    asked = request(languages=("pt-BR", "en"))
    assert ranking.shared(asked, msgspec.structs.replace(volunteer("en", "pt"), muted=("pt-PT",))) == ("en",)
    assert ranking.shared(asked, msgspec.structs.replace(volunteer("en"), muted=("en",))) == ()


def test_the_first_tier_is_the_first_language() -> None:
    asked = request(languages=("pt-BR", "en", "en-GB", "fr"))
    assert ranking.keys(asked, Tier.FIRST) == ("pt",)
    assert ranking.keys(asked, Tier.SECOND) == ("en", "fr")


# --- the order


def test_who_answers_more_often_comes_first() -> None:
    often, seldom = candidate(6, 10), candidate(1, 10)
    assert first(seldom, often) is often


def test_among_alike_whoever_was_rung_longest_ago_comes_first() -> None:
    old, fresh = (candidate(3, 10, last_rung=NOW - days * DAY) for days in (60, 10))
    assert first(fresh, old) is old


def test_among_alike_whoever_waits_for_a_call_comes_first() -> None:
    waits, had = candidate(3, 10, calls=5), candidate(3, 10, calls=5, last_call=NOW - DAY)
    assert first(had, waits) is waits


def test_a_new_caller_meets_an_experienced_volunteer_and_the_other_way_round() -> None:
    new, experienced = candidate(3, 10, calls=0), candidate(3, 10, calls=40)
    assert first(new, experienced, caller_calls=0) is experienced
    assert first(new, experienced, caller_calls=40) is new


def test_a_ring_an_hour_ago_counts_against_and_rings_ignored_more() -> None:
    rested = candidate(3, 10, last_rung=NOW - 20 * DAY)
    tired = candidate(3, 10, last_rung=NOW - 3600)
    fed_up = msgspec.structs.replace(tired, evidence=Evidence(3, 10, ignored=4))
    order = [each.candidate for each in rank(fed_up, tired, rested, explore=0.0)]
    assert order == [rested, tired, fed_up]


def test_the_evening_is_better_than_the_night() -> None:
    evening, night = candidate(3, 10, offset=8 * 3600), candidate(3, 10, offset=-9 * 3600)
    assert first(night, evening) is evening


def test_newcomers_get_their_chance_by_thompson_sampling() -> None:
    proven, new = candidate(20, 200), candidate()
    wins = sum(rank(proven, new, explore=1.0, seed=seed)[0].candidate is new for seed in range(400))
    assert 20 < wins < 300
    assert all(rank(proven, new, explore=0.0, seed=n)[0].candidate is proven
               for n in range(20))  # fmt: skip


# --- as many as it takes


def plan(target: float, hope: float = 0.0, rings_at_most: int = 30, *, is_first: bool = False) -> Plan:
    return Plan(hope, target, is_first, rings_at_most, False, (), 1.0)


def test_rings_until_the_hope_is_there() -> None:
    ranked = rank(*(candidate(5, 10) for _ in range(20)), explore=0.0)
    each = ranked[0].chance.mean
    assert len(ranking.fill(ranked, plan(each * 4))) == 4
    assert len(ranking.fill(ranked, plan(each * 4, hope=each * 3))) == 1
    assert len(ranking.fill(ranked, plan(each * 0.4))) == 0, "a ring that overshoots by more than it brings"
    assert len(ranking.fill(ranked, plan(100.0, rings_at_most=7))) == 7


def test_the_first_wave_sees_what_a_ring_is_worth() -> None:
    ranked = rank(*(candidate(9, 10) for _ in range(20)), explore=0.0)
    plain, priced = (len(ranking.fill(ranked, plan(1.0, is_first=is_first))) for is_first in (False, True))
    assert priced > plain
    assert waves.worth(ranked[0].chance.mean) > 1


candidates = st.lists(
    st.builds(
        candidate,
        yes=st.floats(0, 20),
        exposure=st.floats(0, 40),
        last_rung=st.sampled_from([0.0, NOW - 60, NOW - DAY, NOW - 90 * DAY, NOW + DAY]),
        last_call=st.sampled_from([0.0, NOW - DAY]),
        calls=st.integers(0, 300),
        offset=st.integers(-43_200, 50_400),
    ),
    max_size=60,
)


@given(candidates, st.floats(0, 5), st.integers(0, 30), st.integers(0, 5))
def test_a_choice_is_sound_and_explains_itself(some: list[Candidate], target: float, most: int, calls: int) -> None:
    ranked = rank(*some, caller_calls=calls)
    assert sorted(each.candidate.id for each in ranked) == sorted(each.id for each in some)
    assert [each.score for each in ranked] == sorted((each.score for each in ranked), reverse=True)
    assert all(0 <= each.chance.mean <= 1 and 0 <= each.chance.drawn <= 1 for each in ranked)
    wave = plan(target, rings_at_most=most)
    chosen = ranking.fill(ranked, wave)
    assert chosen == ranked[: len(chosen)]
    assert len(chosen) <= most
    brought = sum(each.chance.mean for each in chosen)
    assert brought <= target + max((each.chance.mean for each in chosen), default=0) / 2 + 1e-9
    for place, each in enumerate(chosen, 1):
        told = ranking.why(each, wave, request(waited=3.0), place, len(ranked), NOW)
        assert msgspec.json.decode(msgspec.json.encode(told)) == told
        assert {
            "chance",
            "drawn",
            "hour",
            "tired",
            "rested",
            "uncalled",
            "fits",
            "score",
            "hope",
            "target",
        } <= told.keys()
