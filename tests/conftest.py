"""What every test may ask for. Services run once for all tests; a test has a database and a key prefix for itself."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import structlog

from accounts.postgres import Pool, close_pool, open_pool
from signaling.embedded import Embedded
from signaling.embedded.postgres import Postgres
from signaling.embedded.valkey import Valkey
from tests import parts


@pytest.fixture(scope="session")
async def services() -> AsyncIterator[Embedded]:
    async with parts.services() as embedded:
        yield embedded


@pytest.fixture(scope="session")
async def databases(services: Embedded) -> AsyncIterator[parts.Databases]:
    assert services.database_url is not None
    async with parts.Databases.on(services.database_url) as databases:
        yield databases


@pytest.fixture
async def database_url(databases: parts.Databases) -> AsyncIterator[str]:
    """A migrated database of the test's own."""
    url = await databases.migrated()
    yield url
    await databases.drop(url)


@pytest.fixture
async def empty_database_url(databases: parts.Databases) -> AsyncIterator[str]:
    """A database of the test's own with nothing in it."""
    url = await databases.empty()
    yield url
    await databases.drop(url)


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    """Connections to `database_url`."""
    pool = await open_pool(database_url)
    yield pool
    await close_pool(pool)


@pytest.fixture
def redis_url(services: Embedded) -> str:
    """The cache of all tests: keep to keys and channels that begin with `prefix`, and never flush it."""
    assert services.redis_url is not None
    return services.redis_url


@pytest.fixture
def prefix() -> str:
    """What the test's own keys and channels begin with."""
    return f"t{uuid4().hex[:12]}:"


@pytest.fixture
async def own_postgres() -> AsyncIterator[Postgres]:
    """A migrated Postgres to stop, kill and start again."""
    async with parts.own_postgres() as postgres:
        yield postgres


@pytest.fixture
async def flushable_redis() -> AsyncIterator[Valkey]:
    """A Valkey to flush, stop, kill and start again."""
    async with parts.own_valkey() as valkey:
        yield valkey


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder through which the services' user may pass."""
    with parts.open_folder() as folder:
        yield folder


@pytest.fixture(scope="session", autouse=True)
def quiet_logs() -> None:
    """Only warnings, and exceptions without everything they touched: a failed test is easier to read."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(),
        ],
    )
