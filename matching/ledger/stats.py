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


class Sums(msgspec.Struct, frozen=True):
    """The requests of a time, added up. Counts of people are not more than there were."""

    callers: int
    volunteers: int
    """Who were rung."""
    requests: int
    calls: int
    """Requests that were answered."""
    p50: float
    """Seconds."""
    p95: float
    socket_alerts: int
    push_alerts: int
    socket_late: int
    push_late: int

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Of what these figures are: each must be large enough for them to be shown."""
        return self.callers, self.volunteers, self.calls


# Requests that are over or answered, with what became of them. A call that was given back answered nobody: its request
# went on waiting. $1 and $2 are the beginning and the end of the time, counted in seconds before now.
PAST = """
past AS MATERIALIZED (
    SELECT r.id, r.caller_id, split_part(r.languages[1], '-', 1) AS language, r.asked_at, c.id IS NOT NULL AS answered,
        coalesce(c.waited, r.waited_before + extract(epoch FROM r.closed_at - r.opened_at)::float8) AS waited
    FROM matching.request r LEFT JOIN matching.call c ON c.request_id = r.id AND NOT c.given_back
    WHERE r.asked_at >= now() - make_interval(secs => $1) AND r.asked_at < now() - make_interval(secs => $2)
      AND (c.id IS NOT NULL OR r.closed_at IS NOT NULL)
), rung AS MATERIALIZED (
    SELECT p.id, p.language, o.volunteer_id, o.channel, o.outcome
    FROM past p JOIN matching.offer o ON o.request_id = p.id
    WHERE o.outcome IS DISTINCT FROM 'failed'
)
"""

# Somebody who asked in two languages counts in the one they asked in most, so that people add up over languages.
SIZES = f"""
WITH {PAST}, callers AS (
    SELECT DISTINCT ON (caller_id) language
    FROM (SELECT caller_id, language, count(*) AS times FROM past GROUP BY caller_id, language) t
    ORDER BY caller_id, times DESC, language
), volunteers AS (
    SELECT DISTINCT ON (volunteer_id) language
    FROM (SELECT volunteer_id, language, count(*) AS times FROM rung GROUP BY volunteer_id, language) t
    ORDER BY volunteer_id, times DESC, language
)
SELECT p.language, count(*) FILTER (WHERE p.answered) AS calls,
    (SELECT count(*) FROM callers c WHERE c.language = p.language) AS callers,
    (SELECT count(*) FROM volunteers v WHERE v.language = p.language) AS volunteers
FROM past p GROUP BY p.language
"""


async def sizes(connection: Connection, seconds: float) -> dict[str, tuple[int, int, int]]:
    """(callers, volunteers, calls) of each language within the last `seconds`; every person counts once."""
    rows = await connection.fetch(SIZES, seconds, 0.0, timeout=PATIENCE)
    return {row["language"]: (row["callers"], row["volunteers"], row["calls"]) for row in rows}


_SUMS = """
count(DISTINCT p.caller_id) AS callers, count(*) AS requests, count(*) FILTER (WHERE p.answered) AS calls,
percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY p.waited) AS waits
"""
_RINGS = """
count(DISTINCT volunteer_id) AS volunteers,
count(*) FILTER (WHERE channel = 'socket') AS socket_alerts, count(*) FILTER (WHERE channel = 'push') AS push_alerts,
count(*) FILTER (WHERE channel = 'socket' AND outcome = 'late') AS socket_late,
count(*) FILTER (WHERE channel = 'push' AND outcome = 'late') AS push_late
"""
_COLUMNS = "volunteers", "socket_alerts", "push_alerts", "socket_late", "push_late"
_BESIDE = ", ".join(f"coalesce(r.{name}, 0) AS {name}" for name in _COLUMNS)

BY_LANGUAGE = f"""
WITH {PAST}, sums AS (
    SELECT CASE WHEN p.language = ANY($3) THEN p.language ELSE '{OTHER}' END AS part, {_SUMS}
    FROM past p GROUP BY GROUPING SETS ((1), ())
), rings AS (
    SELECT CASE WHEN language = ANY($3) THEN language ELSE '{OTHER}' END AS part, {_RINGS}
    FROM rung GROUP BY GROUPING SETS ((1), ())
)
SELECT s.part, s.callers, s.requests, s.calls, s.waits, {_BESIDE}
FROM sums s LEFT JOIN rings r ON r.part IS NOT DISTINCT FROM s.part
"""


async def by_language(
    connection: Connection, seconds: float, named: Iterable[str]
) -> tuple[Sums | None, dict[str, Sums]]:
    """All of the last `seconds`, and by language: those that are `named`, the rest together."""
    rows = await connection.fetch(BY_LANGUAGE, seconds, 0.0, list(named), timeout=PATIENCE)
    found = {row["part"]: _sums(row) for row in rows if row["requests"]}
    return found.pop(None, None), found


BY_DAY = f"""
WITH {PAST}, sums AS (
    SELECT (p.asked_at AT TIME ZONE 'UTC')::date AS part, {_SUMS} FROM past p GROUP BY 1
), rings AS (
    SELECT (p.asked_at AT TIME ZONE 'UTC')::date AS part, {_RINGS} FROM past p JOIN rung USING (id) GROUP BY 1
)
SELECT s.part, s.callers, s.requests, s.calls, s.waits, {_BESIDE} FROM sums s LEFT JOIN rings r USING (part)
"""
MIDNIGHT = (
    "SELECT extract(epoch FROM now() - date_trunc('day', now(), 'UTC'))::float8, (now() AT TIME ZONE 'UTC')::date"
)


async def by_day(connection: Connection, days: int) -> dict[date, Sums | None]:
    """The last `days` whole days (UTC), oldest first; None for one without a request."""
    since, today = await _today(connection)
    rows = await connection.fetch(BY_DAY, since + days * 86_400.0, since, timeout=PATIENCE)
    found = {row["part"]: _sums(row) for row in rows}
    return {day: found.get(day) for day in (today - timedelta(days=ago) for ago in range(days, 0, -1))}


async def _today(connection: Connection) -> tuple[float, date]:
    row = await connection.fetchrow(MIDNIGHT)
    assert row is not None
    return row[0], row[1]


def _sums(row: Row) -> Sums:
    p50, p95 = row["waits"]
    return Sums(
        row["callers"],
        row["volunteers"],
        row["requests"],
        row["calls"],
        p50,
        p95,
        row["socket_alerts"],
        row["push_alerts"],
        row["socket_late"],
        row["push_late"],
    )
