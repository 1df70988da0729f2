"""Says in plain English, for an operator, why a volunteer was rung. Pure: kept terms of a score in, sentences out."""

from __future__ import annotations

import msgspec


class Why(msgspec.Struct, frozen=True):
    """The terms that `ranking.why` keeps with an offer."""

    chance: float
    drawn: float
    hour: float
    tired: float
    since: float | None
    ignored: int
    answers: float
    exposure: float
    calls: int
    rested: float
    uncalled: float
    fits: float
    score: float
    place: int
    among: int
    hope: float
    target: float
    waited: float


class Callback(msgspec.Struct, frozen=True):
    """What is kept of a ring that the caller of a dropped call had asked for."""

    callback: bool


def explained(why: object) -> list[str]:
    """Sentences, from what decided most to the least; one alone where nothing that can be understood was kept."""
    try:
        if msgspec.convert(why, Callback).callback:
            return [
                "The caller had been cut off from this volunteer and wanted them back: they were rung first, alone."
            ]
    except msgspec.ValidationError:
        pass
    try:
        terms = msgspec.convert(why, Why)
    except msgspec.ValidationError:
        return ["Why was not kept: another version of visavis has made this offer."]
    return [*_need(terms), *_place(terms), *_chance(terms), *_preferences(terms)]


def _need(why: Why) -> list[str]:
    return [
        f"The caller had waited {why.waited:.0f} s. Of those who were being rung {why.hope:.2f} accepts could be"
        f" expected, and {why.target:.2f} were wanted."
    ]


def _place(why: Why) -> list[str]:
    return [f"Of {why.among} who could be rung this volunteer was number {why.place}, with a score of {why.score:.4f}."]


def _chance(why: Why) -> list[str]:
    known = (
        f"They had answered {why.answers:.1f} of what counts as {why.exposure:.1f} rings."
        if why.exposure > 0
        else "Nothing was known about them yet: what holds for volunteers at large was taken."
    )
    tired = (
        "They had not been rung before."
        if why.since is None
        else f"They had been rung {_ago(why.since)} before, which left {_percent(why.tired)} of their readiness."
    )
    found = [
        f"The chance that they would accept was taken to be {_percent(why.chance)}.",
        known,
        f"The hour of their day made it {why.hour:.2f} of what it is in a usual one.",
        tired,
    ]
    if why.ignored:
        found.append(f"The last {why.ignored} rings they had not answered." if why.ignored > 1 else LAST)
    found.append(
        f"A draw from all it may be, so that those little is known about get their turn, gave {_percent(why.drawn)}."
    )
    return found


LAST = "The last ring they had not answered."


def _preferences(why: Why) -> list[str]:
    calls = "1 call" if why.calls == 1 else f"{why.calls} calls"
    found = [
        f"They have had {calls}. That they had not been rung for long counted {_percent(why.rested)}, that they had had"
        f" no call for long {_percent(why.uncalled)}."
    ]
    if why.fits > 1:
        found.append(f"One of the two is new and the other experienced, which counted {why.fits:.2f} times.")
    return found


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _ago(seconds: float) -> str:
    for unit, size in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{max(0.0, seconds):.0f} seconds"
