"""The rows of offers, and who may be made one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from accounts.devices import REACHABLE
from accounts.model import QuietWindow
from accounts.postgres import Connection, Row
from matching.ledger import AWAKE, CALLS, MAY_MEET, PUSHES, TRUSTED, UNRESERVED
from matching.model import Candidate, Channel, Evidence, Offer, Outcome, Request, RequestState, Trust, Volunteer
from matching.quiet import ahead_of_utc
from matching.responses import faded


def _offer(row: Row) -> Offer:
    return Offer(
        id=row["id"],
        request_id=row["request_id"],
        volunteer_id=row["volunteer_id"],
        age=row["age"],
        outcome=Outcome(row["outcome"]) if row["outcome"] else None,
        channel=Channel(row["channel"]),
        chance=row["chance"],
    )


_OFFER = """
o.id, o.request_id, o.volunteer_id, extract(epoch FROM now() - o.rung_at)::float8 AS age, o.outcome, o.channel, o.chance
"""

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


# Redis suggests, this decides: whoever may not be rung for this request falls out here. The evidence of both channels
# comes along, for what Redis had of it may be old.
ELIGIBLE = f"""
SELECT p.id, p.languages, p.muted_languages, p.time_zone, p.quiet_hours, p.alerts_per_day,
    s.yes AS socket_yes, s.exposure AS socket_exposure, s.ignored AS socket_ignored,
    u.yes AS push_yes, u.exposure AS push_exposure, u.ignored AS push_ignored,
    extract(epoch FROM now() - s.as_of)::float8 AS socket_age, extract(epoch FROM now() - u.as_of)::float8 AS push_age,
    coalesce((SELECT extract(epoch FROM max(o.rung_at)) FROM matching.offer o WHERE o.volunteer_id = p.id), 0)::float8
        AS last_rung,
    h.calls, coalesce(extract(epoch FROM h.last_call), 0)::float8 AS last_call,
    {PUSHES} AS pushes, {REACHABLE} AS reachable
FROM accounts.person p
LEFT JOIN matching.response s ON s.volunteer_id = p.id AND s.channel = 'socket'
LEFT JOIN matching.response u ON u.volunteer_id = p.id AND u.channel = 'push'
{CALLS}
WHERE p.id = ANY($2) AND p.role = 'volunteer' AND {MAY_MEET} AND {AWAKE}
  AND (NOT $3 OR ({TRUSTED}))
  AND NOT EXISTS (SELECT 1 FROM matching.call c WHERE c.volunteer_id = p.id AND c.state <> 'ended')
  AND NOT EXISTS (SELECT 1 FROM matching.offer o WHERE o.volunteer_id = p.id AND o.request_id = $1)
  AND NOT EXISTS (
      SELECT 1 FROM matching.never_again n JOIN matching.request r ON r.id = $1
      WHERE n.one = least(p.id, r.caller_id) AND n.other = greatest(p.id, r.caller_id))
"""


class Eligible(msgspec.Struct, frozen=True):
    """A volunteer who may be rung for a request, and through what."""

    volunteer: Volunteer
    socket: Candidate
    push: Candidate
    may_push: bool
    """There is a device that can be reached, and today's budget is not used up."""


def _eligible(row: Row, now: datetime) -> Eligible:
    offset = ahead_of_utc(row["time_zone"], now)

    def candidate(channel: Channel) -> Candidate:
        yes, exposure, ignored = (row[f"{channel}_{name}"] for name in ("yes", "exposure", "ignored"))
        evidence = Evidence() if yes is None else faded(Evidence(yes, exposure, ignored), row[f"{channel}_age"])
        return Candidate(
            id=row["id"],
            channel=channel,
            evidence=evidence,
            last_rung=row["last_rung"],
            calls=row["calls"],
            last_call=row["last_call"],
            offset=offset,
        )

    return Eligible(
        Volunteer(
            row["id"],
            tuple(row["languages"]),
            row["time_zone"],
            tuple(msgspec.convert(row["quiet_hours"], list[QuietWindow])),
            tuple(row["muted_languages"]),
        ),
        candidate(Channel.SOCKET),
        candidate(Channel.PUSH),
        row["reachable"] and row["pushes"] < row["alerts_per_day"],
    )


async def eligible(
    connection: Connection, request: Request, candidates: Sequence[UUID], now: datetime
) -> dict[UUID, Eligible]:
    """Those of `candidates` who may be rung for the request; of the trusted only, if it asks for them."""
    rows = await connection.fetch(ELIGIBLE, request.id, list(candidates), request.trust is Trust.TRUSTED)
    return {row["id"]: _eligible(row, now) for row in rows}


class NewOffer(msgspec.Struct, frozen=True):
    """An offer to be made, with what was thought when it was."""

    id: UUID
    volunteer_id: UUID
    channel: Channel
    chance: float
    exposure: float
    why: dict[str, object]


# Two requests may want to push to the same volunteer in the same instant: each waits here for the other to be written,
# so that the budget is counted with it.
HOLD = "SELECT id FROM accounts.person WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE"

ADD_OFFERS = f"""
INSERT INTO matching.offer (id, request_id, volunteer_id, channel, chance, exposure, why)
SELECT o.id, r.id, p.id, o.channel, o.chance, o.exposure, o.why
FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::real[], $6::real[], $7::jsonb[])
        AS o (id, volunteer_id, channel, chance, exposure, why)
    JOIN accounts.person p ON p.id = o.volunteer_id, matching.request r
WHERE r.id = $1 AND r.state = 'open' AND {UNRESERVED} AND (o.channel <> 'push' OR {PUSHES} < p.alerts_per_day)
ON CONFLICT ON CONSTRAINT offer_once_per_request DO NOTHING
RETURNING id
"""


async def add_offers(connection: Connection, request_id: UUID, offers: Sequence[NewOffer]) -> set[UUID]:
    """Make these offers. Returns those made: none once the request is closed, never a second for one volunteer, never
    a push over the volunteer's budget."""
    if not (pushed := [offer.volunteer_id for offer in offers if offer.channel is Channel.PUSH]):
        return await _add(connection, request_id, offers)
    async with connection.transaction():
        await connection.execute(HOLD, pushed)
        return await _add(connection, request_id, offers)


async def _add(connection: Connection, request_id: UUID, offers: Sequence[NewOffer]) -> set[UUID]:
    rows = await connection.fetch(
        ADD_OFFERS,
        request_id,
        [offer.id for offer in offers],
        [offer.volunteer_id for offer in offers],
        [offer.channel for offer in offers],
        [offer.chance for offer in offers],
        [offer.exposure for offer in offers],
        [offer.why for offer in offers],
    )
    return {row["id"] for row in rows}


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
    RETURNING o.id, o.volunteer_id, o.channel
)
SELECT r.state, w.id, w.volunteer_id, w.channel FROM r LEFT JOIN w ON true
"""


class Withdrawn(msgspec.Struct, frozen=True):
    """An offer that rang until now."""

    id: UUID
    volunteer_id: UUID
    channel: Channel


async def withdraw_if_closed(connection: Connection, request_id: UUID) -> tuple[RequestState | None, list[Withdrawn]]:
    """End what still rings for a request that is closed. Returns its state and the offers.

    In a transaction of its own, never in the claim's: a claim holds the request and writes its own offer, and another
    one that already holds that offer may be waiting for the request."""
    rows = await connection.fetch(MOVED, request_id)
    withdrawn = [
        Withdrawn(row["id"], row["volunteer_id"], Channel(row["channel"])) for row in rows if row["id"] is not None
    ]
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
