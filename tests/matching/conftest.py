"""What tests of this floor may ask for."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from matching.candidates import Client, close_index, connect_index


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[Client]:
    """A client for the candidate index, over the cache of all tests."""
    client = await connect_index(redis_url)
    yield client
    await close_index(client)
