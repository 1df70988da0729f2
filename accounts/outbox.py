"""Messages that must leave the house exactly when a transaction commits: written in it, carried afterwards.

The node that commits carries its own rows at once; whoever sweeps carries what was left behind (a crash, a cache that
was away). A row may therefore be carried twice; its id lets the receiver act once."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec

from accounts.model import new_id
from accounts.postgres import Connection, Pool, borrowed


class Parcel(msgspec.Struct, frozen=True):
    """One row of the outbox."""

    id: UUID
    topic: str
    person_id: UUID | None
    payload: dict[str, object]


PUT = """
INSERT INTO accounts.outbox (id, topic, person_id, payload)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::jsonb[])
"""
LEFT_BEHIND = """
SELECT id, topic, person_id, payload FROM accounts.outbox
WHERE created_at < now() - make_interval(secs => $1)
ORDER BY created_at
LIMIT $2
"""
DONE = "DELETE FROM accounts.outbox WHERE id = ANY($1)"


async def put(connection: Connection, topic: str, payloads: Sequence[tuple[UUID | None, object]]) -> list[Parcel]:
    """Write one row for each (person, payload) in the caller's transaction."""
    parcels = [Parcel(new_id(), topic, person, msgspec.to_builtins(payload)) for person, payload in payloads]
    await connection.execute(
        PUT,
        [parcel.id for parcel in parcels],
        [parcel.topic for parcel in parcels],
        [parcel.person_id for parcel in parcels],
        [parcel.payload for parcel in parcels],
    )
    return parcels


async def left_behind(pool: Pool, older_than: float, at_most: int = 200) -> list[Parcel]:
    """Rows that nobody has carried within `older_than` seconds, oldest first."""
    async with borrowed(pool) as connection:
        rows = await connection.fetch(LEFT_BEHIND, older_than, at_most)
    return [Parcel(row["id"], row["topic"], row["person_id"], row["payload"]) for row in rows]


async def done(pool: Pool, ids: Sequence[UUID]) -> None:
    """Forget rows that were carried."""
    async with borrowed(pool) as connection:
        await connection.execute(DONE, list(ids))
