"""A browser, a server of the test's own, and people in front of it.

Every page is watched: whatever it asks of another host, every error in its console and every violation of its own
policy fails the test at the end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
from playwright.async_api import Browser, async_playwright

from signaling import development
from tests.house import Server, serving
from tests.web.people import CHROMIUM, Visitor

Visit = Callable[..., Awaitable[Visitor]]
Serve = Callable[..., Awaitable[Server]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of these tests drive Chromium."""
    for item in items:
        if "tests/web/" in item.path.as_posix():
            item.add_marker("browser")


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(**CHROMIUM)
        yield started
        await started.close()


@pytest.fixture
async def serve(database_url: str, redis_url: str, prefix: str) -> AsyncIterator[Serve]:
    """Starts nodes over the test's own database, with the settings it names; all of them stop at the end."""
    async with AsyncExitStack() as stack:

        async def start(**environ: str) -> Server:
            node = serving(database_url, redis_url, prefix, **environ)
            made = await stack.enter_async_context(node)
            await development.seed(made.house.pool)
            return made

        yield start


@pytest.fixture
async def server(serve: Serve) -> Server:
    """A node with the ready-made people."""
    return await serve()


@pytest.fixture
async def visit(browser: Browser) -> AsyncIterator[Visit]:
    """Opens a browser of somebody's own, signed in as one of the ready-made people if named."""
    visitors: list[Visitor] = []

    async def come(server: Server, name: str | None = None, **options: object) -> Visitor:
        visitor = await Visitor.coming(browser, server, name, **options)
        visitors.append(visitor)
        return visitor

    yield come
    for visitor in visitors:
        await visitor.leave()
    for visitor in visitors:
        assert not visitor.complaints, visitor.name
