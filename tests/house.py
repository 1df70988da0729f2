"""Server processes for tests: in this process, as many as a test wants, on real ports over real services."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from aiohttp import web

from signaling import settings
from signaling.app import application, opened
from signaling.house import House

SECRET = "tests-only-" + "s" * 40


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """One node: its house, and where it listens."""

    def __init__(self, house: House, base: str) -> None:
        self.house = house
        self.base = base


@asynccontextmanager
async def serving(database_url: str, redis_url: str, prefix: str, **environ: str) -> AsyncIterator[Server]:
    """A node that serves until the end of the block, as `visavis dev` does; with `PRODUCTION="yes"`, as `serve`."""
    development = not environ.pop("PRODUCTION", "")
    port = free_port()
    names = {"PORT": str(port), "SECRET_KEY": SECRET, "REDIS_PREFIX": prefix} | environ
    configured = settings.read(names, development=development)
    async with opened(configured, database_url, redis_url) as house:
        runner = web.AppRunner(application(house), access_log=None, shutdown_timeout=1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", port).start()
            async with asyncio.timeout(5):
                await house.bus.listening.wait()
            yield Server(house, f"http://127.0.0.1:{port}")
        finally:
            await runner.cleanup()


@asynccontextmanager
async def two_nodes(database_url: str, redis_url: str, prefix: str, **environ: str) -> AsyncIterator[list[Server]]:
    """Two nodes over the same database and cache."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(serving(database_url, redis_url, prefix, **environ)) for _ in range(2)]
