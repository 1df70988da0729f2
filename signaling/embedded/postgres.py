"""The embedded Postgres: kept in DATA_DIR, served on a loopback port."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import asyncpg

from signaling.data_dir import DataDirUnusable
from signaling.embedded.cluster import NAME, Cluster
from signaling.embedded.errors import StartFailed
from signaling.embedded.home import at_hand, elsewhere, settle
from signaling.embedded.leftovers import end_postgres
from signaling.embedded.log import last_lines, open_log
from signaling.embedded.process import Child, User, comes_true, free_port
from signaling.embedded.user import servant
from signaling.embedded.wheels import postgres_programs

TRIES = 5
START_PATIENCE = 120.0
"""Seconds. After a crash Postgres first does again what it had only written ahead."""

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # The text of a statement and the DETAIL of a broken constraint hold what people typed, and no log of ours may.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_checkpoints": "off",
}
UNSAFE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
"""For tests: faster, and lost when the machine crashes."""


class Postgres:
    """One Postgres. It can be started again after it was stopped or killed, and then keeps its port if that is free."""

    def __init__(self, data_dir: Path, *, durable: bool = True) -> None:
        self._data_dir = data_dir
        self._durable = durable
        self._child: Child | None = None
        self._port: int | None = None
        self._password = ""
        self.log = data_dir / "postgres.log"

    @property
    def child(self) -> Child:
        """Its first process, once started."""
        assert self._child is not None
        return self._child

    @property
    def url(self) -> str:
        """Where it answers, once started."""
        return self._url(NAME)

    def _url(self, database: str) -> str:
        # Without sslmode clients ask for TLS first, which a loopback address has no need of.
        return f"postgresql://{NAME}:{self._password}@127.0.0.1:{self._port}/{database}?sslmode=disable"

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
        user = servant(Cluster(at_hand(self._data_dir)).data)
        programs = await asyncio.to_thread(postgres_programs, user)
        for home in (at_hand(self._data_dir), elsewhere(self._data_dir)):
            await end_postgres(Cluster(home).data)
        cluster = Cluster(await asyncio.to_thread(settle, self._data_dir, user))
        await asyncio.to_thread(cluster.prepare, programs, user, durable=self._durable)
        self._password = cluster.password()
        for _ in range(TRIES):
            if await self._serve(programs / "postgres", cluster.data, user):
                return await self._make_database()
            self._port = None
        raise self._failed(f"no port was free in {TRIES} tries")

    async def _serve(self, program: Path, data: Path, user: User | None) -> bool:
        """False if somebody took the port before us."""
        self._port = port = self._port or free_port()
        settings = SETTINGS | ({} if self._durable else UNSAFE) | {"port": str(port)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with open_log(self.log) as log:
            said_before = log.tell()
            argv = [str(program), "-D", str(data), *options]
            self._child = child = Child(argv, user=user, log=log, farewell=signal.SIGINT)
        in_time = await comes_true(lambda: child.returncode is not None or _ready(data, child.pid), START_PATIENCE)
        if child.returncode is None:
            if not in_time:
                raise self._failed(f"it was not ready within {START_PATIENCE:.0f} seconds")
            return True
        if b"could not bind" not in self.log.read_bytes()[said_before:]:
            raise self._failed(f"it ended with code {child.returncode}")
        return False

    async def _make_database(self) -> None:
        try:
            connection = await asyncpg.connect(self._url("postgres"), timeout=START_PATIENCE)
            try:
                if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", NAME):
                    await connection.execute(f"CREATE DATABASE {NAME}")
            finally:
                await connection.close()
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            raise self._failed(str(error)) from error

    def _failed(self, reason: str) -> StartFailed:
        return StartFailed(service="Postgres", reason=reason, log=last_lines(self.log), setting="DATABASE_URL")

    async def stop(self) -> None:
        """Shut down fast: statements that run are broken off, what was committed is on disk. Safe at any time."""
        if self._child is not None:
            await self._child.stop((signal.SIGINT, 20), (signal.SIGQUIT, 5))


def _ready(data: Path, pid: int) -> bool:
    """Its pid file has a line for its state (that is where pg_ctl looks too)."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except OSError:
        return False
    return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"
