"""The cache forgets everything, or goes; the database goes. Calls live on, requests are rung again, and whoever asks
meanwhile hears a code, a sentence, and when to try again."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator

import asyncpg
import pytest

from accounts.postgres import Pool, open_pool
from signaling.embedded.postgres import Postgres
from signaling.embedded.valkey import Valkey
from tests.client import Client, Refused, new_id
from tests.flows.conftest import Make
from tests.flows.test_one_call import connected, rung
from tests.house import Server, free_port, serving


@pytest.fixture
async def forgetful(database_url: str, flushable_redis: Valkey) -> AsyncIterator[Server]:
    """A node whose cache is its own."""
    async with serving(database_url, flushable_redis.url, "own:") as made:
        yield made


async def flush(server: Server) -> None:
    await server.house.redis.flushall()


async def test_the_cache_is_flushed_in_mid_wave(forgetful: Server, caller: Make, volunteer: Make) -> None:
    asker, first = await caller(forgetful.base), await volunteer(forgetful.base)
    await asker.ask()
    ring = await first.expect("offer.ring")
    await flush(forgetful)
    # Who comes now is rung: the request is on the board again, and so are the volunteers.
    second = await volunteer(forgetful.base)
    await second.expect("offer.ring", within=5)
    # What rang before the flush still wins, once.
    won = await first.accept(ring["offer_id"])
    assert (await asker.expect("call.begin"))["call_id"] == won["call_id"]
    assert (await second.expect("offer.gone"))["reason"] == "taken"


async def test_the_cache_is_flushed_in_mid_call(forgetful: Server, caller: Make, volunteer: Make, pool: Pool) -> None:
    asker, helper = await caller(forgetful.base), await volunteer(forgetful.base)
    call_id = await connected(asker, helper)
    await flush(forgetful)
    await helper.command("call.text", call_id=call_id, text="hello")
    assert (await asker.expect("call.text"))["text"] == "hello"
    await asyncio.sleep(3)
    assert await pool.fetchval("SELECT state FROM matching.call") == "connected"
    await asker.disconnect(abort=True)
    await asker.connect(resume=True)
    assert asker.welcome["resumed"] is True
    await asker.command("call.end", call_id=call_id)
    await helper.expect("call.ended")
    other = await caller(forgetful.base)
    await other.ask()
    await helper.expect("offer.ring", within=5)  # on shift still, though the board had forgotten


async def test_the_cache_goes_and_comes_back(
    forgetful: Server, flushable_redis: Valkey, caller: Make, volunteer: Make, pool: Pool
) -> None:
    asker, helper = await caller(forgetful.base), await volunteer(forgetful.base)
    call_id = await connected(asker, helper)
    os.kill(flushable_redis.child.pid, signal.SIGSTOP)
    try:
        # Both are on this node: what they say to one another needs no cache.
        await helper.command("call.text", call_id=call_id, text="hello")
        assert (await asker.expect("call.text", within=5))["text"] == "hello"
        async with asker.http.get(forgetful.base + "/readyz") as response:
            assert response.status == 503
            assert (await response.json())["cache"] == "away"
        async with asker.http.get(forgetful.base + "/healthz") as response:
            assert response.status == 200
        with pytest.raises(Refused, match="unavailable") as refused:
            await asker.call("POST", "/v1/socket-ticket")
        assert refused.value.problem["retry_after"] > 0
    finally:
        os.kill(flushable_redis.child.pid, signal.SIGCONT)
    await asyncio.sleep(3)
    assert await pool.fetchval("SELECT state FROM matching.call") == "connected"
    await asker.command("call.end", call_id=call_id)
    await helper.expect("call.ended", within=5)


async def test_a_request_made_while_the_cache_is_away_is_rung_when_it_is_back(
    forgetful: Server, flushable_redis: Valkey, caller: Make, volunteer: Make
) -> None:
    asker, helper = await caller(forgetful.base), await volunteer(forgetful.base)
    os.kill(flushable_redis.child.pid, signal.SIGSTOP)
    try:
        request_id = await asker.ask()
    finally:
        os.kill(flushable_redis.child.pid, signal.SIGCONT)
    assert (await helper.expect("offer.ring", within=8))["request_id"] == request_id


async def test_the_database_goes_and_comes_back(
    own_postgres: Postgres, redis_url: str, prefix: str, caller: Make, volunteer: Make
) -> None:
    async with serving(own_postgres.url, redis_url, prefix) as server:
        asker, helper = await caller(server.base), await volunteer(server.base)
        other = await caller(server.base)
        call_id = await connected(asker, helper)
        os.kill(own_postgres.child.pid, signal.SIGSTOP)
        for child in children(own_postgres.child.pid):
            os.kill(child, signal.SIGSTOP)
        try:
            await helper.command("call.text", call_id=call_id, text="hello")
            assert (await asker.expect("call.text", within=5))["text"] == "hello"
            async with asker.http.get(server.base + "/readyz") as response:
                assert response.status == 503
                assert response.headers["Retry-After"]
                assert (await response.json())["database"] == "away"
            request_id, command_id = new_id(), new_id()
            with pytest.raises(Refused, match="unavailable") as refused:
                await other.command("help.ask", id=command_id, request_id=request_id)
            assert refused.value.problem["retry_after"] > 0
            assert "try again" in refused.value.problem["detail"]
        finally:
            for child in (own_postgres.child.pid, *children(own_postgres.child.pid)):
                os.kill(child, signal.SIGCONT)
        # The same command again, by the same name, and now it is carried out.
        await ask_until_it_works(other, command_id, request_id)
        await asker.command("call.end", call_id=call_id)
        assert (await helper.expect("call.ended"))["call_id"] == call_id
        assert (await helper.expect("offer.ring", within=8))["request_id"] == request_id


async def ask_until_it_works(client: Client, command_id: str, request_id: str) -> None:
    for _ in range(20):
        try:
            await client.command("help.ask", id=command_id, request_id=request_id)
        except Refused:
            await asyncio.sleep(0.5)
        else:
            return
    pytest.fail("it never worked again")


def children(pid: int) -> list[int]:
    """The backends of a Postgres."""
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(child) for child in file.read().split()]


async def test_the_database_restarts(
    own_postgres: Postgres, redis_url: str, prefix: str, caller: Make, volunteer: Make
) -> None:
    async with serving(own_postgres.url, redis_url, prefix) as server:
        asker, helper = await caller(server.base), await volunteer(server.base)
        call_id = await connected(asker, helper)
        await own_postgres.stop()
        for command, fields in (("call.end", {"call_id": call_id}), ("call.connected", {"call_id": call_id})):
            with pytest.raises(Refused, match="unavailable"):
                await asker.command(command, **fields)
        await restart_in_place(own_postgres)
        for _ in range(20):
            try:
                await asker.command("call.end", call_id=call_id)
                break
            except Refused:
                await asyncio.sleep(0.3)
        assert (await helper.expect("call.ended", within=10))["call_id"] == call_id
        pool = await open_pool(own_postgres.url)
        assert await pool.fetchval("SELECT count(*) FROM matching.call WHERE state = 'ended'") == 1
        await pool.close()


async def restart_in_place(postgres: Postgres) -> None:
    """On the same port, as a restarted database is."""
    await postgres.start()
    connection = await asyncpg.connect(postgres.url)
    await connection.close()


@pytest.mark.parametrize(
    ("missing", "code"), [("DATABASE_URL", "database_unreachable"), ("REDIS_URL", "cache_unreachable")]
)
async def test_a_part_that_is_away_at_the_start_is_a_clear_error(
    database_url: str, redis_url: str, missing: str, code: str
) -> None:
    urls = {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
    nowhere = {
        "DATABASE_URL": f"postgres://x@127.0.0.1:{free_port()}/x",
        "REDIS_URL": f"redis://127.0.0.1:{free_port()}",
    }
    complaint = await start_and_fail(urls | {missing: nowhere[missing]})
    assert f"[{code}]" in complaint
    assert missing in complaint


async def test_a_database_that_was_not_migrated_is_a_clear_error(empty_database_url: str, redis_url: str) -> None:
    complaint = await start_and_fail({"DATABASE_URL": empty_database_url, "REDIS_URL": redis_url})
    assert "[migrations_missing]" in complaint
    assert "visavis migrate" in complaint


async def test_a_port_that_is_taken_is_a_clear_error(server: Server, database_url: str, redis_url: str) -> None:
    port = str(server.house.settings.port)
    complaint = await start_and_fail({"DATABASE_URL": database_url, "REDIS_URL": redis_url, "PORT": port})
    assert "[port_taken]" in complaint
    assert port in complaint


async def start_and_fail(environ: dict[str, str]) -> str:
    """What `visavis serve` says when it cannot start."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "signaling",
        "serve",
        env=os.environ | {"SECRET_KEY": "s" * 40, "PORT": str(free_port())} | environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    _, complaint = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 1
    assert "Traceback" not in complaint.decode()
    return complaint.decode()


async def test_rings_are_told_of_again_to_who_comes_back(server: Server, caller: Make, volunteer: Make) -> None:
    asker, helper = await caller(server.base), await volunteer(server.base)
    await asker.ask()
    assert await rung(helper)
    await helper.disconnect(abort=True)
    helper.session = new_id()
    await helper.connect(resume=True)
    (offer,) = helper.welcome["state"]["offers"]
    assert (await helper.accept(offer["offer_id"]))["call_id"]
