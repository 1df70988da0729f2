"""How every floor talks to Postgres: one pool, short transactions, failures told apart from refusals."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import asyncpg
import msgspec

from accounts.errors import Unavailable

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

# asyncpg's classes take no type arguments at run time.
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Row = asyncpg.Record

RETRY_AFTER = 5
CLOSE_WITHIN = 5
LOST = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.DiskFullError,
    asyncpg.QueryCanceledError,
    asyncpg.LockNotAvailableError,
)
"""What asyncpg raises when the server is away, full or stuck rather than when it refuses a statement."""


async def _set_up(connection: Connection) -> None:
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", encoder=_encode_json, decoder=msgspec.json.decode, format="text"
    )


async def _leave_as_is(connection: Connection) -> None:
    """asyncpg would reset a session with a round trip of its own each time it goes back to the pool. We set nothing
    outside transactions, so there is nothing to reset."""


def _encode_json(value: object) -> str:
    return msgspec.json.encode(value).decode()


async def open_pool(url: str, *, size: int = 10, patience: float = 5) -> Pool:
    """A pool of at most `size` connections; a statement gets `patience` seconds. Raises `Unavailable`.

    `lock_timeout` stays below `patience`, so that a stuck lock is named by Postgres and the connection survives."""
    try:
        pool = await asyncpg.create_pool(
            url,
            min_size=1,
            max_size=size,
            timeout=patience,
            command_timeout=patience,
            init=_set_up,
            reset=_leave_as_is,
            server_settings={
                "application_name": "visavis",
                "lock_timeout": str(int(patience * 800)),
                "idle_in_transaction_session_timeout": str(int(patience * 2000)),
            },
        )
    except LOST as error:
        raise Unavailable(retry_after=RETRY_AFTER) from error
    return pool


async def close_pool(pool: Pool) -> None:
    """Close every connection: in good order, or after a moment without."""
    try:
        async with asyncio.timeout(CLOSE_WITHIN):
            await pool.close()
    except TimeoutError:
        pool.terminate()


@asynccontextmanager
async def borrowed(pool: Pool) -> AsyncIterator[Connection]:
    """A connection from the pool. A server that is away becomes `Unavailable`."""
    try:
        # Not acquire's own timeout: it uses asyncio.wait_for, which can lose a connection when its task is cancelled.
        async with asyncio.timeout(RETRY_AFTER):
            connection = await pool.acquire()
        try:
            yield connection
        finally:
            await pool.release(connection)
    except LOST as error:
        raise Unavailable(retry_after=RETRY_AFTER) from error


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Connection]:
    """A transaction on a connection of its own; commits at the end, rolls back on an error."""
    async with borrowed(pool) as connection, connection.transaction():
        yield connection


def run_migration(version_file: str, sql_file: str) -> None:
    """Run a plain SQL file that lies beside an Alembic version file, in Alembic's transaction. The driver itself runs
    it: SQLAlchemy would prepare it, and a prepared statement cannot hold several commands."""
    from alembic import op  # only `visavis migrate` needs it

    sql = Path(version_file).with_name(sql_file).read_text()
    adapted = cast(Any, op.get_bind().connection.dbapi_connection)
    adapted.run_async(lambda driver: driver.execute(sql))
