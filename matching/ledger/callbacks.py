"""Dropped calls whose caller asks for the same volunteer again."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec

from accounts.postgres import Connection
from matching.model import CallState, EndReason, Trust


class Dropped(msgspec.Struct, frozen=True):
    """A call as its caller may want it back, and what its request had asked for."""

    caller_id: UUID
    volunteer_id: UUID
    state: CallState
    end_reason: EndReason | None
    given_back: bool
    """Its request went on looking by itself."""
    since_end: float
    """Seconds."""
    languages: tuple[str, ...]
    topic: str | None
    trust: Trust


DROPPED = """
SELECT c.caller_id, c.volunteer_id, c.state, c.end_reason, c.given_back,
    coalesce(extract(epoch FROM now() - c.ended_at), 0)::float8 AS since_end, r.languages, r.topic, r.trust
FROM matching.call c JOIN matching.request r ON r.id = c.request_id WHERE c.id = $1
"""


async def dropped(connection: Connection, call_id: UUID) -> Dropped | None:
    row = await connection.fetchrow(DROPPED, call_id)
    return msgspec.convert(dict(row), Dropped) if row else None


POSSIBLE = """
SELECT c.id, ($3 - extract(epoch FROM now() - c.ended_at))::float8 AS expires_in
FROM (SELECT * FROM matching.call WHERE caller_id = $1 ORDER BY claimed_at DESC LIMIT 1) c
WHERE c.end_reason = ANY($2) AND NOT c.given_back AND c.ended_at > now() - make_interval(secs => $3)
  AND NOT EXISTS (SELECT 1 FROM matching.request r WHERE r.caller_id = $1 AND r.asked_at > c.ended_at)
"""


class Possible(msgspec.Struct, frozen=True):
    """A call whose volunteer may be called back, for so many seconds more."""

    call_id: UUID
    expires_in: float


async def possible(
    connection: Connection, caller_id: UUID, reasons: Sequence[EndReason], within: float
) -> Possible | None:
    """The last call of this caller, if it ended for one of `reasons` and nothing was asked since."""
    row = await connection.fetchrow(POSSIBLE, caller_id, list(reasons), within)
    return Possible(*row.values()) if row else None


# In front from then on. What rings alone for that long is decided here, for two nodes may look at once.
GO_ON = """
UPDATE matching.request r SET front = true
WHERE r.id = $1 AND r.state = 'open' AND NOT EXISTS (
    SELECT 1 FROM matching.offer o JOIN matching.call c ON c.id = r.callback_call AND c.volunteer_id = o.volunteer_id
    WHERE o.request_id = r.id AND o.outcome IS NULL AND o.rung_at > now() - make_interval(secs => $2))
RETURNING r.id
"""


async def go_on(connection: Connection, request_id: UUID, alone: float) -> bool:
    """From now on anybody is asked; false while the volunteer of the dropped call has been rung for less than `alone`
    seconds."""
    return await connection.fetchval(GO_ON, request_id, alone) is not None


OWN = """
SELECT r.id FROM matching.request r JOIN matching.call c ON c.id = r.callback_call
WHERE r.id = ANY($1) AND c.volunteer_id = $2
"""


async def called_back(connection: Connection, request_ids: Sequence[UUID], volunteer_id: UUID) -> set[UUID]:
    """Those of the requests whose caller wants this volunteer back."""
    if not request_ids:
        return set()
    return {row["id"] for row in await connection.fetch(OWN, list(request_ids), volunteer_id)}
