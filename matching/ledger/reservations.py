"""Reservations: the volunteer who tapped first has a moment to unlock the phone, and nobody else wins meanwhile.

A reservation is two columns of the request, so the request's row lock decides between two taps, a tap and a claim, a
tap and a cancellation. One offer reserves once: who lets it pass cannot hold the caller back again."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec

from accounts.postgres import Connection
from matching.ledger import MAY_MEET, UNRESERVED
from matching.ledger.offers import Withdrawn
from matching.model import Channel

_IN_CALL = "EXISTS (SELECT 1 FROM matching.call c WHERE c.volunteer_id = $2 AND c.state <> 'ended')"
_APART = """EXISTS (
    SELECT 1 FROM matching.never_again n
    WHERE n.one = least($2, offer.caller_id) AND n.other = greatest($2, offer.caller_id))"""
_OFFER = """
    SELECT o.id, o.request_id, r.caller_id
    FROM matching.offer o JOIN matching.request r ON r.id = o.request_id
    WHERE o.id = $1 AND o.volunteer_id = $2 AND o.opened_at IS NULL
      AND (o.outcome IS NULL OR o.outcome NOT IN ('accepted', 'declined'))
"""

# Locks as the claim does: people, request, offer. A ring that had fallen silent rings again once it is opened.
RESERVE = f"""
WITH offer AS ({_OFFER}), people AS MATERIALIZED (
    SELECT p.id FROM accounts.person p
    WHERE p.id IN ($2, (SELECT caller_id FROM offer)) AND {MAY_MEET}
    ORDER BY p.id FOR SHARE
), held AS (
    UPDATE matching.request r
    SET reserved_offer = $1, reserved_until = now() + make_interval(secs => $3),
        front = r.front OR r.reserved_offer IS NOT NULL, told_at = NULL,
        looking_since = CASE WHEN r.told_at IS NULL THEN r.looking_since ELSE now() END
    FROM offer
    WHERE r.id = offer.request_id AND r.state = 'open' AND {UNRESERVED}
      AND (SELECT count(*) FROM people) = 2 AND NOT {_IN_CALL} AND NOT {_APART}
    RETURNING r.id
)
UPDATE matching.offer o SET opened_at = now(), outcome = NULL, answered_at = NULL
FROM held WHERE o.id = $1
RETURNING o.id
"""


async def reserve(connection: Connection, offer_id: UUID, volunteer_id: UUID, grace: float) -> bool:
    """Keep the request of an offer for it, for `grace` seconds; false if something stands against it."""
    return await connection.fetchval(RESERVE, offer_id, volunteer_id, grace) is not None


class Hindrance(msgspec.Struct, frozen=True):
    """What may stand against a reservation besides another one."""

    barred: bool
    in_call: bool
    apart: bool


HINDRANCE = f"""
SELECT (
    SELECT count(*) FROM accounts.person p WHERE p.id IN ($2, offer.caller_id) AND {MAY_MEET}
) < 2 AS barred, {_IN_CALL} AS in_call, {_APART} AS apart
FROM ({_OFFER}) offer
"""


async def hindrance(connection: Connection, offer_id: UUID, volunteer_id: UUID) -> Hindrance | None:
    """Why an offer that was not opened before cannot be; None for one that was, or that is answered."""
    row = await connection.fetchrow(HINDRANCE, offer_id, volunteer_id)
    return Hindrance(*row.values()) if row else None


RELEASE = """
UPDATE matching.request SET reserved_offer = NULL, reserved_until = NULL, front = true
WHERE id = $1 AND reserved_offer = $2 AND state = 'open' AND ($3 OR reserved_until < now())
RETURNING id
"""


async def release(connection: Connection, request_id: UUID, offer_id: UUID, *, early: bool) -> bool:
    """Open a reserved request to everybody again, in front; unless `early`, only after its time. False if this offer
    does not hold it."""
    return await connection.fetchval(RELEASE, request_id, offer_id, early) is not None


SILENCE = """
UPDATE matching.offer o SET outcome = 'withdrawn', answered_at = now()
FROM matching.request r
WHERE r.id = $1 AND r.state = 'open' AND r.reserved_until >= now()
  AND o.request_id = r.id AND o.outcome IS NULL AND o.id <> r.reserved_offer
RETURNING o.id, o.volunteer_id, o.channel
"""


async def silence_others(connection: Connection, request_id: UUID) -> list[Withdrawn]:
    """End what still rings for a reserved request but the offer that holds it."""
    rows = await connection.fetch(SILENCE, request_id)
    return [Withdrawn(row["id"], row["volunteer_id"], Channel(row["channel"])) for row in rows]


LANGUAGES = "SELECT languages FROM accounts.person WHERE id = $1"


async def languages_of(connection: Connection, volunteer_id: UUID) -> Sequence[str]:
    return list(await connection.fetchval(LANGUAGES, volunteer_id) or ())
