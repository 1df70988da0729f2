"""Where a volunteer stands in the candidate index, and when to look again. Pure: what Postgres knows in, a place out.

The index only suggests: whoever it holds by mistake is refused when they would ring, and whoever it lacks by mistake is
found again at the next look, a day later at most."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from uuid import UUID

import msgspec

from accounts.languages import spoken
from accounts.model import QuietWindow
from matching.model import Evidence
from matching.quiet import ahead_of_utc, is_quiet, next_change
from matching.responses import Prior, faded, posterior
from matching.settings import MatchingSettings


class Band(IntEnum):
    """What is known about a volunteer's readiness to answer; each band is a line of its own in the index."""

    NEW = 0
    """Hardly rung yet."""
    RARE = 1
    SOME = 2
    OFTEN = 3
    MOSTLY = 4
    """The few who answer many times as often as the rest: found in a large pool only if they have a line of their own.
    """


LITTLE = 3.0
"""Below this much exposure, and without an answer, a volunteer counts as new."""
RARE_BELOW = 0.7
OFTEN_FROM, OFTEN_AT_MOST = 2.0, 0.3
MOSTLY_FROM, MOSTLY_AT_MOST = 5.0, 0.5
"""This many times the population's mean; but a chance of so much is enough where everybody answers well."""


def band(evidence: Evidence, prior: Prior) -> Band:
    """The band of a volunteer: by the mean of what is known about them, compared with volunteers at large."""
    if evidence.exposure < LITTLE and evidence.yes < 0.5:
        return Band.NEW
    mean = posterior(evidence, prior).mean
    if mean < RARE_BELOW * prior.mean:
        return Band.RARE
    if mean >= min(MOSTLY_AT_MOST, MOSTLY_FROM * prior.mean):
        return Band.MOSTLY
    return Band.OFTEN if mean >= min(OFTEN_AT_MOST, OFTEN_FROM * prior.mean) else Band.SOME


def shares(at_most: int, settings: MatchingSettings) -> dict[Band, int]:
    """How many candidates a wave reads of each band, best first. What one cannot give, the next ones may."""
    weights = {
        Band.MOSTLY: settings.index_mostly,
        Band.OFTEN: settings.index_often,
        Band.SOME: settings.index_some,
        Band.NEW: settings.index_new,
        Band.RARE: settings.index_rare,
    }
    whole = sum(weights.values()) or 1
    found = {band: at_most * weight // whole for band, weight in weights.items()}
    found[Band.MOSTLY] += at_most - sum(found.values())
    return found


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What Postgres knew about a volunteer at `now`."""

    id: UUID
    now: datetime
    may_meet: bool
    languages: tuple[str, ...]
    muted: tuple[str, ...] = ()
    time_zone: str = "UTC"
    quiet_hours: tuple[QuietWindow, ...] = ()
    alerts_per_day: int = 2
    snoozed_until: datetime | None = None
    pushes: tuple[datetime, ...] = ()
    """Of the last 24 hours."""
    in_call: bool = False
    device: bool = True
    """Whether they have a device."""
    device_from: datetime | None = None
    """From when on one may be used; None: now."""
    evidence: Evidence = Evidence()
    evidence_at: datetime | None = None
    last_rung: datetime | None = None
    calls: int = 0
    trusted: bool = False


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a volunteer stands. Neither `stands` nor `waits`: nowhere, and nobody looks again by the clock."""

    id: UUID
    leaves: frozenset[str] = frozenset()
    """Languages whose lines they must not be found in."""
    stands: frozenset[str] = frozenset()
    """Languages for which they may be rung now."""
    waits: frozenset[str] = frozenset()
    """Languages for which they may be rung later."""
    look_at: float = 0.0
    """Unix time of the next look."""
    until: float = 0.0
    """Unix time until which they may be rung."""
    band: Band = Band.NEW
    trusted: bool = False
    evidence: Evidence = Evidence()
    last_rung: float = 0.0
    calls: int = 0
    offset: int = 0


IN_CALL = timedelta(minutes=15)
"""The end of a call is told; this is for the case that it was told to nobody."""
BUDGET = timedelta(hours=24)
QUARTER = 900


def place(facts: Facts, prior: Prior, look_every: float, also: Sequence[str] = ()) -> Place:
    """Where the volunteer stands at `facts.now`. `look_every`: seconds after which everybody is looked at again, about.
    `also`: languages in which they may be found, though they do not speak them any more."""
    muted = {spoken(tag) for tag in facts.muted}
    speaks = {spoken(tag) for tag in facts.languages} - muted
    leaves = frozenset((muted | {spoken(tag) for tag in also}) - speaks)
    if not facts.may_meet or not facts.device or facts.alerts_per_day <= 0 or not speaks:
        return Place(id=facts.id, leaves=leaves | speaks)
    latest = _at_the_latest(facts, look_every)
    awake_from = _awake_from(facts)
    if awake_from is not None:
        look = min(latest, _quarter(awake_from))
        return Place(id=facts.id, leaves=leaves, waits=frozenset(speaks), look_at=look)
    quiet_from = next_change(facts.quiet_hours, facts.time_zone, facts.now)
    until = latest + QUARTER if quiet_from is None else min(latest + QUARTER, quiet_from.timestamp())
    evidence = facts.evidence
    if facts.evidence_at is not None:
        evidence = faded(evidence, (facts.now - facts.evidence_at).total_seconds())
    return Place(
        id=facts.id,
        leaves=leaves,
        stands=frozenset(speaks),
        look_at=min(latest, _quarter(datetime.fromtimestamp(until, UTC))),
        until=until,
        band=band(evidence, prior),
        trusted=facts.trusted,
        evidence=evidence,
        last_rung=facts.last_rung.timestamp() if facts.last_rung else 0.0,
        calls=facts.calls,
        offset=ahead_of_utc(facts.time_zone, facts.now),
    )


def _awake_from(facts: Facts) -> datetime | None:
    """When everything that now forbids to ring is over, as far as the clock can tell; None if nothing does."""
    reasons = [facts.snoozed_until, facts.device_from]
    if facts.in_call:
        reasons.append(facts.now + IN_CALL)
    spent = [at + BUDGET for at in facts.pushes if at + BUDGET > facts.now]
    if len(spent) >= facts.alerts_per_day:
        reasons.append(sorted(spent)[-facts.alerts_per_day])
    if is_quiet(facts.quiet_hours, facts.time_zone, facts.now):
        # Quiet all week: look again when everybody is looked at again.
        reasons.append(next_change(facts.quiet_hours, facts.time_zone, facts.now) or facts.now + timedelta(days=7))
    return max((at for at in reasons if at is not None and at > facts.now), default=None)


def _quarter(moment: datetime) -> float:
    """The next full quarter of an hour: looks that come together cost less, and being found late costs nobody sleep."""
    return float(-(-moment.timestamp() // QUARTER) * QUARTER)


def _at_the_latest(facts: Facts, look_every: float) -> float:
    """Spread by id, so that a rebuild is not followed by another one of the same size a day later."""
    share = 0.75 + 0.25 * (facts.id.int >> 8 & 0xFF) / 256
    return _quarter(facts.now + timedelta(seconds=share * look_every))
