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


class Band(IntEnum):
    """What is known about a volunteer's readiness to answer; each band is a line of its own in the index. They are
    narrow above the middle: within a line whoever was rung longest ago stands first, so from a wide one a large pool
    would give the average of those in it and not the best."""

    NEW = 0
    """Hardly rung yet."""
    RARE = 1
    SOME = 2
    FAIR = 3
    OFTEN = 4
    MOSTLY = 5
    ALWAYS = 6


LITTLE = 3.0
"""Below this much exposure, and without an answer, a volunteer counts as new."""
FROM = {
    Band.ALWAYS: (6.5, 0.6),
    Band.MOSTLY: (4.0, 0.45),
    Band.OFTEN: (2.5, 0.3),
    Band.FAIR: (1.5, 0.2),
    Band.SOME: (0.7, 0.1),
}
"""Times the population's mean from which on a band begins; but where everybody answers well, a chance of so much is
enough."""
SHARES = {
    Band.ALWAYS: 32,
    Band.MOSTLY: 24,
    Band.OFTEN: 24,
    Band.FAIR: 16,
    Band.NEW: 20,
    Band.SOME: 8,
    Band.RARE: 4,
}
"""Of 128 candidates that a wave reads, so many of each band, best first. What one cannot give, the others may."""


def band(evidence: Evidence, prior: Prior) -> Band:
    """The band of a volunteer: by the mean of what is known about them, compared with volunteers at large."""
    if evidence.exposure < LITTLE and evidence.yes < 0.5:
        return Band.NEW
    mean = posterior(evidence, prior).mean
    for each, (times, enough) in FROM.items():
        if mean >= min(times * prior.mean, enough):
            return each
    return Band.RARE


def shares(at_most: int) -> dict[Band, int]:
    """How many candidates a wave reads of each band, best first."""
    whole = sum(SHARES.values())
    found = {band: at_most * share // whole for band, share in SHARES.items()}
    found[Band.ALWAYS] += at_most - sum(found.values())
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
