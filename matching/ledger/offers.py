"""The rows of offers, and who may be made one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

import msgspec

from accounts.model import QuietWindow
from accounts.postgres import Connection, Row
from matching.ledger import MAY_MEET
from matching.model import Offer, Outcome, RequestState, Volunteer


def _offer(row: Row) -> Offer:
    return Offer(
        id=row["id"],
        request_id=row["request_id"],
        volunteer_id=row["volunteer_id"],
        age=row["age"],
        outcome=Outcome(row["outcome"]) if row["outcome"] else None,
    )


_OFFER = "o.id, o.request_id, o.volunteer_id, extract(epoch FROM now() - o.rung_at)::float8 AS age, o.outcome"

OFFERS_OF = f"SELECT {_OFFER} FROM matching.offer o WHERE o.request_id = ANY($1) ORDER BY o.rung_at"


async def offers_of(connection: Connection, request_ids: Sequence[UUID]) -> list[Offer]:
    return [_offer(row) for row in await connection.fetch(OFFERS_OF, list(request_ids))]


OFFER = f"SELECT {_OFFER} FROM matching.offer o WHERE o.id = $1 AND o.volunteer_id = $2"


async def offer(connection: Connection, offer_id: UUID, volunteer_id: UUID) -> Offer | None:
    row = await connection.fetchrow(OFFER, offer_id, volunteer_id)
    return _offer(row) if row else None


RINGING = f"""
SELECT {_OFFER}, r.languages, r.topic, r.waited_before + extract(epoch FROM now() - r.opened_at)::float8 AS waited
FROM matching.offer o JOIN matching.request r ON r.id = o.request_id
WHERE o.volunteer_id = $1 AND o.outcome IS NULL AND r.state = 'open'
"""


class Ringing(msgspec.Struct, frozen=True):
    """An offer that rings for a volunteer now."""

    offer: Offer
    languages: tuple[str, ...]
    topic: str | None
    waited: float


async def ringing_for(connection: Connection, volunteer_id: UUID) -> list[Ringing]:
    rows = await connection.fetch(RINGING, volunteer_id)
    return [Ringing(_offer(row), tuple(row["languages"]), row["topic"], row["waited"]) for row in rows]


# Redis suggests, this decides: whoever may not be rung for this request falls out here.
ELIGIBLE = f"""
SELECT p.id, p.languages, p.time_zone, p.quiet_hours
FROM accounts.person p
WHERE p.id = ANY($2) AND p.role = 'volunteer' AND {MAY_MEET}
  AND NOT EXISTS (SELECT 1 FROM matching.call c WHERE c.volunteer_id = p.id AND c.state <> 'ended')
  AND NOT EXISTS (SELECT 1 FROM matching.offer o WHERE o.volunteer_id = p.id AND o.request_id = $1)
  AND NOT EXISTS (
      SELECT 1 FROM matching.never_again n JOIN matching.request r ON r.id = $1
      WHERE n.one = least(p.id, r.caller_id) AND n.other = greatest(p.id, r.caller_id))
"""


async def eligible(connection: Connection, request_id: UUID, candidates: Sequence[UUID]) -> list[Volunteer]:
    """Those of `candidates` who may be rung for the request, in their order."""
    rows = await connection.fetch(ELIGIBLE, request_id, list(candidates))
    place = {person: index for index, person in enumerate(candidates)}
    rows.sort(key=lambda row: place[row["id"]])
    return [
        Volunteer(
            row["id"],
            tuple(row["languages"]),
            row["time_zone"],
            tuple(msgspec.convert(row["quiet_hours"], list[QuietWindow])),
        )
        for row in rows
    ]


ADD_OFFERS = """
INSERT INTO matching.offer (id, request_id, volunteer_id, channel)
SELECT o.id, r.id, o.volunteer_id, o.channel
FROM unnest($2::uuid[], $3::uuid[], $4::text[]) AS o (id, volunteer_id, channel), matching.request r
WHERE r.id = $1 AND r.state = 'open'
ON CONFLICT ON CONSTRAINT offer_once_per_request DO NOTHING
RETURNING id
"""


async def add_offers(connection: Connection, request_id: UUID, offers: Mapping[UUID, UUID], channel: str) -> list[UUID]:
    """Make these offers (offer -> volunteer). Returns those made: none once the request is closed, never a second for
    one volunteer."""
    rows = await connection.fetch(ADD_OFFERS, request_id, list(offers), list(offers.values()), [channel] * len(offers))
    return [row["id"] for row in rows]


ANSWER = """
UPDATE matching.offer SET outcome = $2, answered_at = now()
WHERE id = ANY($1) AND (outcome IS NULL OR ($2 = 'late' AND outcome IN ('ignored', 'withdrawn')))
RETURNING id
"""


async def answer(connection: Connection, offer_ids: Sequence[UUID], outcome: Outcome) -> list[UUID]:
    """Write what became of offers that have no outcome yet; a late tap also replaces silence."""
    return [row["id"] for row in await connection.fetch(ANSWER, list(offer_ids), outcome)]


MOVED = """
WITH r AS (
    SELECT id, state FROM matching.request WHERE id = $1
), w AS (
    UPDATE matching.offer o SET outcome = 'withdrawn', answered_at = now()
    FROM r WHERE o.request_id = r.id AND r.state <> 'open' AND o.outcome IS NULL
    RETURNING o.id, o.volunteer_id
)
SELECT r.state, w.id, w.volunteer_id FROM r LEFT JOIN w ON true
"""


async def withdraw_if_closed(
    connection: Connection, request_id: UUID
) -> tuple[RequestState | None, list[tuple[UUID, UUID]]]:
    """End what still rings for a request that is closed. Returns its state and (offer, volunteer) of each.

    In a transaction of its own, never in the claim's: a claim holds the request and writes its own offer, and another
    one that already holds that offer may be waiting for the request."""
    rows = await connection.fetch(MOVED, request_id)
    withdrawn = [(row["id"], row["volunteer_id"]) for row in rows if row["id"] is not None]
    return (RequestState(rows[0]["state"]) if rows else None), withdrawn


LAST_RUNG = """
SELECT coalesce(extract(epoch FROM max(rung_at)), 0)::float8 FROM matching.offer WHERE volunteer_id = $1
"""


async def last_rung(connection: Connection, volunteer_id: UUID) -> float:
    """When the volunteer was last rung, as Unix time; 0 for never."""
    return float(await connection.fetchval(LAST_RUNG, volunteer_id))


SHIFTS = f"""
SELECT p.id, p.languages, (
    SELECT coalesce(extract(epoch FROM max(o.rung_at)), 0)::float8 FROM matching.offer o WHERE o.volunteer_id = p.id
) AS last_rung
FROM accounts.person p WHERE p.id = ANY($1) AND p.role = 'volunteer' AND {MAY_MEET}
"""


async def shifts_of(connection: Connection, volunteers: Sequence[UUID]) -> list[tuple[UUID, tuple[str, ...], float]]:
    """(volunteer, languages, last rung) of those who may be rung."""
    rows = await connection.fetch(SHIFTS, list(volunteers))
    return [(row["id"], tuple(row["languages"]), row["last_rung"]) for row in rows]
