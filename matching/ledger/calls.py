"""The rows of calls, first of all the claim."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from accounts.model import Role
from accounts.postgres import Connection, Row
from matching.ledger import MAY_MEET, UNRESERVED
from matching.model import Call, CallState, EndReason

_CALL = """
c.id, c.request_id, c.caller_id, c.volunteer_id, c.accept_id, c.fence, c.waited, c.state, c.claimed_at,
c.caller_connected_at, c.volunteer_connected_at, c.connected_at, c.ended_at, c.end_reason, c.ended_by
"""


def _call(row: Row) -> Call:
    return Call(
        id=row["id"],
        request_id=row["request_id"],
        caller_id=row["caller_id"],
        volunteer_id=row["volunteer_id"],
        accept_id=row["accept_id"],
        fence=row["fence"],
        waited=row["waited"],
        state=CallState(row["state"]),
        claimed_at=row["claimed_at"],
        caller_connected_at=row["caller_connected_at"],
        volunteer_connected_at=row["volunteer_connected_at"],
        connected_at=row["connected_at"],
        ended_at=row["ended_at"],
        end_reason=EndReason(row["end_reason"]) if row["end_reason"] else None,
        ended_by=Role(row["ended_by"]) if row["ended_by"] else None,
    )


# The claim: one statement, all or nothing. Both people are locked FOR SHARE, so a ban that commits first is seen here
# and a later one waits, then finds the call and ends it. The request moves only if it still is open and nobody else
# has reserved it. The outbox row is what tells both sides even if this node dies in the next instant.
CLAIM = f"""
WITH offer AS (
    SELECT o.id, o.request_id, r.caller_id
    FROM matching.offer o JOIN matching.request r ON r.id = o.request_id
    WHERE o.id = $1 AND o.volunteer_id = $2 AND o.outcome IS DISTINCT FROM 'declined'
), people AS MATERIALIZED (
    SELECT p.id FROM accounts.person p
    WHERE p.id IN ($2, (SELECT caller_id FROM offer)) AND {MAY_MEET}
    ORDER BY p.id FOR SHARE
), taken AS (
    UPDATE matching.request r
    SET state = 'matched', fence = r.fence + 1, front = false, told_at = NULL,
        reserved_offer = NULL, reserved_until = NULL,
        waited_before = r.waited_before + extract(epoch FROM now() - r.opened_at)
    FROM offer
    WHERE r.id = offer.request_id AND r.state = 'open' AND (SELECT count(*) FROM people) = 2
      AND ({UNRESERVED} OR r.reserved_offer = $1)
    RETURNING r.id, r.caller_id, r.fence, r.waited_before
), accepted AS (
    UPDATE matching.offer o SET outcome = 'accepted', answered_at = now() FROM taken WHERE o.id = $1
), begun AS (
    INSERT INTO matching.call AS c (id, request_id, caller_id, volunteer_id, accept_id, fence, waited)
    SELECT $4, taken.id, taken.caller_id, $2, $3, taken.fence, taken.waited_before FROM taken
    RETURNING {_CALL}
), told AS (
    INSERT INTO accounts.outbox (id, topic, payload)
    SELECT $5, 'begun', jsonb_build_object('call_id', begun.id) FROM begun
)
SELECT * FROM begun
"""


class AlreadyInCall(Exception):
    """The claim met `call_one_live_per_volunteer`: this volunteer is helping somebody already."""


class NeverAgain(Exception):
    """The claim met a pair that must not meet."""


class AcceptedBefore(Exception):
    """The claim met its own earlier self: the same `accept_id` has a call."""


async def claim(
    connection: Connection, offer_id: UUID, volunteer_id: UUID, accept_id: str, call_id: UUID, parcel_id: UUID
) -> Call | None:
    """Make a call of the offer if its request is still open; None if not.
    Raises `AlreadyInCall`, `NeverAgain`, `AcceptedBefore`."""
    try:
        row = await connection.fetchrow(CLAIM, offer_id, volunteer_id, accept_id, call_id, parcel_id)
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name == "call_one_live_per_volunteer":
            raise AlreadyInCall from error
        if error.constraint_name == "call_accept_once":
            raise AcceptedBefore from error
        raise
    except asyncpg.CheckViolationError as error:
        if error.constraint_name == "call_never_again":
            raise NeverAgain from error
        raise
    return _call(row) if row else None


CALL = f"SELECT {_CALL} FROM matching.call c WHERE c.id = $1"


async def call(connection: Connection, call_id: UUID) -> Call | None:
    row = await connection.fetchrow(CALL, call_id)
    return _call(row) if row else None


LOCKED_CALL = CALL + " FOR UPDATE"


async def locked_call(connection: Connection, call_id: UUID) -> Call | None:
    row = await connection.fetchrow(LOCKED_CALL, call_id)
    return _call(row) if row else None


# By offer, not by accept_id alone: a client that lost its state may retry under a new name and still gets its call.
CALL_OF_OFFER = f"""
SELECT {_CALL} FROM matching.call c JOIN matching.offer o ON o.request_id = c.request_id
WHERE o.id = $1 AND o.volunteer_id = $2 AND c.volunteer_id = $2
ORDER BY c.fence DESC LIMIT 1
"""


async def call_of_offer(connection: Connection, offer_id: UUID, volunteer_id: UUID) -> Call | None:
    row = await connection.fetchrow(CALL_OF_OFFER, offer_id, volunteer_id)
    return _call(row) if row else None


LIVE_OF = f"""
SELECT {_CALL} FROM matching.call c WHERE (c.caller_id = $1 OR c.volunteer_id = $1) AND c.state <> 'ended'
"""


async def live_call_of(connection: Connection, person_id: UUID) -> Call | None:
    row = await connection.fetchrow(LIVE_OF, person_id)
    return _call(row) if row else None


ALL_LIVE = f"SELECT {_CALL} FROM matching.call c WHERE c.state <> 'ended'"


async def all_live(connection: Connection) -> list[Call]:
    return [_call(row) for row in await connection.fetch(ALL_LIVE)]


STALE = "SELECT id FROM matching.call WHERE state = 'reserved' AND claimed_at < now() - make_interval(secs => $1)"


async def past_grace(connection: Connection, grace: float) -> list[UUID]:
    """Calls that were claimed longer than `grace` seconds ago and are not connected."""
    return [row["id"] for row in await connection.fetch(STALE, grace)]


MARK_CONNECTED = """
UPDATE matching.call SET
    caller_connected_at = CASE WHEN $2 = 'caller' THEN now() ELSE caller_connected_at END,
    volunteer_connected_at = CASE WHEN $2 = 'volunteer' THEN now() ELSE volunteer_connected_at END,
    connected_at = CASE WHEN $3 = 'connected' THEN coalesce(connected_at, now()) END,
    state = $3
WHERE id = $1
"""


async def mark_connected(connection: Connection, call_id: UUID, role: Role, state: CallState) -> None:
    await connection.execute(MARK_CONNECTED, call_id, role, state)


END = f"""
UPDATE matching.call c SET state = 'ended', ended_at = now(), end_reason = $2, ended_by = $3, given_back = $4
WHERE c.id = $1
RETURNING {_CALL}
"""


async def end_call(connection: Connection, call_id: UUID, reason: EndReason, by: Role | None, given_back: bool) -> Call:
    row = await connection.fetchrow(END, call_id, reason, by, given_back)
    assert row is not None
    return _call(row)


PARTNERS = """
SELECT p.id, p.languages, p.alias, (
    SELECT count(*) FROM matching.call c
    WHERE (c.caller_id = p.id OR c.volunteer_id = p.id) AND c.state = 'ended' AND c.connected_at IS NOT NULL
) AS experience
FROM accounts.person p WHERE p.id = ANY($1)
"""


async def partner_rows(connection: Connection, people: Sequence[UUID]) -> dict[UUID, Row]:
    return {row["id"]: row for row in await connection.fetch(PARTNERS, list(people))}


HISTORY = f"""
SELECT {_CALL}, p.languages AS partner_languages, p.alias AS partner_alias
FROM matching.call c
JOIN accounts.person p ON p.id = CASE WHEN c.caller_id = $1 THEN c.volunteer_id ELSE c.caller_id END
WHERE (c.caller_id = $1 OR c.volunteer_id = $1) AND c.state = 'ended' AND c.connected_at IS NOT NULL
  AND ($2::timestamptz IS NULL OR c.claimed_at < $2)
ORDER BY c.claimed_at DESC LIMIT $3
"""


async def history(
    connection: Connection, person_id: UUID, before: datetime | None, at_most: int
) -> list[tuple[Call, Row]]:
    rows = await connection.fetch(HISTORY, person_id, before, at_most)
    return [(_call(row), row) for row in rows]


EXPERIENCE = "SELECT count(*) FROM matching.call WHERE caller_id = $1 AND connected_at IS NOT NULL"


async def experience(connection: Connection, caller_id: UUID) -> int:
    """How many calls a caller has had."""
    return int(await connection.fetchval(EXPERIENCE, caller_id))
