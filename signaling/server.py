"""One server process: opens the house, listens, and leaves in good order."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import asyncpg
import structlog
from aiohttp import web

import signaling.migrate as migrate
from accounts.errors import Unavailable, VisavisError
from accounts.postgres import LOST
from matching.board import connect
from signaling.app import application, opened
from signaling.house import House
from signaling.migrate import DatabaseUnreachable
from signaling.settings import Settings

log = structlog.get_logger()

PATIENCE = 5.0
GOODBYE = 5.0
BACKLOG = 4096


class MigrationsMissing(VisavisError):
    """The database is older than this code."""

    code = "migrations_missing"
    detail = "The database is older than this visavis (%(missing)s). Run: visavis migrate"


class CacheUnreachable(VisavisError):
    """No connection, or none with this password, to this cache."""

    code = "cache_unreachable"
    detail = "The cache at %(host)s does not answer. See that Valkey or Redis runs there and check REDIS_URL."


async def meet(database_url: str, redis_url: str) -> None:
    """See that both are there and fit this code, before the port is opened.
    Raises `DatabaseUnreachable`, `DatabaseNewer`, `MigrationsMissing`, `CacheUnreachable`."""
    host = urlsplit(database_url).hostname or "localhost"
    try:
        connection = await asyncpg.connect(database_url, timeout=PATIENCE)
    except (*LOST, asyncpg.PostgresError) as error:
        raise DatabaseUnreachable(host=host, reason=type(error).__name__) from error
    try:
        missing = await migrate.pending(connection)
    finally:
        await connection.close()
    if missing:
        raise MigrationsMissing(missing=", ".join(missing))
    try:
        client = await connect(redis_url, patience=PATIENCE, size=1)
    except Unavailable as error:
        raise CacheUnreachable(host=urlsplit(redis_url).hostname or redis_url) from error
    await client.aclose()


async def serve(
    settings: Settings,
    database_url: str,
    redis_url: str,
    ready: Callable[[House], Awaitable[None]] | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM. `ready` is called once the port is open.
    Raises what `meet` raises, and `OSError` if the port is taken."""
    await meet(database_url, redis_url)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with opened(settings, database_url, redis_url) as house:
        runner = web.AppRunner(
            application(house), access_log=None, handle_signals=False, shutdown_timeout=GOODBYE, keepalive_timeout=75
        )
        await runner.setup()
        try:
            await web.TCPSite(runner, settings.host, settings.port, backlog=BACKLOG).start()
            log.info("server.listening", port=settings.port, node=house.board.node)
            # What was made until now stays for good: the collector need not look at it again.
            gc.collect()
            gc.freeze()
            if ready is not None:
                await ready(house)
            await stop.wait()
            log.info("server.stopping")
        finally:
            await runner.cleanup()
    log.info("server.stopped")
