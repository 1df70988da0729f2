"""The statements of every floor against the schema its migrations make."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

import accounts
import matching
import rating
from accounts.postgres import Connection

FLOORS = (accounts, matching, rating)
STATEMENT = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH|LOCK|MERGE|NOTIFY|VALUES)\b")

UNINDEXED = """
SELECT c.conrelid::regclass || '.' || string_agg(a.attname, ',' ORDER BY a.attnum)
FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey)
WHERE c.contype = 'f' AND NOT EXISTS (
    SELECT 1 FROM pg_index i
    WHERE i.indrelid = c.conrelid AND (i.indkey::int2[])[0:cardinality(c.conkey) - 1] @> c.conkey)
GROUP BY c.oid, c.conrelid
"""


def statements() -> Iterator[tuple[str, str]]:
    """Every module constant that is a statement."""
    for floor in FLOORS:
        for module in pkgutil.walk_packages(floor.__path__, f"{floor.__name__}."):
            if ".migrations" not in module.name:
                for name, value in vars(importlib.import_module(module.name)).items():
                    if name.isupper() and isinstance(value, str) and STATEMENT.match(value):
                        yield f"{module.name}.{name}", value


STATEMENTS = dict(statements())


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def test_every_statement_fits_the_schema(connection: Connection) -> None:
    wrong = {}
    for name, statement in STATEMENTS.items():
        try:
            await connection.prepare(statement)
        except asyncpg.PostgresError as error:
            wrong[name] = str(error)
    assert wrong == {}
    assert {name.split(".")[0] for name in STATEMENTS} == {"accounts", "matching", "rating"}


NEEDS_NO_INDEX = {
    "accounts.outbox.person_id": "a row is gone within seconds, and people are never deleted",
    "rating.rating.rater_id": "a rating is looked for by its call, which the primary key begins with",
}
"""Foreign keys without an index that begins with them, and why."""


async def test_every_foreign_key_can_be_followed_back(connection: Connection) -> None:
    found = {str(row[0]) for row in await connection.fetch(UNINDEXED)}
    assert found == NEEDS_NO_INDEX.keys()


def test_every_migration_is_plain_sql_beside_its_step() -> None:
    for floor in FLOORS:
        folder = Path(floor.__path__[0], "migrations")
        steps = {path.stem: path.read_text() for path in folder.glob("*.py")}
        scripts = {path.name for path in folder.glob("*.sql")}
        assert {name for step in steps.values() for name in re.findall(r'"(\d{4}_\w+\.sql)"', step)} == scripts
        assert all(re.fullmatch(r"\d{4}_(pre|post)_[a-z_]+\.sql", name) for name in scripts)
        assert [name[:4] for name in sorted(steps)] == [f"{n:04}" for n in range(1, len(steps) + 1)]
