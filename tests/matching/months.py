"""Requests, rings and calls of past days in Postgres, for tests of figures."""

from __future__ import annotations

import random
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from accounts.postgres import Pool
from tests.matching.volunteers import person

DAY = 86_400.0


async def asked(
    pool: Pool,
    caller: UUID,
    *rung: UUID,
    language: str = "en",
    waited: float = 10.0,
    ago: float = 3600.0,
    answered: bool = True,
    late: int = 0,
    channel: str = "push",
) -> UUID:
    """A request of `ago` seconds ago for which those in `rung` rang. They answer in turn, from request to request; the
    next `late` were too late, the others silent. What is learned from it is not written."""
    turn = await pool.fetchval("SELECT count(*) FROM matching.call") % len(rung)
    rung = rung[turn:] + rung[:turn]
    request, at = uuid.uuid4(), datetime.now(UTC) - timedelta(seconds=ago)
    closed = None if answered else at + timedelta(seconds=waited)
    await pool.execute(
        "INSERT INTO matching.request (id, caller_id, languages, state, asked_at, opened_at, closed_at)"
        " VALUES ($1, $2, $3, $4, $5, $5, $6)",
        request, caller, [language, "en"], "matched" if answered else "unanswered", at, closed,
    )  # fmt: skip
    outcomes = ["accepted" if answered else "ignored", *["late"] * late, *["withdrawn"] * len(rung)]
    await pool.executemany(
        "INSERT INTO matching.offer (id, request_id, volunteer_id, channel, rung_at, outcome, answered_at, learned)"
        " VALUES ($1, $2, $3, $4, $5, $6, $5, $6)",
        [
            (uuid.uuid4(), request, who, channel, at, outcome)
            for who, outcome in zip(rung, outcomes, strict=False)
        ],
    )  # fmt: skip
    if answered:
        claimed = at + timedelta(seconds=waited)
        await pool.execute(
            "INSERT INTO matching.call (id, request_id, caller_id, volunteer_id, accept_id, fence, waited, state,"
            " claimed_at, caller_connected_at, volunteer_connected_at, connected_at, ended_at, end_reason)"
            " VALUES ($1, $2, $3, $4, $5, 1, $6, 'ended', $7, $7, $7, $7, $7, 'done')",
            uuid.uuid4(), request, caller, rung[0], str(request), waited, claimed,
        )  # fmt: skip
    return request


async def evidence(pool: Pool, volunteer: UUID, yes: float, exposure: float, channel: str = "push") -> None:
    """What a volunteer's rings have taught."""
    await pool.execute(
        "INSERT INTO matching.response (volunteer_id, channel, yes, exposure) VALUES ($1, $2, $3, $4)",
        volunteer, channel, yes, exposure,
    )  # fmt: skip


async def crowd(pool: Pool, role: str, many: int, *languages: str) -> list[UUID]:
    """So many people."""
    return [await person(pool, role, *languages) for _ in range(many)]


async def month(pool: Pool, seed: int = 1, languages: Sequence[str] = ("en", "fr", "de", "sw")) -> None:
    """A month as a town might have it: most ask in the first language, few in the last; two days are
    almost empty."""
    draw = random.Random(seed)
    for at, language in enumerate(languages):
        callers = await crowd(pool, "caller", (24, 14, 8, 2)[at % 4], language)
        volunteers = await crowd(pool, "volunteer", (30, 20, 12, 3)[at % 4], language)
        for helper in volunteers:
            await evidence(pool, helper, draw.choice((0, 0, 1, 3)), draw.uniform(1, 8))
        for day in range(31):
            busy = 0 if day in (12, 13) else (14, 7, 3, 1)[at % 4] + draw.randint(-1, 2)
            for _ in range(busy):
                rung = draw.sample(volunteers, min(len(volunteers), draw.randint(2, 9)))
                late = draw.choice((0, 0, 0, 1))
                await asked(
                    pool,
                    draw.choice(callers),
                    *rung,
                    language=language,
                    waited=draw.lognormvariate(2.6, 0.8),
                    ago=day * DAY + draw.uniform(0, DAY),
                    answered=draw.random() > 0.06,
                    late=late,
                    channel=draw.choice(("push", "push", "socket")),
                )
    await pool.execute("UPDATE accounts.person SET completed_at = now() - interval '60 days' WHERE role IS NOT NULL")
