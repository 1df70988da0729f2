"""People, offers and calls in Postgres, for tests of what is read from there."""

from __future__ import annotations

import uuid

from accounts.postgres import Pool


async def person(pool: Pool, role: str, *languages: str) -> uuid.UUID:
    """Somebody with a complete profile."""
    id_ = uuid.uuid4()
    await pool.execute(
        "INSERT INTO accounts.person (id, email, role, languages, adult, consent, completed_at)"
        " VALUES ($1, $2, $3, $4, true, 'x', now())",
        id_,
        f"{id_}@visavis.test",
        role,
        list(languages or ("en",)),
    )
    return id_


async def volunteer(pool: Pool, *languages: str) -> uuid.UUID:
    """A volunteer with a device."""
    id_ = await person(pool, "volunteer", *languages)
    await pool.execute(
        "INSERT INTO accounts.device (id, person_id, kind, address) VALUES ($1, $2, 'fcm', $3)",
        uuid.uuid4(),
        id_,
        str(id_),
    )
    return id_


async def request(pool: Pool, caller: uuid.UUID) -> uuid.UUID:
    """A request that is over."""
    id_ = uuid.uuid4()
    await pool.execute(
        "INSERT INTO matching.request (id, caller_id, languages, state, closed_at)"
        " VALUES ($1, $2, '{en}', 'cancelled', now())",
        id_,
        caller,
    )
    return id_


async def offer(pool: Pool, volunteer_id: uuid.UUID, channel: str, hours_ago: float) -> None:
    """An offer that nobody answered."""
    await pool.execute(
        "INSERT INTO matching.offer (id, request_id, volunteer_id, channel, rung_at, outcome)"
        " VALUES ($1, $2, $3, $4, now() - make_interval(secs => $5), 'ignored')",
        uuid.uuid4(),
        await request(pool, await person(pool, "caller")),
        volunteer_id,
        channel,
        hours_ago * 3600,
    )


async def call(
    pool: Pool, volunteer_id: uuid.UUID, caller: uuid.UUID | None = None, *, live: bool = False
) -> uuid.UUID:
    """A connected call, ended unless `live`."""
    id_, caller = uuid.uuid4(), caller or await person(pool, "caller")
    await pool.execute(
        "INSERT INTO matching.call"
        " (id, request_id, caller_id, volunteer_id, accept_id, fence, waited, state, connected_at, ended_at,"
        " end_reason)"
        " VALUES ($1, $2, $3, $4, $5, 1, 0, $6, now(), CASE WHEN $7 THEN NULL ELSE now() END,"
        " CASE WHEN $7 THEN NULL ELSE 'done' END)",
        id_,
        await request(pool, caller),
        caller,
        volunteer_id,
        str(id_),
        "connected" if live else "ended",
        live,
    )
    return id_
