"""What the candidate index is made of: everything that decides whether a volunteer may be rung on a sleeping device."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from uuid import UUID

import msgspec

from accounts.model import QuietWindow
from accounts.postgres import Connection, Row
from matching.ledger import CALLS, MAY_MEET, TRUSTED
from matching.model import Evidence
from matching.placement import Facts

# `now` is when the statement began, before its snapshot was taken: whoever was told of a change asks after it.
_COLUMNS = f"""
p.id, statement_timestamp() AS now, {MAY_MEET} AS may_meet, p.languages, p.muted_languages, p.time_zone,
    p.quiet_hours::text AS quiet_hours, p.alerts_per_day, p.snoozed_until,
    r.yes, r.exposure, r.ignored, r.as_of, h.calls, {TRUSTED} AS trusted, d.devices, d.ready, d.ready_at,
    ARRAY(
        SELECT o.rung_at FROM matching.offer o WHERE o.volunteer_id = p.id AND o.channel = 'push'
          AND o.outcome IS DISTINCT FROM 'failed' AND o.rung_at > statement_timestamp() - interval '24 hours'
    ) AS pushes,
    (SELECT max(o.rung_at) FROM matching.offer o WHERE o.volunteer_id = p.id) AS last_rung,
    EXISTS (SELECT FROM matching.call c WHERE c.volunteer_id = p.id AND c.state <> 'ended') AS in_call
"""
# Row by row, whatever the planner thinks of the tables: a page of a large table must not read all of another one.
_SOURCE = f"""
FROM whom CROSS JOIN LATERAL (SELECT * FROM accounts.person p WHERE p.id = whom.id OFFSET 0) p
LEFT JOIN LATERAL (
    SELECT * FROM matching.response r WHERE r.volunteer_id = p.id AND r.channel = 'push' OFFSET 0
) r ON true
{CALLS}CROSS JOIN LATERAL (
    SELECT count(*) AS devices, min(d.retry_at) AS ready_at,
        count(*) FILTER (WHERE d.retry_at IS NULL OR d.retry_at <= statement_timestamp()) AS ready
    FROM accounts.device d WHERE d.person_id = p.id
) d
"""


@lru_cache(maxsize=4096)
def _windows(text: str) -> tuple[QuietWindow, ...]:
    return tuple(msgspec.json.decode(text, type=list[QuietWindow]))


def _facts(row: Row) -> Facts:
    return Facts(
        id=row["id"],
        now=row["now"],
        may_meet=row["may_meet"],
        languages=tuple(row["languages"]),
        muted=tuple(row["muted_languages"]),
        time_zone=row["time_zone"],
        quiet_hours=_windows(row["quiet_hours"]),
        alerts_per_day=row["alerts_per_day"],
        snoozed_until=row["snoozed_until"],
        pushes=tuple(row["pushes"]),
        in_call=row["in_call"],
        device=row["devices"] > 0,
        device_from=None if row["ready"] else row["ready_at"],
        evidence=Evidence() if row["yes"] is None else Evidence(row["yes"], row["exposure"], row["ignored"]),
        evidence_at=row["as_of"],
        last_rung=row["last_rung"],
        calls=row["calls"],
        trusted=row["trusted"],
    )


FACTS_OF = f"""
WITH whom AS MATERIALIZED (SELECT unnest($1::uuid[]) AS id)
SELECT {_COLUMNS} {_SOURCE}
WHERE p.role = 'volunteer'
"""


async def facts_of(connection: Connection, volunteers: Sequence[UUID]) -> list[Facts]:
    """What is known about those of them who are volunteers."""
    return [_facts(row) for row in await connection.fetch(FACTS_OF, list(volunteers))]


# By page and not by one cursor: each page sees the present, and no snapshot is held for minutes.
FACTS_AFTER = f"""
WITH whom AS MATERIALIZED (
    SELECT p.id FROM accounts.person p
    WHERE p.id > $1 AND p.role = 'volunteer' AND {MAY_MEET} AND p.alerts_per_day > 0
      AND EXISTS (SELECT FROM accounts.device d WHERE d.person_id = p.id OFFSET 0)
      AND ($2::text[] IS NULL OR EXISTS (SELECT FROM unnest(p.languages) l WHERE split_part(l, '-', 1) = ANY($2)))
    ORDER BY p.id LIMIT $3
)
SELECT {_COLUMNS} {_SOURCE}
ORDER BY p.id
"""


async def facts_after(
    connection: Connection, after: UUID, languages: Sequence[str] | None, at_most: int
) -> list[Facts]:
    """The next volunteers by id who can be reached, of these languages (`spoken`) or of all."""
    found = await connection.fetch(FACTS_AFTER, after, None if languages is None else list(languages), at_most)
    return [_facts(row) for row in found]


TRY_LOCK = "SELECT pg_try_advisory_lock(hashtext('visavis.index'))"
UNLOCK = "SELECT pg_advisory_unlock(hashtext('visavis.index'))"
