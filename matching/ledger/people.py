"""How many people there are, what they speak, and how long volunteers wait for their first call."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from accounts.postgres import Connection
from matching.ledger.stats import PATIENCE
from matching.responses import Prior
from matching.suppression import OTHER


class People(msgspec.Struct, frozen=True):
    """Everybody with a complete profile, and the calls they had."""

    callers: int
    volunteers: int
    calls: int
    """That were connected."""


PEOPLE = """
SELECT count(*) FILTER (WHERE role = 'caller') AS callers, count(*) FILTER (WHERE role = 'volunteer') AS volunteers,
    (SELECT count(*) FROM matching.call WHERE connected_at IS NOT NULL) AS calls
FROM accounts.person WHERE completed_at IS NOT NULL AND erased_at IS NULL
"""


async def people(connection: Connection) -> People:
    row = await connection.fetchrow(PEOPLE, timeout=PATIENCE)
    assert row is not None
    return People(**dict(row))


CALLS_SINCE = """
SELECT count(*) FROM matching.request r JOIN matching.call c ON c.request_id = r.id
WHERE r.asked_at >= now() - make_interval(secs => $1) AND c.connected_at IS NOT NULL
"""


async def calls_since(connection: Connection, seconds: float) -> int:
    """Calls that were connected, of requests of the last `seconds`."""
    return int(await connection.fetchval(CALLS_SINCE, seconds, timeout=PATIENCE))


SPOKEN = """
SELECT t.language FROM (
    SELECT DISTINCT p.id, split_part(tag, '-', 1) AS language FROM accounts.person p, unnest(p.languages) AS tag
    WHERE p.role = 'volunteer' AND p.completed_at IS NOT NULL AND p.erased_at IS NULL
) t GROUP BY t.language HAVING count(*) >= $1 ORDER BY count(*) DESC, t.language
"""


async def spoken_by(connection: Connection, at_least: int) -> list[str]:
    """The languages that `at_least` so many volunteers speak, most of them first."""
    return [row["language"] for row in await connection.fetch(SPOKEN, at_least, timeout=PATIENCE)]


class Willing(msgspec.Struct, frozen=True):
    """Volunteers who are willing, and those of them who have had a call."""

    willing: int
    helped: int


# Willing is who has answered a ring, or whose chance to answer one is thought to be a tenth or more after at least
# one ring: the mean of the posterior in matching/responses.py, by the population's priors for a page and for a push.
WILLING = f"""
WITH willing AS (
    SELECT split_part(p.languages[1], '-', 1) AS language,
        EXISTS (SELECT 1 FROM matching.call c WHERE c.volunteer_id = p.id AND c.connected_at IS NOT NULL) AS helped
    FROM accounts.person p
    WHERE p.role = 'volunteer' AND p.completed_at IS NOT NULL AND p.erased_at IS NULL AND EXISTS (
        SELECT 1
        FROM matching.response e, (VALUES ('socket', $2::float8, $3::float8), ('push', $4, $5)) AS o (channel, a, b)
        WHERE e.volunteer_id = p.id AND o.channel = e.channel AND (e.yes > 0 OR (
            e.exposure >= 1 AND (o.a + e.yes) / (o.a + e.yes + o.b + greatest(0, e.exposure - e.yes)) >= 0.1)))
)
SELECT CASE WHEN $1::text[] IS NULL OR language = ANY($1) THEN language ELSE '{OTHER}' END AS language,
    count(*) AS willing, count(*) FILTER (WHERE helped) AS helped
FROM willing GROUP BY 1
"""


async def willing(
    connection: Connection, socket: Prior, push: Prior, named: Iterable[str] | None = None
) -> dict[str, Willing]:
    """Willing volunteers by first language; if some are `named`, the rest together."""
    names = None if named is None else list(named)
    rows = await connection.fetch(WILLING, names, socket.a, socket.b, push.a, push.b, timeout=PATIENCE)
    return {row["language"]: Willing(row["willing"], row["helped"]) for row in rows}


FIRST_CALLS = """
SELECT count(*) AS volunteers, count(*) FILTER (WHERE EXISTS (
    SELECT 1 FROM matching.call c WHERE c.volunteer_id = p.id AND c.connected_at < p.completed_at + interval '30 days'
)) AS called
FROM accounts.person p
WHERE p.role = 'volunteer' AND p.erased_at IS NULL AND p.completed_at <= now() - interval '30 days'
"""


async def first_calls(connection: Connection) -> tuple[int, int]:
    """(volunteers who came 30 days ago or earlier, those of them who had a call within their first 30 days)."""
    row = await connection.fetchrow(FIRST_CALLS, timeout=PATIENCE)
    assert row is not None
    return row["volunteers"], row["called"]
