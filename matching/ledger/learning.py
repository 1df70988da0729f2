"""What rings have taught, in Postgres: evidence of each volunteer, and the population fitted to all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

import msgspec

from accounts.postgres import Connection, Row
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
    """Its silence was learned from before: an offer that had ended may be opened yet, or answered late."""


# Skip what another node is learning from in the same moment.
TAKE_ENDED = """
SELECT id, volunteer_id, channel, outcome, exposure, coalesce(learned <> 'failed', false) AS again,
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


IS_DUE = """
SELECT coalesce(max(fitted_at) < now() - make_interval(secs => $1), true) FROM matching.population
"""


async def is_due(connection: Connection, every: float) -> bool:
    """Whether the last fit is older than so many seconds."""
    return bool(await connection.fetchval(IS_DUE, every))


TRY_LOCK = "SELECT pg_try_advisory_lock(hashtext('visavis.population'))"
UNLOCK = "SELECT pg_advisory_unlock(hashtext('visavis.population'))"


@asynccontextmanager
async def fitting_alone(connection: Connection) -> AsyncIterator[bool]:
    """Whether nobody else fits the population, until the end of the block. The lock is the session's, not a
    transaction's: a fit takes seconds, and no transaction is to stay open for so long."""
    if not await connection.fetchval(TRY_LOCK):
        yield False
        return
    try:
        yield True
    finally:
        if not connection.is_closed():
            try:
                await connection.execute(UNLOCK)
            except BaseException:
                connection.terminate()  # the lock goes with it, and does not stay in the pool
                raise


class PastRing(msgspec.Struct, frozen=True):
    """A ring to fit the population to."""

    channel: Channel
    chance: float
    replied: bool
    seconds: float
    rung_at: datetime
    time_zone: str
    why: str
    """As JSON."""


# Withdrawn rings of less than a second were seen by nobody. The JSON is read beside the loop, with the rest.
PAST_RINGS = """
SELECT o.channel, o.chance, o.outcome IN ('accepted', 'late') AS replied, o.rung_at, p.time_zone, o.why::text AS why,
    greatest(0, extract(epoch FROM o.answered_at - o.rung_at))::float8 AS seconds
FROM matching.offer o JOIN accounts.person p ON p.id = o.volunteer_id
WHERE o.outcome IN ('accepted', 'late', 'declined', 'ignored', 'withdrawn') AND o.chance > 0
  AND o.answered_at > o.rung_at + interval '1 s'
ORDER BY o.rung_at DESC LIMIT $1
"""


async def past_rings(connection: Connection, at_most: int) -> list[Row]:
    """The latest rings, each for `past_ring`."""
    return list(await connection.fetch(PAST_RINGS, at_most))


def past_ring(row: Row) -> PastRing:
    """The ring of a row."""
    return PastRing(
        Channel(row["channel"]),
        row["chance"],
        row["replied"],
        row["seconds"],
        row["rung_at"],
        row["time_zone"],
        row["why"],
    )


# By their rings, for which there is an index: with millions of volunteers their evidence is not sorted in time.
SOME_EVIDENCE = """
SELECT r.channel, r.yes, r.exposure, r.ignored
FROM (
    SELECT DISTINCT volunteer_id, channel
    FROM (SELECT o.volunteer_id, o.channel FROM matching.offer o ORDER BY o.rung_at DESC LIMIT $1) latest
) rung JOIN matching.response r USING (volunteer_id, channel)
WHERE r.exposure > 0
"""


async def some_evidence(connection: Connection, at_most: int) -> list[tuple[Channel, Evidence]]:
    """The evidence of those who were rung last."""
    rows = await connection.fetch(SOME_EVIDENCE, at_most)
    return [(Channel(row["channel"]), Evidence(row["yes"], row["exposure"], row["ignored"])) for row in rows]


ADD_POPULATION = "INSERT INTO matching.population (rings, model) VALUES ($1, $2)"


async def add_population(connection: Connection, rings: int, model: object) -> None:
    """A new fit, in force from now on."""
    await connection.execute(ADD_POPULATION, rings, model)


class Made(msgspec.Struct, frozen=True):
    """An offer that was made: what was thought of it then, and what became of it."""

    offer_id: UUID
    request_id: UUID
    volunteer_id: UUID
    channel: Channel
    outcome: Outcome | None
    rung_at: datetime
    seconds: float | None
    """Until its outcome."""
    why: object


WHY = """
SELECT o.id AS offer_id, o.request_id, o.volunteer_id, o.channel, o.outcome, o.rung_at,
    extract(epoch FROM o.answered_at - o.rung_at)::float8 AS seconds, o.why
FROM matching.offer o WHERE o.id = $1
"""


async def why(connection: Connection, offer_id: UUID) -> Made | None:
    """An offer, and why it was made."""
    row = await connection.fetchrow(WHY, offer_id)
    return msgspec.convert(dict(row), Made) if row else None
