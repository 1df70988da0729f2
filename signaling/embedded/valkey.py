"""The embedded Valkey: remembers nothing between starts, served on a loopback port."""

from __future__ import annotations

import asyncio
import secrets
import signal
from pathlib import Path

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from signaling.data_dir import DataDirUnusable
from signaling.embedded.errors import StartFailed
from signaling.embedded.log import last_lines, open_log
from signaling.embedded.process import GLANCE, Child, User, free_port
from signaling.embedded.user import servant
from signaling.embedded.wheels import valkey_program

TRIES = 5
START_PATIENCE = 15.0
PING_PATIENCE = 0.5
"""Short, because on a port that somebody took before us a stranger may listen who never answers."""

CONFIG = """
bind 127.0.0.1
port {port}
requirepass {password}
daemonize no
dir /
save ""
appendonly no
maxmemory 512mb
maxmemory-policy noeviction
"""
"""`noeviction`: a full cache must say so; a board with holes would not."""


class Valkey:
    """One Valkey. It can be started again after it was stopped or killed, and then keeps its port if that is free."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._child: Child | None = None
        self._port: int | None = None
        self._password = secrets.token_urlsafe(32)
        self.log = data_dir / "valkey.log"

    @property
    def child(self) -> Child:
        """Its process, once started."""
        assert self._child is not None
        return self._child

    @property
    def url(self) -> str:
        """Where it answers, once started."""
        return f"redis://:{self._password}@127.0.0.1:{self._port}/0"

    async def start(self) -> None:
        """Returns when it answers. If it raises (an `EmbeddedError` or `DataDirUnusable`), nothing is left running."""
        try:
            await self._start()
        except BaseException as error:
            await self.stop()
            if isinstance(error, OSError):
                raise DataDirUnusable(self._data_dir, error) from error
            raise

    async def _start(self) -> None:
        user = servant(self._data_dir / "valkey")  # it has no data, so nobody owns them
        program = await asyncio.to_thread(valkey_program, user)
        for _ in range(TRIES):
            if await self._serve(program, user):
                return
            self._port = None
        raise self._failed(f"no port was free in {TRIES} tries")

    async def _serve(self, program: Path, user: User | None) -> bool:
        """False if somebody took the port before us."""
        self._port = port = self._port or free_port()
        # Through stdin: everybody can read a command line.
        config = CONFIG.format(port=port, password=self._password).encode()
        with open_log(self.log) as log:
            said_before = log.tell()
            argv = [str(program), "-"]
            self._child = child = Child(argv, user=user, log=log, farewell=signal.SIGTERM, stdin=config)
        if await self._answers(child):
            return True
        if child.returncode is None:
            raise self._failed(f"it did not answer within {START_PATIENCE:.0f} seconds")
        if b"Address already in use" not in self.log.read_bytes()[said_before:]:
            raise self._failed(f"it ended with code {child.returncode}")
        return False

    async def _answers(self, child: Child) -> bool:
        once = Retry(NoBackoff(), 0)
        async with redis.asyncio.Redis.from_url(self.url, socket_timeout=PING_PATIENCE, retry=once) as client:
            try:
                async with asyncio.timeout(START_PATIENCE):
                    while child.returncode is None:
                        try:
                            await client.ping()
                        except (RedisError, OSError):
                            await asyncio.sleep(GLANCE)
                        else:
                            return child.returncode is None
            except TimeoutError:
                pass
        return False

    def _failed(self, reason: str) -> StartFailed:
        return StartFailed(service="Valkey", reason=reason, log=last_lines(self.log), setting="REDIS_URL")

    async def stop(self) -> None:
        """End it. Safe at any time."""
        if self._child is not None:
            await self._child.stop((signal.SIGTERM, 5))
