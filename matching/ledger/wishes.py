"""Wishes to be told when somebody is free: one a caller, told once."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec

from accounts.model import QuietWindow
from accounts.postgres import Connection, Row
from matching.ledger import AWAKE, CALLS, MAY_MEET, TRUSTED
from matching.model import Request, Trust


class Wish(msgspec.Struct, frozen=True):
    """A caller who wishes to be told."""

    caller_id: UUID
    request_id: UUID
    """The request that nobody had answered."""
    languages: tuple[str, ...]
    trust: Trust
    told: bool


_WISH = "w.caller_id, w.request_id, w.languages, w.trust, w.told_at IS NOT NULL AS told"


def _wish(row: Row) -> Wish:
    return Wish(row["caller_id"], row["request_id"], tuple(row["languages"]), Trust(row["trust"]), row["told"])


MAKE = """
INSERT INTO matching.wish (caller_id, request_id, languages, trust, expires_at)
VALUES ($1, $2, $3, $4, now() + make_interval(secs => $5))
ON CONFLICT (caller_id) DO UPDATE SET request_id = excluded.request_id, languages = excluded.languages,
    trust = excluded.trust, made_at = now(), expires_at = excluded.expires_at, told_at = NULL
"""


async def make(connection: Connection, request: Request, within: float) -> None:
    """The caller of this request wishes to be told, within so many seconds; an older wish of theirs is forgotten."""
    await connection.execute(MAKE, request.caller_id, request.id, list(request.languages), request.trust, within)


FORGET = "DELETE FROM matching.wish WHERE caller_id = $1 AND ($2::uuid IS NULL OR request_id = $2) RETURNING caller_id"


async def forget(connection: Connection, caller_id: UUID, request_id: UUID | None = None) -> bool:
    """The caller wishes it no more (or only not for that request); whether there was a wish."""
    return await connection.fetchval(FORGET, caller_id, request_id) is not None


OF_CALLER = f"SELECT {_WISH} FROM matching.wish w WHERE w.caller_id = $1 AND w.expires_at > now()"


async def wish_of(connection: Connection, caller_id: UUID) -> Wish | None:
    """The caller's wish, told or not, as long as it counts."""
    row = await connection.fetchrow(OF_CALLER, caller_id)
    return _wish(row) if row else None


UNTOLD = f"""
SELECT {_WISH} FROM matching.wish w JOIN accounts.person p ON p.id = w.caller_id
WHERE w.told_at IS NULL AND w.expires_at > now() AND {MAY_MEET}
ORDER BY w.made_at LIMIT $1
"""


async def untold(connection: Connection, at_most: int) -> list[Wish]:
    """Wishes that count and were not told yet, oldest first."""
    return [_wish(row) for row in await connection.fetch(UNTOLD, at_most)]


MARK = """
UPDATE matching.wish SET told_at = now()
WHERE caller_id = $1 AND request_id = $2 AND told_at IS NULL AND expires_at > now()
RETURNING caller_id
"""


async def mark_told(connection: Connection, wish: Wish) -> bool:
    """This transaction tells the caller; false if another one did, or the wish does not count any more."""
    return await connection.fetchval(MARK, wish.caller_id, wish.request_id) is not None


EXPIRED = "DELETE FROM matching.wish WHERE expires_at < now()"


async def forget_expired(connection: Connection) -> None:
    await connection.execute(EXPIRED)


class Free(msgspec.Struct, frozen=True):
    """A volunteer who could be rung for a caller, but for the hour and the language."""

    id: UUID
    languages: tuple[str, ...]
    muted: tuple[str, ...]
    time_zone: str
    quiet_hours: tuple[QuietWindow, ...]


FREE_FOR = f"""
SELECT p.id, p.languages, p.muted_languages, p.time_zone, p.quiet_hours
FROM accounts.person p
{CALLS}WHERE p.id = ANY($2) AND p.role = 'volunteer' AND {MAY_MEET} AND {AWAKE} AND (NOT $3 OR ({TRUSTED}))
  AND NOT EXISTS (SELECT 1 FROM matching.call c WHERE c.volunteer_id = p.id AND c.state <> 'ended')
  AND NOT EXISTS (
      SELECT 1 FROM matching.never_again n WHERE n.one = least(p.id, $1) AND n.other = greatest(p.id, $1))
"""


async def free_for(connection: Connection, wish: Wish, volunteers: Sequence[UUID]) -> list[Free]:
    """Those of `volunteers` who may meet this caller, of the trusted only if they wish, and are not on the phone, in
    their order."""
    rows = await connection.fetch(FREE_FOR, wish.caller_id, list(volunteers), wish.trust is Trust.TRUSTED)
    found = {row["id"]: row for row in rows}
    return [
        Free(
            row["id"],
            tuple(row["languages"]),
            tuple(row["muted_languages"]),
            row["time_zone"],
            tuple(msgspec.convert(row["quiet_hours"], list[QuietWindow])),
        )
        for row in (found[volunteer] for volunteer in volunteers if volunteer in found)
    ]
