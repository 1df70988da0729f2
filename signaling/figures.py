"""What the staff's page counts."""

from __future__ import annotations

import msgspec

from accounts.postgres import Connection, Row


class Counts(msgspec.Struct, frozen=True):
    """How many, at this moment and of late."""

    callers: int
    volunteers: int
    waiting: int
    calls_today: int
    reports_this_week: int


COUNTS = """
SELECT
    (SELECT count(*) FROM accounts.person WHERE role = 'caller' AND erased_at IS NULL) AS callers,
    (SELECT count(*) FROM accounts.person WHERE role = 'volunteer' AND erased_at IS NULL) AS volunteers,
    (SELECT count(*) FROM matching.request WHERE state = 'open') AS waiting,
    (SELECT count(*) FROM matching.call
        WHERE connected_at IS NOT NULL AND claimed_at > now() - interval '1 day') AS calls_today,
    (SELECT count(*) FROM rating.report WHERE reported_at > now() - interval '7 days') AS reports_this_week
"""


async def counts(connection: Connection) -> Counts:
    row = await connection.fetchrow(COUNTS)
    assert row is not None
    return Counts(**dict(row))


LIVE = """
SELECT c.state, c.claimed_at, extract(epoch FROM now() - c.claimed_at)::float8 AS lasting, r.languages
FROM matching.call c JOIN matching.request r ON r.id = c.request_id
WHERE c.state <> 'ended' ORDER BY c.claimed_at LIMIT 100
"""


async def live(connection: Connection) -> list[Row]:
    """Calls that go on now, longest first. Who is in them is nobody's business here."""
    return await connection.fetch(LIVE)
