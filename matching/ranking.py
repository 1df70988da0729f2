"""Whom to ring first. Pure: candidates in, the ones to ring out, each with the terms of its score.

The chance of an accept is drawn from what is known (Thompson sampling): of somebody little is known about, the draw is
now high, now low, so newcomers get their turn, and more of them the less is known. Among like chances, whoever was rung
longest ago and whoever has not had a call yet come first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random
from typing import Any

import msgspec

from accounts.languages import spoken
from matching.model import Candidate, Request, Volunteer
from matching.responses import Chance, Population, chance
from matching.settings import MatchingSettings
from matching.waves import Plan, Tier, worth


def shared(request: Request, volunteer: Volunteer) -> tuple[str, ...]:
    """The caller's languages that the volunteer speaks too and has not muted, in the caller's order."""
    speaks = {spoken(tag) for tag in volunteer.languages} - {spoken(tag) for tag in volunteer.muted}
    return tuple(tag for tag in request.languages if spoken(tag) in speaks)


def keys(request: Request, tier: Tier) -> tuple[str, ...]:
    """The languages under which the candidates of a tier are kept."""
    tags = request.languages[:1] if tier is Tier.FIRST else request.languages[1:]
    return tuple(dict.fromkeys(spoken(tag) for tag in tags))


class Ranked(msgspec.Struct, frozen=True):
    """A candidate with its place in the order."""

    candidate: Candidate
    chance: Chance
    rested: float
    """1 for somebody who was never rung or not for a month, 0 right after a ring."""
    uncalled: float
    """The same of calls."""
    fits: float
    """What the experience of the two makes of it."""
    score: float


PRICED = 10
"""Of the best candidates, those whose mean chance says what a ring is worth."""
MONTH = 30 * 86_400.0


def rank(
    candidates: Iterable[Candidate],
    caller_calls: int,
    population: Population,
    settings: MatchingSettings,
    now: float,
    random: Random,
    at_most: int | None = None,
) -> list[Ranked]:
    """The candidates, best first; only the first `at_most`, if so many are enough. `caller_calls`: calls the caller has
    had; `now`: Unix time."""
    explore, spare_rung, spare_called = settings.explore, settings.spare_rung, settings.spare_called
    scored = []
    for candidate in candidates:
        thought = chance(candidate, population, now, random)
        believed = thought.mean + explore * (thought.drawn - thought.mean)
        rested = _since(candidate.last_rung, now)
        uncalled = _since(candidate.last_call, now)
        spared = (1.0 - spare_rung * (1.0 - rested)) * (1.0 - spare_called * (1.0 - uncalled))
        fits = _fits(caller_calls, candidate.calls, settings)
        scored.append((believed * spared * fits, candidate, thought, rested, uncalled, fits))
    scored.sort(key=_by_score, reverse=True)
    return [
        Ranked(candidate, thought, rested, uncalled, fits, score)
        for score, candidate, thought, rested, uncalled, fits in scored[:at_most]
    ]


def _by_score(scored: tuple[float, Any, Any, float, float, float]) -> float:
    return scored[0]


def _since(last: float, now: float) -> float:
    """0 just now, 1 a month ago and before, or never."""
    return min(1.0, max(0.0, now - last) / MONTH) if last > 0 else 1.0


def _fits(caller_calls: int, volunteer_calls: int, settings: MatchingSettings) -> float:
    """New callers meet experienced volunteers, and new volunteers experienced callers."""
    alike = (caller_calls < settings.new_until) == (volunteer_calls < settings.new_until)
    return 1.0 if alike else settings.prefer_new_with_experienced


def wanted(ranked: Sequence[Ranked], plan: Plan) -> float:
    """The hope there should be: the plan's, at the first wave by what a ring of the best is worth."""
    best = ranked[:PRICED]
    if not plan.first or not best:
        return plan.target
    return plan.target * worth(sum(each.chance.mean for each in best) / len(best))


def fill(ranked: Sequence[Ranked], plan: Plan) -> list[Ranked]:
    """The first of `ranked` that together bring the hope a plan misses; the last one only if it brings it nearer."""
    missing = wanted(ranked, plan) - plan.hope
    chosen: list[Ranked] = []
    for each in ranked[: plan.rings_at_most]:
        if missing < each.chance.mean / 2:
            break
        chosen.append(each)
        missing -= each.chance.mean
    return chosen


def why(each: Ranked, plan: Plan, request: Request, place: int, among: int, now: float) -> dict[str, object]:
    """The terms of an offer's score, to be kept with it: what was believed of the volunteer, why this one stood at
    `place` (from 1) `among` so many, and how much hope was missing."""
    candidate, chance = each.candidate, each.chance
    return {
        "chance": round(chance.mean, 4),
        "drawn": round(chance.drawn, 4),
        "hour": round(chance.hour, 4),
        "tired": round(chance.tired, 4),
        "since": round(now - candidate.last_rung, 1) if candidate.last_rung > 0 else None,
        "ignored": candidate.evidence.ignored,
        "answers": round(candidate.evidence.yes, 2),
        "exposure": round(candidate.evidence.exposure, 2),
        "calls": candidate.calls,
        "rested": round(each.rested, 3),
        "uncalled": round(each.uncalled, 3),
        "fits": round(each.fits, 3),
        "score": round(each.score, 4),
        "place": place,
        "among": among,
        "hope": round(plan.hope, 3),
        "target": round(plan.target, 3),
        "waited": round(request.waited, 1),
    }
