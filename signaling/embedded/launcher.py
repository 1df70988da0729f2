"""Starts the embedded services of one DATA_DIR, for one server at a time, and stops them with it."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

from signaling.data_dir import DataDirUnusable, make
from signaling.embedded import register
from signaling.embedded.errors import AlreadyRunning
from signaling.embedded.postgres import Postgres
from signaling.embedded.valkey import Valkey

log = structlog.get_logger()

LOCK = "lock"
WATCH_EVERY = 1.0


class Embedded:
    """Services that run until `stop`."""

    def __init__(self, data_dir: Path, lock: int, services: dict[str, Postgres | Valkey]) -> None:
        self._data_dir = data_dir
        self._lock = lock
        self._services = services
        self._watch: asyncio.Task[None] | None = None

    @property
    def database_url(self) -> str | None:
        """None if Postgres was not asked for."""
        return self._url("postgres")

    @property
    def redis_url(self) -> str | None:
        """None if Valkey was not asked for."""
        return self._url("valkey")

    def _url(self, name: str) -> str | None:
        service = self._services.get(name)
        return service.url if service else None

    async def _start(self) -> None:
        await register.end_leftovers(self._data_dir)
        starts = [asyncio.ensure_future(service.start()) for service in self._services.values()]
        try:
            await asyncio.gather(*starts)
        except BaseException:
            for start in starts:
                start.cancel()
            await asyncio.gather(*starts, return_exceptions=True)
            raise
        processes = {name: register.process(service.child.pid) for name, service in self._services.items()}
        register.write(self._data_dir, processes, register.ServiceUrls(self.database_url, self.redis_url))
        self._watch = asyncio.create_task(self._report_deaths())

    async def _report_deaths(self) -> None:
        """The server lives on without them and says “unavailable”; its operator should read why."""
        alive = dict(self._services)
        while alive:
            await asyncio.sleep(WATCH_EVERY)
            for name, service in list(alive.items()):
                if service.child.returncode is not None:
                    log.error("embedded.died", what=name, code=service.child.returncode, path=str(service.log))
                    del alive[name]

    async def stop(self) -> None:
        """End the services, and let the next server begin."""
        if self._watch is not None:
            self._watch.cancel()
        try:
            await asyncio.gather(*(service.stop() for service in self._services.values()))
            register.erase(self._data_dir)
        finally:
            os.close(self._lock)


async def start(data_dir: Path, *, postgres: bool, valkey: bool, durable: bool = True) -> Embedded:
    """Start what is asked for; returns when all of it answers. `durable=False` trades safety for speed, for tests.
    Raises an `EmbeddedError` or `DataDirUnusable`, and then nothing runs."""
    data_dir = make(data_dir)
    services: dict[str, Postgres | Valkey] = {}
    if postgres:
        services["postgres"] = Postgres(data_dir, durable=durable)
    if valkey:
        services["valkey"] = Valkey(data_dir)
    embedded = Embedded(data_dir, _lock(data_dir), services)
    try:
        await embedded._start()
    except BaseException:
        await embedded.stop()
        raise
    return embedded


@asynccontextmanager
async def running(data_dir: Path, *, postgres: bool, valkey: bool, durable: bool = True) -> AsyncIterator[Embedded]:
    """`start`, and `stop` at the end."""
    embedded = await start(data_dir, postgres=postgres, valkey=valkey, durable=durable)
    try:
        yield embedded
    finally:
        await embedded.stop()


def _lock(data_dir: Path) -> int:
    """A file descriptor that holds the lock until it is closed; the kernel closes it however we end."""
    try:
        lock = os.open(data_dir / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise DataDirUnusable(data_dir, error) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        pid = os.read(lock, 20).decode() or "unknown"
        os.close(lock)
        raise AlreadyRunning(pid=pid, data_dir=data_dir) from error
    os.truncate(lock, 0)
    os.write(lock, str(os.getpid()).encode())
    return lock
