"""Brings a database to the state this code expects. Alembic keeps the order and remembers what was done; the steps are
plain SQL beside each floor (`accounts/migrations`, `matching/migrations`, `rating/migrations`)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from accounts.errors import VisavisError
from accounts.postgres import LOST, Connection

HERE = Path(__file__).parent
FLOORS = ("accounts", "matching", "rating")
LOCK = int.from_bytes(b"visavis")
"""Of the Postgres advisory lock that lets one migration run at a time."""

APPLIED = "SELECT version_num FROM public.alembic_version"
IS_NEW = "SELECT to_regclass('public.alembic_version') IS NULL"
WAIT_IN_LINE = "SELECT pg_advisory_xact_lock(:lock)"


class DatabaseUnreachable(VisavisError):
    """No connection, or none with this password, to this database."""

    code = "database_unreachable"
    detail = "The database at %(host)s cannot be used: %(reason)s. See that Postgres runs there and check DATABASE_URL."


class DatabaseNewer(VisavisError):
    """A later visavis has been here."""

    code = "database_newer"
    detail = (
        "The database was changed by a newer visavis than this one (it knows %(unknown)s). Start the newer one, or "
        "bring back the backup from before the upgrade."
    )


async def migrate(database_url: str) -> list[str]:
    """Do what is pending, all of it or nothing, and return the revisions done; two at once do it once. Raises
    `DatabaseUnreachable` and `DatabaseNewer`."""

    async def connect() -> asyncpg.Connection[asyncpg.Record]:
        try:  # asyncpg itself reads the URL, so that here it means what it means everywhere
            return await asyncpg.connect(database_url)
        except (*LOST, asyncpg.PostgresError) as error:
            host = urlsplit(database_url).hostname or "localhost"
            reason = str(error) or type(error).__name__
            raise DatabaseUnreachable(host=host, reason=reason.rstrip(".")) from error

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    async with engine.begin() as connection:
        await connection.execute(sqlalchemy.text(WAIT_IN_LINE), {"lock": LOCK})
        return await connection.run_sync(_upgrade)


def _upgrade(connection: sqlalchemy.Connection) -> list[str]:
    is_new = connection.scalar(sqlalchemy.text(IS_NEW))
    _pending(() if is_new else connection.scalars(sqlalchemy.text(APPLIED)).all())
    done: list[str] = []

    def note(*, step: Any, **_: object) -> None:
        done.append(step.up_revision_id)

    config = _config()
    config.attributes["connection"] = connection
    config.attributes["options"] = {"on_version_apply": note, "version_table_schema": "public"}
    command.upgrade(config, "heads")
    return done


async def pending(connection: Connection) -> list[str]:
    """The revisions this database lacks, in the order they would be done; none: it is as this code expects. Raises
    `DatabaseNewer`."""
    if await connection.fetchval(IS_NEW):
        return _pending(())
    return _pending([row["version_num"] for row in await connection.fetch(APPLIED)])


def _pending(applied: Collection[str]) -> list[str]:
    before = _revisions()
    unknown = sorted(set(applied) - before.keys())
    if unknown:
        raise DatabaseNewer(unknown=", ".join(unknown))
    done = set(applied).union(*(before[revision] for revision in applied))
    return [revision for revision in before if revision not in done]


@cache
def _revisions() -> dict[str, frozenset[str]]:
    """Every revision in the order they are done, with all that must be done before it: Alembic's table names only the
    last of each line, and leaves out what another line depends on."""
    scripts = ScriptDirectory.from_config(_config())
    before: dict[str, frozenset[str]] = {}
    for script in reversed(list(scripts.walk_revisions())):
        parents = (scripts.get_revision(name).revision for name in _names(script.down_revision, script.dependencies))
        before[script.revision] = frozenset().union(*({parent} | before[parent] for parent in parents))
    return before


def _names(*links: str | Sequence[str] | None) -> list[str]:
    return [name for link in links for name in ([link] if isinstance(link, str) else link or ())]


def _config() -> Config:
    config = Config()
    folders = [str(HERE.parent / floor / "migrations") for floor in FLOORS]
    for name, value in {
        "script_location": str(HERE / "migrations"),
        "version_locations": "\n".join(folders),
        "path_separator": "newline",
    }.items():
        config.set_main_option(name, value.replace("%", "%%"))
    return config
