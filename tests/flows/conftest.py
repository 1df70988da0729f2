"""A node, two nodes, and people who connect to them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests import client as clients
from tests.client import Client
from tests.house import Server, serving, two_nodes

Make = Callable[..., Awaitable[Client]]


@pytest.fixture
async def server(database_url: str, redis_url: str, prefix: str) -> AsyncIterator[Server]:
    async with serving(database_url, redis_url, prefix) as made:
        yield made


@pytest.fixture
async def nodes(database_url: str, redis_url: str, prefix: str) -> AsyncIterator[list[Server]]:
    async with two_nodes(database_url, redis_url, prefix) as made:
        yield made


@pytest.fixture
async def people() -> AsyncIterator[AsyncExitStack]:
    """Clients entered here are closed at the end."""
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
def caller(people: AsyncExitStack) -> Make:
    async def make(base: str, *languages: str, **fields: Any) -> Client:
        return await people.enter_async_context(await clients.caller(base, *languages, **fields))

    return make


@pytest.fixture
def volunteer(people: AsyncExitStack) -> Make:
    async def make(base: str, *languages: str, **fields: Any) -> Client:
        return await people.enter_async_context(await clients.volunteer(base, *languages, **fields))

    return make
