"""The embedded services from start to stop."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import msgspec
import pytest
import redis.asyncio
import redis.exceptions
from structlog.testing import capture_logs

from signaling.embedded import ServiceUrls, launcher, postgres, running, running_services, valkey
from signaling.embedded.errors import AlreadyRunning, StartFailed
from signaling.embedded.leftovers import postgres_of
from signaling.embedded.postgres import Postgres
from signaling.embedded.process import comes_true, free_port
from signaling.embedded.valkey import Valkey


async def sql(url: str | None, statement: str) -> object:
    assert url is not None
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


def command_lines() -> Iterator[bytes]:
    """Of every process on this machine."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # ended meanwhile
            yield path.read_bytes()


def environment(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


def listening() -> Iterator[tuple[str, int]]:
    """Address and port of every listening TCP socket on this machine."""
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            _, local, _, state, *_ = line.split()
            if state == "0A":
                address, port = local.split(":")
                yield address, int(port, 16)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


async def test_the_database_is_kept_and_the_cache_is_not(used_data_dir: Path) -> None:
    async with running(used_data_dir, postgres=True, valkey=True) as embedded:
        await sql(embedded.database_url, "UPDATE kept SET answer = 42")
        async with redis.asyncio.Redis.from_url(str(embedded.redis_url)) as client:
            await client.set("kept", "no")
    async with running(used_data_dir, postgres=True, valkey=True) as embedded:
        assert await sql(embedded.database_url, "SELECT answer FROM kept") == 42
        async with redis.asyncio.Redis.from_url(str(embedded.redis_url)) as client:
            assert await client.get("kept") is None
            assert await client.config_get("save", "appendonly") == {"save": "", "appendonly": "no"}


async def test_only_what_is_asked_for_runs(open_folder: Path) -> None:
    async with running(open_folder, postgres=False, valkey=True) as embedded:
        assert embedded.database_url is None
        assert running_services(open_folder) == ServiceUrls(None, embedded.redis_url)
        assert not (open_folder / "postgres").exists()


async def test_a_second_process_finds_the_services(used_data_dir: Path) -> None:
    assert running_services(used_data_dir) is None
    async with running(used_data_dir, postgres=True, valkey=True) as embedded:
        assert running_services(used_data_dir) == ServiceUrls(embedded.database_url, embedded.redis_url)
    assert running_services(used_data_dir) is None
    assert not (used_data_dir / "services.json").exists()


@pytest.mark.parametrize("gone", ["server", "postgres"])
async def test_services_of_a_server_that_died_are_not_found(used_data_dir: Path, gone: str) -> None:
    """Its pid lives on as somebody else's: only the time of birth tells."""
    async with running(used_data_dir, postgres=True, valkey=False):
        entry = msgspec.json.decode((used_data_dir / "services.json").read_bytes())
        process = entry["server"] if gone == "server" else entry["services"]["postgres"]
        process["born"] -= 1
        (used_data_dir / "services.json").write_bytes(msgspec.json.encode(entry))
        assert running_services(used_data_dir) is None


async def test_everything_in_the_folder_is_closed_to_others(used_data_dir: Path) -> None:
    async with running(used_data_dir, postgres=True, valkey=True):
        names = ("lock", "services.json", "postgres.log", "valkey.log", "postgres/password")
        assert {name: mode(used_data_dir / name) for name in names} == dict.fromkeys(names, 0o600)
        assert mode(used_data_dir / "postgres/data") == 0o700
        assert mode(used_data_dir) & 0o066 == 0, "nobody else lists it"


async def test_a_second_server_is_refused_with_the_pid_of_the_first(used_data_dir: Path) -> None:
    async with running(used_data_dir, postgres=True, valkey=False) as first:
        with pytest.raises(AlreadyRunning, match="DATA_DIR") as refused:
            await launcher.start(used_data_dir, postgres=True, valkey=True)
        assert refused.value.code == "already_running"
        assert refused.value.data == {"pid": str(os.getpid()), "data_dir": used_data_dir}
        assert await sql(first.database_url, "SELECT 1") == 1
        assert running_services(used_data_dir) is not None
    async with running(used_data_dir, postgres=True, valkey=False):
        pass


async def test_no_command_line_shows_a_password_and_no_service_our_environment(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "canary-in-the-environment")
    first, second = Postgres(open_folder), Valkey(open_folder)
    seen: list[bytes] = []

    started = asyncio.gather(first.start(), second.start())

    def look() -> bool:
        seen.extend(command_lines())
        return started.done()

    assert await comes_true(look, 30)
    await started
    passwords = [(open_folder / "postgres/password").read_bytes(), second.url.split(":")[2].split("@")[0].encode()]
    assert any(b"initdb" in line for line in seen)
    assert any(b"valkey-server" in line for line in seen)
    assert all(len(password) > 30 and password not in line for password in passwords for line in seen)
    assert b"canary" not in environment(first.child.pid) + environment(second.child.pid)
    await asyncio.gather(first.stop(), second.stop())


async def test_nobody_comes_in_without_the_password(used_data_dir: Path) -> None:
    async with running(used_data_dir, postgres=True, valkey=True) as embedded:
        url = str(embedded.database_url)
        with pytest.raises(asyncpg.InvalidPasswordError):
            await sql(url.replace("visavis:", "visavis:x"), "SELECT 1")
        methods = "SELECT array_agg(DISTINCT auth_method) FROM pg_hba_file_rules"
        assert await sql(url, methods) == ["scram-sha-256"]
        without = str(embedded.redis_url).split("@")[1]
        async with redis.asyncio.Redis.from_url(f"redis://{without}") as client:
            with pytest.raises(redis.exceptions.AuthenticationError):
                await client.ping()


async def test_they_listen_on_loopback_only(used_data_dir: Path) -> None:
    async with running(used_data_dir, postgres=True, valkey=True) as embedded:
        ports = {int(str(url).rsplit(":", 1)[1].split("/")[0]) for url in (embedded.database_url, embedded.redis_url)}
        found = sorted((address, port) for address, port in listening() if port in ports)
        assert found == sorted(("0100007F", port) for port in ports)
        assert await sql(embedded.database_url, "SHOW unix_socket_directories") == ""


async def test_the_database_is_safe_and_the_same_everywhere(used_data_dir: Path) -> None:
    async with running(used_data_dir, postgres=True, valkey=False) as embedded:
        url = embedded.database_url
        shown = {name: await sql(url, f"SHOW {name}") for name in ("fsync", "synchronous_commit", "full_page_writes")}
        assert set(shown.values()) == {"on"}
        described = "SELECT datlocprovider::text || datlocale || pg_encoding_to_char(encoding) FROM pg_database"
        assert await sql(url, f"{described} WHERE datname = current_database()") == "bC.UTF-8UTF8"
        assert await sql(url, "SELECT upper('é')") == "É"


async def test_the_log_holds_nothing_that_people_typed(used_data_dir: Path) -> None:
    async with running(used_data_dir, postgres=True, valkey=False) as embedded:
        await sql(embedded.database_url, "CREATE TABLE IF NOT EXISTS address (email text UNIQUE)")
        await sql(embedded.database_url, "INSERT INTO address VALUES ('canary@visavis.test')")
        with pytest.raises(asyncpg.UniqueViolationError):
            await sql(embedded.database_url, "INSERT INTO address VALUES ('canary@visavis.test')")
    log = (used_data_dir / "postgres.log").read_text()
    assert "duplicate key value violates unique constraint" in log
    assert "canary" not in log


@pytest.mark.parametrize("service", [Postgres, Valkey])
async def test_a_port_that_is_taken_is_not_fatal(
    service: type[Postgres] | type[Valkey], used_data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = iter([taken.getsockname()[1], free_port()])
        monkeypatch.setattr(postgres, "free_port", lambda: next(ports))
        monkeypatch.setattr(valkey, "free_port", lambda: next(ports))
        served = service(used_data_dir)
        await served.start()
        try:
            assert str(taken.getsockname()[1]) not in served.url
        finally:
            await served.stop()


async def test_after_a_stop_they_come_back_where_they_were(used_data_dir: Path) -> None:
    for service in (Postgres(used_data_dir), Valkey(used_data_dir)):
        await service.start()
        before = service.url
        await service.stop()
        await service.start()
        assert service.url == before
        await service.stop()


async def test_if_one_fails_the_other_is_stopped_too(used_data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(valkey, "valkey_program", lambda user: Path("/bin/false"))
    with pytest.raises(StartFailed, match="Valkey did not start: it ended with code 1") as failed:
        await launcher.start(used_data_dir, postgres=True, valkey=True)
    assert failed.value.data["setting"] == "REDIS_URL"
    assert postgres_of(used_data_dir / "postgres/data") == []
    assert running_services(used_data_dir) is None
    async with running(used_data_dir, postgres=True, valkey=False):
        pass


async def test_if_one_fails_nobody_waits_for_the_other(used_data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database may take minutes to recover."""

    async def never(_: Postgres) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(Postgres, "_start", never)
    monkeypatch.setattr(valkey, "valkey_program", lambda user: Path("/bin/false"))
    async with asyncio.timeout(10):
        with pytest.raises(StartFailed):
            await launcher.start(used_data_dir, postgres=True, valkey=True)


async def test_a_start_that_is_cancelled_leaves_nothing(used_data_dir: Path) -> None:
    async with running(used_data_dir, postgres=True, valkey=False):
        pass
    starting = asyncio.create_task(launcher.start(used_data_dir, postgres=True, valkey=True))
    assert await comes_true(lambda: bool(postgres_of(used_data_dir / "postgres/data")), 10)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert postgres_of(used_data_dir / "postgres/data") == []
    async with running(used_data_dir, postgres=True, valkey=True):
        pass


async def test_a_service_that_dies_is_reported(used_data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launcher, "WATCH_EVERY", 0.01)
    with capture_logs() as logs:
        async with running(used_data_dir, postgres=False, valkey=True) as embedded:
            async with redis.asyncio.Redis.from_url(str(embedded.redis_url)) as client:
                await client.shutdown(nosave=True)
            assert await comes_true(lambda: bool(logs), 5)
    assert logs == [
        {"event": "embedded.died", "log_level": "error", "what": "valkey", "code": 0}
        | {"path": str(used_data_dir / "valkey.log")}
    ]


async def test_a_large_log_is_begun_anew(open_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signaling.embedded.log.LARGE", 10)
    (open_folder / "valkey.log").write_text("old " * 10)
    service = Valkey(open_folder)
    await service.start()
    await service.stop()
    assert (open_folder / "valkey.log.1").read_text().startswith("old")
    assert "old" not in (open_folder / "valkey.log").read_text()
