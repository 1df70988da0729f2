"""What the tests of the edge may ask for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from signaling.embedded import running
from signaling.embedded.leftovers import postgres_of
from signaling.embedded.process import comes_true
from tests import parts


@pytest.fixture(scope="session")
async def made_data_dir() -> AsyncIterator[Path]:
    with parts.open_folder() as folder:
        async with running(folder / "var", postgres=True, valkey=True) as embedded:
            connection = await asyncpg.connect(str(embedded.database_url))
            await connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
            await connection.close()
        yield folder / "var"


@pytest.fixture
async def used_data_dir(made_data_dir: Path) -> AsyncIterator[Path]:
    """A DATA_DIR that was used before, with the table `kept` in its database. The tests share it, as making one takes
    a second or two; each may use and abuse it, since to start again from anything is what it can."""
    yield made_data_dir
    data = made_data_dir / "postgres/data"
    assert await comes_true(lambda: postgres_of(data) == [], 20), "an orphan lives on"
