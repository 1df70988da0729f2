"""The pairs that never meet again."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from accounts.postgres import Connection

# The rows of both people are held, so that a claim is either over before this pair counts or sees it.
HOLD = "SELECT id FROM accounts.person WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE"


async def hold(connection: Connection, people: Sequence[UUID]) -> None:
    """Let no claim of these people begin until this transaction is over."""
    await connection.fetch(HOLD, list(people))


WISH = """
INSERT INTO matching.never_again (one, other, set_by)
VALUES (least($1::uuid, $2::uuid), greatest($1::uuid, $2::uuid), ARRAY[$1::uuid])
ON CONFLICT (one, other) DO UPDATE SET set_by = array_append(never_again.set_by, $1::uuid)
WHERE NOT $1::uuid = ANY(never_again.set_by)
"""
UNWISH = """
UPDATE matching.never_again SET set_by = array_remove(set_by, $1::uuid)
WHERE one = least($1::uuid, $2::uuid) AND other = greatest($1::uuid, $2::uuid)
"""
FORGET = """
DELETE FROM matching.never_again
WHERE one = least($1::uuid, $2::uuid) AND other = greatest($1::uuid, $2::uuid) AND set_by = '{}'
"""


async def set_wish(connection: Connection, person_id: UUID, other: UUID, wished: bool) -> None:
    """Whether this person wishes never to meet the other again; the pair is apart while either of them does."""
    await hold(connection, [person_id, other])
    if wished:
        await connection.execute(WISH, person_id, other)
    else:
        await connection.execute(UNWISH, person_id, other)
        await connection.execute(FORGET, person_id, other)


WISHED = """
SELECT CASE WHEN one = $1 THEN other ELSE one END AS other FROM matching.never_again
WHERE (one = $1 OR other = $1) AND $1 = ANY(set_by)
"""


async def wished_by(connection: Connection, person_id: UUID) -> set[UUID]:
    """Everybody this person wishes never to meet again."""
    return {row["other"] for row in await connection.fetch(WISHED, person_id)}
