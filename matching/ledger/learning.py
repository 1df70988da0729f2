"""What rings have taught, in Postgres: evidence of each volunteer, and the population fitted to all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from accounts.postgres import Connection
from matching.model import Channel, Evidence, Outcome

Key = tuple[UUID, Channel]


class Ended(msgspec.Struct, frozen=True):
    """A ring whose outcome was not learned from yet."""

    offer_id: UUID
    volunteer_id: UUID
    channel: Channel
    outcome: Outcome
    exposure: float
    rang: float
    """Seconds."""
    again: bool
    """Its silence was learned from before."""


# Skip what another node is learning from in the same moment.
TAKE_ENDED = """
SELECT id, volunteer_id, channel, outcome, exposure, learned IS NOT NULL AS again,
    greatest(0, extract(epoch FROM answered_at - rung_at))::float8 AS rang
FROM matching.offer WHERE outcome IS NOT NULL AND learned IS DISTINCT FROM outcome
ORDER BY answered_at LIMIT $1 FOR UPDATE SKIP LOCKED
"""


async def take_ended(connection: Connection, at_most: int) -> list[Ended]:
    """Rings to learn from, oldest first, locked until the end of the transaction."""
    return [
        Ended(
            row["id"],
            row["volunteer_id"],
            Channel(row["channel"]),
            Outcome(row["outcome"]),
            row["exposure"],
            row["rang"],
            row["again"],
        )
        for row in await connection.fetch(TAKE_ENDED, at_most)
    ]


# The rows are made first and then locked in one order, so that two nodes that learn at once wait for each other.
MAKE_EVIDENCE = """
INSERT INTO matching.response (volunteer_id, channel)
SELECT * FROM unnest($1::uuid[], $2::text[]) ORDER BY 1, 2 ON CONFLICT DO NOTHING
"""
HELD_EVIDENCE = """
SELECT r.volunteer_id, r.channel, r.yes, r.exposure, r.ignored,
    greatest(0, extract(epoch FROM now() - r.as_of))::float8 AS age
FROM matching.response r JOIN unnest($1::uuid[], $2::text[]) AS k (volunteer_id, channel) USING (volunteer_id, channel)
ORDER BY r.volunteer_id, r.channel FOR UPDATE OF r
"""


async def held_evidence(connection: Connection, keys: Sequence[Key]) -> dict[Key, tuple[Evidence, float]]:
    """The evidence of each and its age in seconds, locked until the end of the transaction."""
    people, channels = [key[0] for key in keys], [key[1] for key in keys]
    await connection.execute(MAKE_EVIDENCE, people, channels)
    rows = await connection.fetch(HELD_EVIDENCE, people, channels)
    return {
        (row["volunteer_id"], Channel(row["channel"])): (
            Evidence(row["yes"], row["exposure"], row["ignored"]),
            row["age"],
        )
        for row in rows
    }


WRITE_EVIDENCE = """
UPDATE matching.response r SET yes = n.yes, exposure = n.exposure, ignored = n.ignored, as_of = now()
FROM unnest($1::uuid[], $2::text[], $3::float8[], $4::float8[], $5::smallint[])
    AS n (volunteer_id, channel, yes, exposure, ignored)
WHERE r.volunteer_id = n.volunteer_id AND r.channel = n.channel
"""
MARK_LEARNED = "UPDATE matching.offer SET learned = outcome WHERE id = ANY($1)"
IGNORED_AT_MOST = 1000


async def write_evidence(connection: Connection, evidence: Mapping[Key, Evidence], offer_ids: Sequence[UUID]) -> None:
    """Keep what was learned from these offers."""
    await connection.execute(
        WRITE_EVIDENCE,
        [key[0] for key in evidence],
        [key[1] for key in evidence],
        [each.yes for each in evidence.values()],
        [each.exposure for each in evidence.values()],
        [min(IGNORED_AT_MOST, each.ignored) for each in evidence.values()],
    )
    await connection.execute(MARK_LEARNED, list(offer_ids))


# --- the population

IN_FORCE = "SELECT id, model FROM matching.population ORDER BY id DESC LIMIT 1"


async def population_in_force(connection: Connection) -> tuple[int, object] | None:
    """The number of the latest fit, and the fit as JSON."""
    row = await connection.fetchrow(IN_FORCE)
    return (row["id"], row["model"]) if row else None


TRY_LOCK = "SELECT pg_try_advisory_xact_lock(hashtext('visavis.population'))"
IS_DUE = """
SELECT coalesce(max(fitted_at) < now() - make_interval(secs => $1), true) FROM matching.population
"""


async def is_due(connection: Connection, every: float) -> bool:
    """Whether the last fit is older than so many seconds, and nobody else makes a new one now; in a transaction."""
    return bool(await connection.fetchval(IS_DUE, every)) and bool(await connection.fetchval(TRY_LOCK))


class PastRing(msgspec.Struct, frozen=True):
    """A ring to fit the population to."""

    channel: Channel
    chance: float
    replied: bool
    seconds: float
    rung_at: datetime
    time_zone: str
    why: dict[str, object]


# Withdrawn rings of less than a second were seen by nobody.
PAST_RINGS = """
SELECT o.channel, o.chance, o.outcome IN ('accepted', 'late') AS replied, o.rung_at, p.time_zone, o.why,
    greatest(0, extract(epoch FROM o.answered_at - o.rung_at))::float8 AS seconds
FROM matching.offer o JOIN accounts.person p ON p.id = o.volunteer_id
WHERE o.outcome IN ('accepted', 'late', 'declined', 'ignored', 'withdrawn') AND o.chance > 0
  AND o.answered_at > o.rung_at + interval '1 s'
ORDER BY o.rung_at DESC LIMIT $1
"""


async def past_rings(connection: Connection, at_most: int) -> list[PastRing]:
    """The latest rings."""
    return [msgspec.convert(dict(row), PastRing) for row in await connection.fetch(PAST_RINGS, at_most)]


SOME_EVIDENCE = """
SELECT channel, yes, exposure, ignored FROM matching.response WHERE exposure > 0 ORDER BY as_of DESC LIMIT $1
"""


async def some_evidence(connection: Connection, at_most: int) -> list[tuple[Channel, Evidence]]:
    """The evidence of those who were rung last."""
    rows = await connection.fetch(SOME_EVIDENCE, at_most)
    return [(Channel(row["channel"]), Evidence(row["yes"], row["exposure"], row["ignored"])) for row in rows]


ADD_POPULATION = "INSERT INTO matching.population (rings, model) VALUES ($1, $2)"


async def add_population(connection: Connection, rings: int, model: object) -> None:
    """A new fit, in force from now on."""
    await connection.execute(ADD_POPULATION, rings, model)


WHY = """
SELECT o.why, o.chance, o.channel, o.outcome, o.rung_at FROM matching.offer o WHERE o.id = $1
"""


async def why(connection: Connection, offer_id: UUID) -> dict[str, object] | None:
    """What was thought of an offer when it was made, and what became of it."""
    row = await connection.fetchrow(WHY, offer_id)
    return dict(row) if row else None
