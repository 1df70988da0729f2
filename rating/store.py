"""The SQL of ratings, reports and awards."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from accounts.model import new_id
from accounts.postgres import Connection, Row
from rating.model import Award, Kind, Rating
from rating.points import CallHistory

RATE = """
INSERT INTO rating.rating (call_id, rater_id, about_id, outcome, conduct, technical, comment)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (call_id, rater_id) DO UPDATE SET outcome = excluded.outcome, conduct = excluded.conduct,
    technical = excluded.technical, comment = excluded.comment, changed_at = now()
"""


async def rate(connection: Connection, call_id: UUID, rater: UUID, about: UUID, rating: Rating) -> None:
    await connection.execute(
        RATE, call_id, rater, about, rating.outcome, rating.conduct, rating.technical, rating.comment
    )


# A report that "end, block, report" opened may be completed by its reporter; any other stands as it is.
REPORT = """
INSERT INTO rating.report AS r (id, call_id, reporter_id, subject_id, kind, severity, text)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT ON CONSTRAINT report_once_per_call DO UPDATE
SET kind = excluded.kind, severity = excluded.severity, text = excluded.text, changed_at = now()
WHERE r.kind = 'abuse' AND r.text IS NULL
RETURNING id
"""


async def report(
    connection: Connection, call_id: UUID, reporter: UUID, subject: UUID, kind: Kind, text: str | None
) -> UUID | None:
    """The report's id; None if this person has reported the call already."""
    reported: UUID | None = await connection.fetchval(
        REPORT, new_id(), call_id, reporter, subject, kind, kind.severity, text
    )
    return reported


REPORTS_TODAY = """
SELECT count(*) FROM rating.report WHERE reporter_id = $1 AND reported_at > now() - interval '1 day' AND call_id <> $2
"""


async def reports_today(connection: Connection, reporter: UUID, except_call: UUID) -> int:
    return int(await connection.fetchval(REPORTS_TODAY, reporter, except_call))


# One volunteer's awards are settled one after the other, or two calls that end at once would each count as the first.
HOLD = "SELECT pg_advisory_xact_lock(hashtextextended('award ' || $1::text, 0))"

CALL_HISTORY = """
SELECT
    count(*) FILTER (WHERE c.caller_id = $2 AND a.at > now() - make_interval(secs => $3)) AS with_this_caller,
    count(*) FILTER (WHERE a.at > now() - interval '1 day') AS today,
    count(*) AS ever
FROM rating.award a JOIN matching.call c ON c.id = a.call_id
WHERE a.person_id = $1 AND a.kind = 'call'
"""


async def call_history(connection: Connection, volunteer: UUID, caller: UUID, pair_window: float) -> CallHistory:
    """What a volunteer's ledger holds, locked until the end of the transaction."""
    await connection.execute(HOLD, str(volunteer))
    row = await connection.fetchrow(CALL_HISTORY, volunteer, caller, pair_window)
    assert row is not None
    return CallHistory(row["with_this_caller"], row["today"], row["ever"])


STANDBYS_TODAY = """
SELECT count(*) FROM rating.award WHERE person_id = $1 AND kind = 'standby' AND at > now() - interval '1 day'
"""


async def standbys_today(connection: Connection, volunteer: UUID) -> int:
    await connection.execute(HOLD, str(volunteer))
    return int(await connection.fetchval(STANDBYS_TODAY, volunteer))


AWARD = """
INSERT INTO rating.award (id, person_id, kind, points, call_id, offer_id) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT DO NOTHING
RETURNING points
"""


async def award(
    connection: Connection,
    person: UUID,
    awards: Sequence[Award],
    *,
    call_id: UUID | None = None,
    offer_id: UUID | None = None,
) -> int:
    """Add awards; one that was given already is not given again. Returns the points that were added."""
    added = 0
    for each in awards:
        added += await connection.fetchval(AWARD, new_id(), person, each.kind, each.points, call_id, offer_id) or 0
    return added


REVERSE = """
INSERT INTO rating.award (id, person_id, kind, points, call_id, reverses)
SELECT gen_random_uuid(), a.person_id, 'reversal', -a.points, a.call_id, a.id
FROM rating.award a
WHERE a.call_id = $1 AND a.person_id = $2 AND a.kind <> 'reversal' AND a.points > 0
ON CONFLICT (reverses) DO NOTHING
"""


async def reverse(connection: Connection, call_id: UUID, person: UUID) -> None:
    """Take back what a call earned this person."""
    await connection.execute(REVERSE, call_id, person)


BALANCE = "SELECT coalesce(sum(points), 0)::bigint FROM rating.award WHERE person_id = $1"


async def balance(connection: Connection, person: UUID) -> int:
    return int(await connection.fetchval(BALANCE, person))


AWARDS = """
SELECT id, kind, points, call_id, at FROM rating.award WHERE person_id = $1 ORDER BY at DESC, id DESC LIMIT $2
"""


async def awards(connection: Connection, person: UUID, at_most: int) -> list[Row]:
    return await connection.fetch(AWARDS, person, at_most)


SAID = """
SELECT c.id AS call_id, r.outcome, r.conduct, r.technical, r.comment, p.kind AS report_kind,
    coalesce((SELECT sum(a.points) FROM rating.award a WHERE a.call_id = c.id AND a.person_id = $1), 0)::int AS points
FROM unnest($2::uuid[]) AS c (id)
LEFT JOIN rating.rating r ON r.call_id = c.id AND r.rater_id = $1
LEFT JOIN rating.report p ON p.call_id = c.id AND p.reporter_id = $1
"""


async def said(connection: Connection, person: UUID, call_ids: Sequence[UUID]) -> dict[UUID, Row]:
    """What the person has said of each call, and what it earned them."""
    return {row["call_id"]: row for row in await connection.fetch(SAID, person, list(call_ids))}


OPEN_REPORTS = """
SELECT r.id, r.kind, r.severity, r.reported_at, r.text,
    (SELECT p.role FROM accounts.person p WHERE p.id = r.subject_id) AS subject_role,
    (SELECT count(DISTINCT o.reporter_id) FROM rating.report o WHERE o.subject_id = r.subject_id) AS reporters
FROM rating.report r ORDER BY r.severity, r.reported_at DESC LIMIT $1
"""


async def reports(connection: Connection, at_most: int) -> list[Row]:
    """Reports, gravest first."""
    return await connection.fetch(OPEN_REPORTS, at_most)
