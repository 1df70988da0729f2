"""A start that cannot be says why, and what to do."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from signaling.data_dir import DataDirUnusable
from signaling.embedded import running, wheels
from signaling.embedded.errors import EmbeddedError, NotInstalled, OtherVersion, PasswordLost, StartFailed
from signaling.embedded.leftovers import postgres_of
from signaling.embedded.postgres import Postgres
from signaling.embedded.valkey import Valkey


async def start(data_dir: Path) -> None:
    async with running(data_dir, postgres=True, valkey=False):
        pass


async def test_data_of_another_version(used_data_dir: Path) -> None:
    version = used_data_dir / "postgres/data/PG_VERSION"
    ours = version.read_text()
    version.write_text("15\n")
    with pytest.raises(OtherVersion, match=r"Postgres 15.*pg_dumpall") as refused:
        await start(used_data_dir)
    assert refused.value.code == "embedded_other_version"
    assert refused.value.data == {"path": version.parent, "found": "15", "ours": ours.strip()}
    version.write_text(ours)
    await start(used_data_dir)


async def test_a_lost_password(used_data_dir: Path) -> None:
    password = used_data_dir / "postgres/password"
    password.rename(used_data_dir / "aside")
    with pytest.raises(PasswordLost, match=re.escape(str(password))):
        await start(used_data_dir)
    (used_data_dir / "aside").rename(password)
    await start(used_data_dir)


async def test_damaged_data_are_named_by_the_log(used_data_dir: Path) -> None:
    control = used_data_dir / "postgres/data/global/pg_control"
    control.rename(used_data_dir / "aside")
    with pytest.raises(StartFailed, match="DATABASE_URL") as failed:
        await start(used_data_dir)
    assert failed.value.code == "embedded_start_failed"
    assert "pg_control" in str(failed.value.data["log"])
    assert postgres_of(used_data_dir / "postgres/data") == []
    (used_data_dir / "aside").rename(control)
    await start(used_data_dir)


@pytest.fixture
def small_disk(open_folder: Path) -> Iterator[Path]:
    """A file system with room for half a database."""
    disk = open_folder / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m,mode=711", "visavis", disk], check=True)
    try:
        yield disk
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
async def test_a_full_disk(small_disk: Path) -> None:
    with pytest.raises(StartFailed, match="No space left on device") as failed:
        await start(small_disk / "var")
    assert failed.value.data["service"] == "Postgres"
    assert not (small_disk / "var/postgres/data").exists()
    assert not (small_disk / "var/postgres/making").exists()
    subprocess.run(["mount", "-o", "remount,size=200m", small_disk], check=True)  # noqa: ASYNC221 (it takes no time)
    await start(small_disk / "var")


async def test_a_data_dir_that_is_a_file(open_folder: Path) -> None:
    (open_folder / "var").touch()
    for data_dir in (open_folder / "var", open_folder / "var/below"):
        with pytest.raises(DataDirUnusable, match="set DATA_DIR") as refused:
            await start(data_dir)
        assert refused.value.code == "data_dir_unusable"


@pytest.mark.parametrize(("service", "setting"), [(Postgres, "DATABASE_URL"), (Valkey, "REDIS_URL")])
@pytest.mark.parametrize("missing", ["wheel", "program"])
async def test_a_platform_without_the_wheel(
    service: type[Postgres] | type[Valkey],
    setting: str,
    missing: str,
    open_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spec = None if missing == "wheel" else ModuleSpec("package", None, origin=str(open_folder / "package/__init__.py"))
    monkeypatch.setattr(wheels, "find_spec", lambda name: spec)
    with pytest.raises(NotInstalled, match=f"set {setting}"):
        await service(open_folder).start()


async def test_a_program_that_does_not_run_here(used_data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = used_data_dir / "programs"
    folder.mkdir(exist_ok=True)
    (folder / "postgres").write_text("#!/bin/sh\necho 'no such library' >&2\nexit 127\n")
    (folder / "postgres").chmod(0o755)
    monkeypatch.setattr("signaling.embedded.postgres.postgres_programs", lambda user: folder)
    with pytest.raises(NotInstalled, match="no such library"):
        await start(used_data_dir)


def test_every_error_has_a_code_of_its_own_and_says_what_to_do() -> None:
    errors = EmbeddedError.__subclasses__()
    assert len({error.code for error in errors}) == len(errors) > 5
    for error in errors:
        assert re.search(r"\b(Stop|Install|Mend|Dump|Let|Bring|set)\b", error.detail)
