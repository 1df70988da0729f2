"""How long callers waited and how often volunteers were rung, over a time. Sums and percentiles only: no row of these
answers is about one person, and `matching/stats.py` sees to it that none is about a few."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

import msgspec

from accounts.postgres import Connection, Row
from matching.suppression import OTHER

PATIENCE = 20.0
"""Seconds a statement may take here; they look at a month, and nobody on the telephone waits for them."""


class Waits(msgspec.Struct, frozen=True):
    """The requests of a time, added up."""

    callers: int
    volunteers: int
    """Who answered them."""
    requests: int
    calls: int
    """Requests that were answered."""
    p50: float
    """Seconds."""
    p95: float

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Of what these figures are: each must be large enough for them to be shown."""
        return self.callers, self.volunteers, self.calls


class Rings(msgspec.Struct, frozen=True):
    """The rings for these requests, added up."""

    socket: int = 0
    push: int = 0
    socket_late: int = 0
    push_late: int = 0


# Requests that are over or answered, with what became of them. A call that was given back answered nobody: its request
# went on waiting. $1 and $2 are the beginning and the end of the time, in seconds before now.
PAST = """
past AS MATERIALIZED (
    SELECT r.id, r.caller_id, split_part(r.languages[1], '-', 1) AS language, r.asked_at, c.volunteer_id,
        coalesce(c.waited, r.waited_before + extract(epoch FROM r.closed_at - r.opened_at)::float8) AS waited
    FROM matching.request r LEFT JOIN matching.call c ON c.request_id = r.id AND NOT c.given_back
    WHERE r.asked_at >= now() - make_interval(secs => $1) AND r.asked_at < now() - make_interval(secs => $2)
      AND (c.id IS NOT NULL OR r.closed_at IS NOT NULL)
)
"""

# Somebody with calls in two languages counts in the one they had most in, so that people add up over languages.
SIZES = f"""
WITH {PAST}, callers AS (
    SELECT DISTINCT ON (caller_id) language
    FROM (SELECT caller_id, language, count(*) AS times FROM past GROUP BY caller_id, language) t
    ORDER BY caller_id, times DESC, language
), volunteers AS (
    SELECT DISTINCT ON (volunteer_id) language
    FROM (
        SELECT volunteer_id, language, count(*) AS times FROM past
        WHERE volunteer_id IS NOT NULL GROUP BY volunteer_id, language
    ) t
    ORDER BY volunteer_id, times DESC, language
)
SELECT p.language, count(p.volunteer_id) AS calls,
    (SELECT count(*) FROM callers c WHERE c.language = p.language) AS callers,
    (SELECT count(*) FROM volunteers v WHERE v.language = p.language) AS volunteers
FROM past p GROUP BY p.language
"""


async def sizes(connection: Connection, seconds: float) -> dict[str, tuple[int, int, int]]:
    """(callers, volunteers, calls) of each language within the last `seconds`; every person counts once."""
    rows = await connection.fetch(SIZES, seconds, 0.0, timeout=PATIENCE)
    return {row["language"]: (row["callers"], row["volunteers"], row["calls"]) for row in rows}


_WAITS = """
count(DISTINCT caller_id) AS callers, count(DISTINCT volunteer_id) AS volunteers, count(*) AS requests,
count(volunteer_id) AS calls, percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY waited) AS waits
"""
_RINGS = """
count(*) FILTER (WHERE o.channel = 'socket') AS socket, count(*) FILTER (WHERE o.channel = 'push') AS push,
count(*) FILTER (WHERE o.channel = 'socket' AND o.outcome = 'late') AS socket_late,
count(*) FILTER (WHERE o.channel = 'push' AND o.outcome = 'late') AS push_late
"""
_NAMED = f"CASE WHEN language = ANY($3) THEN language ELSE '{OTHER}' END"

BY_LANGUAGE = f"""
WITH {PAST}, waits AS (
    SELECT {_NAMED} AS part, {_WAITS} FROM past GROUP BY GROUPING SETS ((1), ())
), rings AS (
    SELECT {_NAMED} AS part, {_RINGS} FROM past p JOIN matching.offer o ON o.request_id = p.id
    WHERE o.outcome IS DISTINCT FROM 'failed' GROUP BY 1
)
SELECT w.*, r.socket, r.push, r.socket_late, r.push_late FROM waits w LEFT JOIN rings r USING (part)
"""


async def by_language(
    connection: Connection, seconds: float, named: Iterable[str]
) -> tuple[Waits | None, dict[str, tuple[Waits, Rings]]]:
    """The waits of the last `seconds`; waits and rings by language: those that are `named`, the rest together."""
    rows = await connection.fetch(BY_LANGUAGE, seconds, 0.0, list(named), timeout=PATIENCE)
    every = next((_waits(row) for row in rows if row["part"] is None and row["requests"]), None)
    return every, {
        row["part"]: (_waits(row), Rings(*(row[name] or 0 for name in Rings.__struct_fields__)))
        for row in rows
        if row["part"] is not None
    }


BY_DAY = f"WITH {PAST} SELECT (asked_at AT TIME ZONE 'UTC')::date AS part, {_WAITS} FROM past GROUP BY 1"
MIDNIGHT = (
    "SELECT extract(epoch FROM now() - date_trunc('day', now(), 'UTC'))::float8, (now() AT TIME ZONE 'UTC')::date"
)


async def by_day(connection: Connection, days: int) -> dict[date, Waits | None]:
    """The last `days` whole days (UTC), oldest first; None for one without a request."""
    row = await connection.fetchrow(MIDNIGHT)
    assert row is not None
    since, today = row
    rows = await connection.fetch(BY_DAY, since + days * 86_400.0, since, timeout=PATIENCE)
    found = {row["part"]: _waits(row) for row in rows}
    return {day: found.get(day) for day in (today - timedelta(days=ago) for ago in range(days, 0, -1))}


def _waits(row: Row) -> Waits:
    return Waits(row["callers"], row["volunteers"], row["requests"], row["calls"], *row["waits"])
