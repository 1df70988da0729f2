"""The candidate index follows what people do, through the real server; and the commands that look after it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import uuid

import pytest

from accounts.model import Standing
from accounts.postgres import Pool
from matching.ledger import candidates
from signaling import barring
from tests.client import Client
from tests.flows.conftest import Make
from tests.flows.test_one_call import connected
from tests.house import SECRET, Server
from tests.signaling.push.services import Browser


async def with_device(pool: Pool, client: Client) -> uuid.UUID:
    """The volunteer has a device from now on; the index has not heard of it."""
    person = uuid.UUID(client.person["id"])
    await pool.execute(
        "INSERT INTO accounts.device (id, person_id, kind, address) VALUES ($1, $2, 'fcm', $3)",
        uuid.uuid4(),
        person,
        str(person),
    )
    return person


async def standing(server: Server, language: str = "en") -> set[uuid.UUID]:
    return {candidate.id for candidate in await server.house.index.pick(language, 100)}


async def until_standing(server: Server, expected: set[uuid.UUID], language: str = "en") -> None:
    async with asyncio.timeout(10):
        while await standing(server, language) != expected:  # noqa: ASYNC110 (another task works on it)
            await asyncio.sleep(0.02)


async def refreshed(server: Server, person: uuid.UUID, language: str = "en") -> None:
    """The volunteer is in the index, and no rebuild is to come that would find out by itself what has changed."""
    await server.house.keeper.refresh([person])
    async with asyncio.timeout(10):
        while not (await server.house.index.status(language)).built:  # noqa: ASYNC110 (another task works on it)
            await asyncio.sleep(0.05)
    assert await standing(server, language) == {person}


async def test_a_profile_moves_its_volunteer(server: Server, volunteer: Make, pool: Pool) -> None:
    helper = await volunteer(server.base, "en", shift=False)
    person = await with_device(pool, helper)
    await helper.call("PUT", "/v1/me", {"languages": ["fr-CA", "de"]})
    await until_standing(server, {person}, "fr")
    assert await standing(server, "de") == {person}
    assert await standing(server) == set()
    await helper.call("PUT", "/v1/me", {"languages": ["de"]})
    await until_standing(server, set(), "fr")
    assert await standing(server, "de") == {person}
    await helper.call("PUT", "/v1/me", {"alerts_per_day": 0})
    await until_standing(server, set(), "de")


async def test_a_device_makes_a_candidate_and_none_any_more_unmakes_it(server: Server, volunteer: Make) -> None:
    helper = await volunteer(server.base, shift=False)
    person = uuid.UUID(helper.person["id"])
    subscription = {"kind": "web_push"} | Browser().subscription("https://fcm.googleapis.com/fcm/send/abc")
    device = await helper.call("POST", "/v1/me/devices", subscription)
    await until_standing(server, {person})
    await refreshed(server, person)
    await helper.call("DELETE", f"/v1/me/devices/{device['id']}")
    await until_standing(server, set())
    await helper.call("POST", "/v1/me/devices", subscription)
    await until_standing(server, {person})
    await helper.call("POST", "/v1/auth/logout", {"everywhere": True})
    await until_standing(server, set())


async def test_a_call_takes_its_volunteer_out_and_gives_them_back(
    server: Server, caller: Make, volunteer: Make, pool: Pool
) -> None:
    helper, asker = await volunteer(server.base), await caller(server.base)
    person = await with_device(pool, helper)
    await refreshed(server, person)
    call_id = await connected(asker, helper)
    await until_standing(server, set())
    async with asyncio.timeout(10):
        # What was learned of the ring makes the keeper look too: that is to be over before the call is.
        unlearned = "SELECT count(*) FROM matching.offer WHERE learned IS DISTINCT FROM outcome"
        while await pool.fetchval(unlearned):  # noqa: ASYNC110 (another task works on it)
            await asyncio.sleep(0.02)
    await server.house.keeper.drain()
    await asker.command("call.end", call_id=call_id)
    await until_standing(server, {person})


async def test_a_ban_takes_its_volunteer_out(server: Server, volunteer: Make, pool: Pool) -> None:
    helper = await volunteer(server.base, shift=False)
    person = await with_device(pool, helper)
    await refreshed(server, person)
    for standing_, expected in ((Standing.HELD, set()), (Standing.GOOD, {person})):
        await barring.set_standing(server.house, person, standing_, actor="test", reason="test")
        await until_standing(server, expected)


async def test_the_commands(
    server: Server, volunteer: Make, pool: Pool, database_url: str, redis_url: str, prefix: str
) -> None:
    environ = os.environ | {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "REDIS_PREFIX": prefix,
        "SECRET_KEY": SECRET,
    }

    async def visavis(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "signaling", "index", *arguments]
        return await asyncio.to_thread(
            subprocess.run, command, env=environ, capture_output=True, text=True, check=False
        )

    helper = await volunteer(server.base, "en", "fr", shift=False)
    person = await with_device(pool, helper)
    assert await standing(server) == set()
    rebuilt = await visavis("rebuild")
    assert (rebuilt.returncode, rebuilt.stdout[:12]) == (0, "1 volunteers"), rebuilt.stderr
    assert await standing(server) == await standing(server, "fr") == {person}

    shown = await visavis("status")
    assert [line.split()[0] for line in shown.stdout.splitlines()] == ["language", "en", "fr"]
    (english, _) = json.loads((await visavis("status", "--json")).stdout)["languages"]
    assert (english["language"], english["stand"]["new"], english["built"]) == ("en", 1, True)
    assert 0 < english["size"] < 2000

    async with pool.acquire() as connection:
        async with asyncio.timeout(10):
            while not await connection.fetchval(candidates.TRY_LOCK):  # noqa: ASYNC110 (the server may be at it)
                await asyncio.sleep(0.02)
        busy = await visavis("rebuild")
        await connection.fetchval(candidates.UNLOCK)
    assert busy.returncode == 1
    assert busy.stderr.strip().endswith("[index_busy]")
    environ["INDEX_URL"] = "redis://127.0.0.1:1/0"
    away = await visavis("status")
    assert away.returncode == 1
    assert away.stderr.strip().endswith("[unavailable]")
    environ["INDEX_URL"] = "memcached://127.0.0.1"
    wrong = await visavis("status")
    assert "INDEX_URL must begin with redis://" in wrong.stderr


@pytest.mark.parametrize("kind", ["redis", "redis+cluster"])
def test_the_setting_takes_a_cluster(kind: str) -> None:
    from signaling.settings import read

    assert read({"INDEX_URL": f"{kind}://h:1"}, development=True).index_url == f"{kind}://h:1"
