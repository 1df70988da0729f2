"""What is left after a crash of any kind, and the start after it."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import asyncpg
import msgspec
import pytest

from signaling.embedded import leftovers, register, running
from signaling.embedded.leftovers import born, postgres_of
from signaling.embedded.postgres import Postgres
from signaling.embedded.process import comes_true

CHECKOUT = Path(__file__).parents[2]


@contextmanager
def server(data_dir: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the services of this DATA_DIR."""
    command = [sys.executable, "-m", "tests.signaling.hold_services", str(data_dir)]
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "running\n"
            yield process
        finally:
            process.kill()


@contextmanager
def sleeping(user: str | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is none of ours."""
    with subprocess.Popen(["sleep", "60"], user=user) as process:
        try:
            yield process
        finally:
            process.kill()


def processes(data_dir: Path) -> dict[str, register.Process]:
    return msgspec.json.decode((data_dir / "services.json").read_bytes(), type=register.Register).services


async def answer(url: str | None) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval("SELECT answer FROM kept")
    finally:
        await connection.close()


async def start_again(data_dir: Path) -> None:
    """The point of all of this: it starts, and has what it had."""
    async with running(data_dir, postgres=True, valkey=True) as embedded:
        assert await answer(embedded.database_url) == 42


async def test_sigterm_ends_everything_in_order(used_data_dir: Path) -> None:
    with server(used_data_dir) as process:
        services = processes(used_data_dir)
        process.terminate()
        assert process.wait(20) == 0
    assert not any(service.alive for service in services.values())
    assert not (used_data_dir / "services.json").exists()
    assert "database system is shut down" in (used_data_dir / "postgres.log").read_text().splitlines()[-1]


async def test_a_key_press_in_the_terminal_reaches_only_the_server(used_data_dir: Path) -> None:
    with server(used_data_dir):
        for service in processes(used_data_dir).values():
            assert os.getsid(service.pid) == service.pid


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children that their parent died")
async def test_a_killed_server_takes_its_services_with_it(used_data_dir: Path) -> None:
    with server(used_data_dir) as process:
        services = processes(used_data_dir)
        children = postgres_of(used_data_dir / "postgres/data")
        assert len(children) > 1
        process.kill()
        process.wait(20)
    assert await comes_true(lambda: not any(service.alive for service in services.values()), 20)
    assert await comes_true(lambda: all(born(pid) is None for pid in children), 20)
    assert "received fast shutdown request" in (used_data_dir / "postgres.log").read_text()
    await start_again(used_data_dir)


async def test_the_next_start_may_follow_a_kill_at_once(used_data_dir: Path) -> None:
    with server(used_data_dir) as process:
        process.kill()
        process.wait(20)
        await start_again(used_data_dir)


async def test_everything_killed_at_once(used_data_dir: Path) -> None:
    with server(used_data_dir) as process:
        for pid in (*postgres_of(used_data_dir / "postgres/data"), processes(used_data_dir)["valkey"].pid, process.pid):
            with suppress(ProcessLookupError):  # some end with the one before
                os.kill(pid, signal.SIGKILL)
        process.wait(20)
    assert (used_data_dir / "postgres/data/postmaster.pid").exists()
    await start_again(used_data_dir)


@pytest.mark.parametrize("with_proc", [True, False])
async def test_an_orphan_is_ended_before_a_new_start(
    used_data_dir: Path, with_proc: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not with_proc:  # as on a system that is not Linux
        assert shutil.which("ps"), "install procps"
        monkeypatch.setattr(leftovers, "PROC", used_data_dir / "no-proc")
    orphan = Postgres(used_data_dir)
    await orphan.start()
    orphan.log.write_text("")
    children = set(postgres_of(used_data_dir / "postgres/data")) - {orphan.child.pid}
    told = set()
    kill = os.kill

    def tell(pid: int, number: int) -> None:
        told.add(pid)
        kill(pid, number)

    with monkeypatch.context() as patch:
        patch.setattr(os, "kill", tell)
        await start_again(used_data_dir)
    assert orphan.child.pid in told
    assert not children & told, "to its children the signal means something else"
    assert orphan.child.returncode == 0
    assert "received fast shutdown request" in orphan.log.read_text().splitlines()[0]


async def test_an_orphan_that_computes_without_its_postmaster(used_data_dir: Path) -> None:
    orphan = Postgres(used_data_dir)
    await orphan.start()
    connection = await asyncpg.connect(orphan.url)
    busy = asyncio.create_task(connection.execute("SELECT count(*) FROM generate_series(1, 1e12::bigint)"))
    await asyncio.sleep(0.2)
    os.kill(orphan.child.pid, signal.SIGKILL)
    backend = connection.get_server_pid()
    assert await comes_true(lambda: postgres_of(used_data_dir / "postgres/data") == [backend], 10)
    assert orphan.child.returncode == -signal.SIGKILL
    await start_again(used_data_dir)
    assert born(backend) is None
    with pytest.raises((asyncpg.PostgresError, OSError)):
        await busy


async def test_a_valkey_that_outlived_its_server_is_ended(used_data_dir: Path) -> None:
    with sleeping() as orphan:
        services = {"valkey": register.process(orphan.pid)}
        register.write(used_data_dir, services, register.ServiceUrls(None, None))
        async with running(used_data_dir, postgres=False, valkey=True):
            assert orphan.wait(5) == -signal.SIGTERM


async def test_a_stranger_with_the_pid_of_a_dead_service_is_left_alone(used_data_dir: Path) -> None:
    """Numbers of processes are used again, in containers soon."""
    with sleeping("nobody" if os.geteuid() == 0 else None) as stranger:
        pid_file = used_data_dir / "postgres/data/postmaster.pid"
        pid_file.write_text(f"{stranger.pid}\n{used_data_dir}/postgres/data\n1\n5432\n\n127.0.0.1\n  1  1\nready   \n")
        if os.geteuid() == 0:
            owner = pid_file.parent.stat()
            os.chown(pid_file, owner.st_uid, owner.st_gid)
        before = register.process(stranger.pid)
        services = {"valkey": register.Process(before.pid, before.born - 1)}
        register.write(used_data_dir, services, register.ServiceUrls(None, None))
        await start_again(used_data_dir)
        assert stranger.poll() is None


async def test_a_first_start_that_was_broken_off(open_folder: Path) -> None:
    draft = open_folder / "postgres/making"
    draft.mkdir(parents=True)
    draft.parent.chmod(0o711)
    (draft / "PG_VERSION").write_text("18\n")
    (open_folder / "postgres/making.password").write_text("half")
    (open_folder / "postgres/password").write_text("half")
    async with running(open_folder, postgres=True, valkey=False, durable=False):
        pass
    assert not draft.exists()
    assert not (open_folder / "postgres/making.password").exists()


async def test_a_start_that_was_broken_off_between_cluster_and_database(used_data_dir: Path) -> None:
    async def rename(url: str | None, there: str, before: str, after: str) -> None:
        connection = await asyncpg.connect(str(url).replace("/visavis?", f"/{there}?"))
        await connection.execute(f"ALTER DATABASE {before} RENAME TO {after}")
        await connection.close()

    async with running(used_data_dir, postgres=True, valkey=False) as embedded:
        await rename(embedded.database_url, "postgres", "visavis", "aside")
    async with running(used_data_dir, postgres=True, valkey=False) as embedded:
        await rename(embedded.database_url, "postgres", "visavis", "empty")
        await rename(embedded.database_url, "postgres", "aside", "visavis")
    await start_again(used_data_dir)
