"""The rows of requests."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from accounts.postgres import Connection, Row
from matching.ledger import MAY_MEET
from matching.model import Request, RequestState, Trust

_REQUEST = """
r.id, r.caller_id, r.languages, r.topic, r.trust, r.state, r.fence, r.asked_at, r.front,
r.waited_before + extract(epoch FROM CASE WHEN r.state = 'open' THEN now() - r.opened_at ELSE '0' END)::float8
    AS waited,
extract(epoch FROM now() - r.told_at)::float8 AS told,
extract(epoch FROM now() - r.looking_since)::float8 AS looking,
r.reserved_offer, extract(epoch FROM r.reserved_until - now())::float8 AS reserved_for,
(SELECT c.volunteer_id FROM matching.call c WHERE c.id = r.callback_call) AS callback
"""


def _request(row: Row) -> Request:
    return Request(
        id=row["id"],
        caller_id=row["caller_id"],
        languages=tuple(row["languages"]),
        topic=row["topic"],
        trust=Trust(row["trust"]),
        state=RequestState(row["state"]),
        fence=row["fence"],
        asked_at=row["asked_at"],
        waited=row["waited"],
        front=row["front"],
        told=row["told"],
        looking=row["looking"],
        reserved_offer=row["reserved_offer"],
        reserved_for=row["reserved_for"] or 0.0,
        callback=row["callback"],
    )


# FOR SHARE: a ban that is being written is waited for, and seen. A second open request fails on its unique index.
ASK = f"""
WITH person AS (
    SELECT id FROM accounts.person WHERE id = $2 AND role = 'caller' AND {MAY_MEET} FOR SHARE
)
INSERT INTO matching.request AS r (id, caller_id, languages, topic, trust, callback_call)
SELECT $1, person.id, $3, $4, $5, $6 FROM person
WHERE NOT EXISTS (SELECT 1 FROM matching.call c WHERE c.caller_id = $2 AND c.state <> 'ended')
ON CONFLICT DO NOTHING
RETURNING {_REQUEST}
"""


async def ask(
    connection: Connection,
    request_id: UUID,
    caller_id: UUID,
    languages: Sequence[str],
    topic: str | None,
    trust: Trust,
    callback_call: UUID | None = None,
) -> Request | None:
    """Open a request; None if something stands against it, which the caller of this function finds out."""
    row = await connection.fetchrow(ASK, request_id, caller_id, list(languages), topic, trust, callback_call)
    return _request(row) if row else None


BY_ID = f"SELECT {_REQUEST} FROM matching.request r WHERE r.id = ANY($1)"


async def requests(connection: Connection, ids: Sequence[UUID]) -> list[Request]:
    return [_request(row) for row in await connection.fetch(BY_ID, list(ids))]


LOCKED = f"SELECT {_REQUEST} FROM matching.request r WHERE r.id = $1 FOR UPDATE"


async def locked_request(connection: Connection, request_id: UUID) -> Request | None:
    row = await connection.fetchrow(LOCKED, request_id)
    return _request(row) if row else None


OPEN_OF = f"SELECT {_REQUEST} FROM matching.request r WHERE r.caller_id = $1 AND r.state = 'open'"


async def open_request_of(connection: Connection, caller_id: UUID) -> Request | None:
    row = await connection.fetchrow(OPEN_OF, caller_id)
    return _request(row) if row else None


ALL_OPEN = "SELECT id, caller_id FROM matching.request WHERE state = 'open'"


async def all_open(connection: Connection) -> list[tuple[UUID, UUID]]:
    """(request, caller) of every open request."""
    return [(row["id"], row["caller_id"]) for row in await connection.fetch(ALL_OPEN)]


CLOSE_REQUEST = """
UPDATE matching.request
SET state = $2, closed_at = now(), told_at = NULL, reserved_offer = NULL, reserved_until = NULL
WHERE id = $1
"""


async def close_request(connection: Connection, request_id: UUID, state: RequestState) -> None:
    await connection.execute(CLOSE_REQUEST, request_id, state)


REOPEN = """
UPDATE matching.request
SET state = 'open', front = true, opened_at = now(), looking_since = now(), told_at = NULL
WHERE id = $1
"""


async def reopen(connection: Connection, request_id: UUID) -> None:
    await connection.execute(REOPEN, request_id)


MARK_TOLD = "UPDATE matching.request SET told_at = now() WHERE id = $1"
MARK_LOOKING = "UPDATE matching.request SET told_at = NULL, looking_since = now() WHERE id = $1"


async def mark_told(connection: Connection, request_id: UUID) -> None:
    await connection.execute(MARK_TOLD, request_id)


async def mark_looking(connection: Connection, request_id: UUID) -> None:
    await connection.execute(MARK_LOOKING, request_id)


INVOLVED = """
SELECT caller_id AS person FROM matching.request WHERE caller_id = ANY($1) AND state = 'open'
UNION SELECT caller_id FROM matching.call WHERE caller_id = ANY($1) AND state <> 'ended'
UNION SELECT volunteer_id FROM matching.call WHERE volunteer_id = ANY($1) AND state <> 'ended'
"""


async def involved(connection: Connection, people: Sequence[UUID]) -> list[UUID]:
    """Those of `people` who wait for help or are in a call."""
    return [row["person"] for row in await connection.fetch(INVOLVED, list(people))]
