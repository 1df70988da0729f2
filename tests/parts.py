"""What tests and benchmarks stand on: real services of their own, and a fresh migrated database in a moment."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg

from signaling.embedded import Embedded, running
from signaling.embedded.postgres import Postgres
from signaling.embedded.valkey import Valkey
from signaling.migrate import migrate

TEMPLATE = "migrated"


@contextmanager
def open_folder() -> Iterator[Path]:
    """A temporary folder through which the user of the services may pass (those of pytest are closed), gone at the
    end."""
    folder = Path(tempfile.mkdtemp(prefix="visavis-tests-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@asynccontextmanager
async def services(*, durable: bool = False) -> AsyncIterator[Embedded]:
    """A Postgres and a Valkey with nothing in them."""
    with open_folder() as folder:
        async with running(folder / "var", postgres=True, valkey=True, durable=durable) as embedded:
            yield embedded


@asynccontextmanager
async def own_postgres() -> AsyncIterator[Postgres]:
    """A migrated Postgres to stop, kill and start again."""
    with open_folder() as folder:
        postgres = Postgres(folder, durable=False)
        await postgres.start()
        try:
            await migrate(postgres.url)
            yield postgres
        finally:
            await postgres.stop()


@asynccontextmanager
async def own_valkey() -> AsyncIterator[Valkey]:
    """A Valkey to flush, stop, kill and start again."""
    with open_folder() as folder:
        valkey = Valkey(folder)
        await valkey.start()
        try:
            yield valkey
        finally:
            await valkey.stop()


class Databases:
    """Makes migrated databases by copying one."""

    def __init__(self, url: str, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        self._url = url
        self._connection = connection

    def _named(self, name: str) -> str:
        return urlsplit(self._url)._replace(path=f"/{name}").geturl()

    @classmethod
    @asynccontextmanager
    async def on(cls, url: str) -> AsyncIterator[Databases]:
        """On the server at `url`, whose role may make databases."""
        connection = await asyncpg.connect(url)
        try:
            databases = cls(url, connection)
            await migrate(await databases.empty(TEMPLATE))
            yield databases
        finally:
            await connection.close()

    async def empty(self, name: str | None = None, template: str = "template1") -> str:
        """The URL of a new database with nothing in it."""
        name = name or f"t{uuid4().hex[:12]}"
        await self._connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self._named(name)

    async def migrated(self) -> str:
        """The URL of a new database that is migrated."""
        return await self.empty(template=TEMPLATE)

    async def drop(self, url: str) -> None:
        """Whoever is connected to it is thrown out."""
        await self._connection.execute(f"DROP DATABASE {urlsplit(url).path[1:]} WITH (FORCE)")
