"""From an empty database to the one this code expects, and no further."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from accounts.errors import VisavisError
from accounts.postgres import Connection
from signaling import migrate as subject
from signaling.embedded.process import free_port
from signaling.migrate import DatabaseNewer, DatabaseUnreachable, migrate, pending

FLOORS = Path(subject.__file__).parents[1]
STEPS = sorted(path.stem[:4] + floor for floor in subject.FLOORS for path in FLOORS.glob(f"{floor}/migrations/*.py"))
TABLES = """
SELECT coalesce(array_agg(schemaname || '.' || tablename), '{}') FROM pg_tables
WHERE schemaname NOT IN ('pg_catalog', 'information_schema')
"""


@pytest.fixture
async def connection(empty_database_url: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(empty_database_url)
    yield connection
    await connection.close()


@pytest.fixture
def broken_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more step after all others, whose second half fails."""
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations/0001_broken.py").write_text(
        "from accounts.postgres import run_migration\n"
        "revision, down_revision, branch_labels = 'broken_0001', None, None\n"
        "depends_on = ('rating_0001', 'matching_0002')\n"
        "def upgrade(): run_migration(__file__, '0001_broken.sql')\n"
    )
    (tmp_path / "migrations/0001_broken.sql").write_text("CREATE TABLE half (id int); CREATE TABLE half (id int);")
    monkeypatch.setattr(subject, "FLOORS", (*subject.FLOORS, str(tmp_path)))
    subject._revisions.cache_clear()


@pytest.fixture(autouse=True)
def _fresh_revisions() -> Iterator[None]:
    yield
    subject._revisions.cache_clear()


async def test_a_second_time_there_is_nothing_to_do(connection: Connection, empty_database_url: str) -> None:
    expected = await pending(connection)
    assert sorted(f"{name.rpartition('_')[2]}{name.partition('_')[0]}" for name in expected) == STEPS
    assert await migrate(empty_database_url) == expected
    assert await pending(connection) == []
    before = await connection.fetchval(TABLES)
    assert {name.split(".")[0] for name in before} == {"accounts", "matching", "rating", "public"}
    assert await migrate(empty_database_url) == []
    assert await connection.fetchval(TABLES) == before


async def test_three_at_once_do_it_once(connection: Connection, empty_database_url: str) -> None:
    everything = await pending(connection)
    done = await asyncio.gather(*(migrate(empty_database_url) for _ in range(3)))
    assert sorted(done) == [[], [], everything]


async def test_what_is_pending_in_between(connection: Connection, empty_database_url: str) -> None:
    everything = await migrate(empty_database_url)
    for applied in ("matching_0002", "matching_0001", "accounts_0001"):
        await connection.execute("DELETE FROM alembic_version")
        await connection.execute("INSERT INTO alembic_version VALUES ($1)", applied)
        left = await pending(connection)
        assert applied not in left
        assert "rating_0001" in left
        assert left == [name for name in everything if name in left]
    assert {"accounts_0002", "matching_0001", "matching_0002"} <= set(await pending(connection))


async def test_a_newer_database_is_left_alone(connection: Connection, empty_database_url: str) -> None:
    await migrate(empty_database_url)
    await connection.execute("INSERT INTO alembic_version VALUES ('rating_9999')")
    for refused in (migrate(empty_database_url), pending(connection)):
        with pytest.raises(DatabaseNewer, match="newer visavis") as newer:
            await refused
        assert newer.value.code == "database_newer"
        assert newer.value.data == {"unknown": "rating_9999"}


@pytest.mark.usefixtures("broken_step")
async def test_all_or_nothing(connection: Connection, empty_database_url: str) -> None:
    assert (await pending(connection))[-1] == "broken_0001"
    with pytest.raises(asyncpg.DuplicateTableError):
        await migrate(empty_database_url)
    assert await connection.fetchval(TABLES) == []
    assert len(await pending(connection)) > 3


@pytest.mark.parametrize(
    "change",
    [
        ("postgresql://", "postgres://"),
        ("sslmode=disable", "sslmode=prefer&target_session_attrs=read-write"),
        ("sslmode=disable", "search_path=pg_catalog&application_name=deploy"),
    ],
)
async def test_urls_mean_what_they_mean_elsewhere(
    change: tuple[str, str], connection: Connection, empty_database_url: str
) -> None:
    assert change[0] in empty_database_url
    assert await migrate(empty_database_url.replace(*change)) != []
    assert await pending(connection) == []
    assert await connection.fetchval("SELECT count(*) FROM public.alembic_version") > 0


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("visavis:", "visavis:wrong-"), "password authentication failed"),
        (("/t", "/none"), "does not exist"),
        (("sslmode=disable", "sslmode=require"), "SSL"),
        (("sslmode=disable", "sslmode=nonsense"), "sslmode"),
        (("port", "free port"), "Connect call failed"),
    ],
)
async def test_a_database_that_cannot_be_used(change: tuple[str, str], reason: str, empty_database_url: str) -> None:
    password = empty_database_url.split(":")[2].split("@")[0]
    if change == ("port", "free port"):
        change = (empty_database_url.split(":")[3].split("/")[0], str(free_port()))
    with pytest.raises(DatabaseUnreachable, match="DATABASE_URL") as refused:
        await migrate(empty_database_url.replace(*change))
    assert isinstance(refused.value, VisavisError)
    assert refused.value.code == "database_unreachable"
    assert reason in str(refused.value)
    assert password not in str(refused.value)


async def test_a_checkout_with_a_strange_name(
    tmp_path: Path, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    strange = tmp_path / "50% off: my, things"
    for folder in ("signaling/migrations", *(f"{floor}/migrations" for floor in subject.FLOORS)):
        shutil.copytree(FLOORS / folder, strange / folder)
    monkeypatch.setattr(subject, "HERE", strange / "signaling")
    subject._revisions.cache_clear()
    assert len(await migrate(empty_database_url)) == len(STEPS)
