"""The sweeper declares nobody gone too early: not after its own start, a lost cache memory, or a clock that jumped."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest

from accounts.postgres import Pool
from matching.sweeper import Sweeper
from tests.house import Server, serving


class Clocks:
    """Two clocks that a test moves."""

    def __init__(self) -> None:
        self.monotonic = 1000.0
        self.wall = 5000.0

    def pass_(self, seconds: float) -> None:
        self.monotonic += seconds
        self.wall += seconds


@pytest.fixture
async def server(database_url: str, redis_url: str, prefix: str) -> AsyncIterator[Server]:
    # Its own sweeper sleeps for an hour: the test's one is looked at alone.
    async with serving(database_url, redis_url, prefix, MATCHING_TICK="3600") as made:
        yield made


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def sweeper(server: Server, clocks: Clocks) -> Sweeper:
    house = server.house
    own = house.sweeper
    return Sweeper(
        house.pool,
        house.board,
        house.dispatcher,
        own._endings,
        own._wishes,
        house.carrier,
        house.settings.matching,
        lambda: clocks.monotonic,
        lambda: clocks.wall,
    )


async def absent_caller(pool: Pool, server: Server) -> uuid.UUID:
    """A caller with an open request and without a socket, whose time is over."""
    person, request = uuid.uuid4(), uuid.uuid4()
    await pool.execute(
        "INSERT INTO accounts.person (id, email, role, languages, adult, consent, completed_at)"
        " VALUES ($1, $2, 'caller', '{en}', true, 'x', now())",
        person,
        f"{person}@visavis.test",
    )
    await pool.execute(
        "INSERT INTO matching.request (id, caller_id, languages) VALUES ($1, $2, '{en}')", request, person
    )
    await server.house.board.await_return([person], 0)
    return request


async def sweep(sweeper: Sweeper) -> None:
    """When it is this one's turn: the server's own looks once, at its start."""
    async with asyncio.timeout(5):
        while not await sweeper.sweep():  # noqa: ASYNC110 (a database lock decides)
            await asyncio.sleep(0.02)


async def state(pool: Pool, request: uuid.UUID) -> str:
    return str(await pool.fetchval("SELECT state FROM matching.request WHERE id = $1", request))


async def test_silence_says_nothing_in_the_first_window(
    server: Server, sweeper: Sweeper, clocks: Clocks, pool: Pool
) -> None:
    window = server.house.settings.matching.resume_window
    request = await absent_caller(pool, server)
    clocks.pass_(window - 1)
    await sweep(sweeper)
    assert await state(pool, request) == "open"
    clocks.pass_(2)
    await sweep(sweeper)
    assert await state(pool, request) == "cancelled"


@pytest.mark.parametrize("step", [3600.0, -3600.0, 5.0])
async def test_a_clock_that_jumps_begins_a_new_window(
    server: Server, sweeper: Sweeper, clocks: Clocks, pool: Pool, step: float
) -> None:
    window = server.house.settings.matching.resume_window
    clocks.pass_(window + 1)
    await sweep(sweeper)
    request = await absent_caller(pool, server)
    clocks.wall += step
    await sweep(sweeper)
    assert await state(pool, request) == "open"
    clocks.pass_(window + 1)
    await sweep(sweeper)
    assert await state(pool, request) == "cancelled"


async def test_a_cache_that_lost_its_memory_begins_a_new_window(
    server: Server, sweeper: Sweeper, clocks: Clocks, pool: Pool
) -> None:
    clocks.pass_(server.house.settings.matching.resume_window + 1)
    request = await absent_caller(pool, server)
    sweeper.distrust("cache_lost_memory")
    await sweep(sweeper)
    assert await state(pool, request) == "open"
