"""From the cry to the call through a notification: nobody has a page open, and a real push service carries the ring."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from accounts.postgres import Pool
from tests.client import Client
from tests.flows.conftest import Make
from tests.house import Server, serving
from tests.signaling.push.services import WebPushService, until, web_push_service

Json = dict[str, Any]


@pytest.fixture(scope="module")
async def service() -> AsyncIterator[WebPushService]:
    async with web_push_service() as made:
        yield made


@pytest.fixture
async def server(database_url: str, redis_url: str, prefix: str, service: WebPushService) -> AsyncIterator[Server]:
    service.door.got.clear()
    names = {"PUSH_HOSTS": service.door.base, "PUSH_FIRST_WAIT": "0.001", "MATCHING_TICK": "0.2"}
    async with serving(database_url, redis_url, prefix, **names) as made:
        yield made


class Helper:
    """A volunteer with a browser that is closed."""

    def __init__(self, client: Client, subscription: Json, service: WebPushService) -> None:
        self.client = client
        self.id = UUID(client.person["id"])
        self.subscription = subscription
        self._service = service

    async def messages(self) -> list[Json]:
        return [json.loads(text) for text in await self._service.messages(self.subscription)]

    async def gets(self, kind: str) -> Json:
        """Wait for a message of that kind to arrive in the browser."""
        found: list[Json] = []

        async def arrived() -> bool:
            found[:] = [message for message in await self.messages() if message["kind"] == kind]
            return bool(found)

        await until(arrived)
        return found[0]


@pytest.fixture
async def helper(server: Server, people: Any, service: WebPushService) -> Any:
    async def make(*languages: str, **fields: Any) -> Helper:
        client: Client = await people.enter_async_context(Client(server.base))
        await client.sign_in()
        await client.profile("volunteer", languages or ("en",), **fields)
        subscription = await service.subscribe((await client.call("GET", "/v1/push/key"))["key"])
        await client.call("POST", "/v1/me/devices", {"kind": "web_push"} | subscription)
        made = Helper(client, subscription, service)
        await until(lambda: stands(server, made.id))
        return made

    return make


async def stands(server: Server, volunteer: UUID) -> bool:
    """Whether the index has heard of the device by itself."""
    return volunteer in {candidate.id for candidate in await server.house.index.pick("en", 100)}


async def outcome(pool: Pool, offer: str) -> Json:
    row = await pool.fetchrow("SELECT * FROM matching.offer WHERE id = $1", UUID(offer))
    assert row is not None
    return dict(row)


async def until_learned(pool: Pool, offer: str) -> Json:
    async def learned() -> bool:
        row = await outcome(pool, offer)
        return row["outcome"] is not None and row["learned"] == row["outcome"]

    await until(learned)
    return await outcome(pool, offer)


async def test_from_the_cry_to_the_call_through_a_notification(
    server: Server, caller: Make, helper: Any, pool: Pool
) -> None:
    one, other = await helper(), await helper()
    asker = await caller(server.base)
    request_id = await asker.ask()
    ring, other_ring = await one.gets("ring"), await other.gets("ring")
    row = await outcome(pool, ring["offer"])
    assert (row["channel"], row["volunteer_id"], str(row["request_id"])) == ("push", one.id, request_id)
    assert len(row["why"]) == 18
    assert row["why"]["chance"] == pytest.approx(row["chance"], abs=1e-3)

    # A tap opens the page: the first sign of life of this volunteer's client.
    await one.client.connect()
    opened = await one.client.command("offer.open", offer_id=ring["offer"])
    assert opened["offer"]["request_id"] == request_id
    await asker.expect("help.status", state="reserved")
    assert (await other.gets("gone"))["offer"] == other_ring["offer"]
    await one.client.accept(ring["offer"])
    mine, theirs = await one.client.expect("call.begin"), await asker.expect("call.begin")
    assert mine["call_id"] == theirs["call_id"]

    assert (await until_learned(pool, ring["offer"]))["outcome"] == "accepted"
    assert (await until_learned(pool, other_ring["offer"]))["outcome"] == "withdrawn"
    evidence = {row["volunteer_id"]: row for row in await pool.fetch("SELECT * FROM matching.response")}
    assert (evidence[one.id]["channel"], evidence[one.id]["yes"], evidence[one.id]["ignored"]) == ("push", 1.0, 0)
    assert evidence[other.id]["yes"] == 0.0
    assert [message["kind"] for message in await one.messages()].count("ring") == 1


async def test_who_was_a_moment_too_late_is_thanked_and_learned_from(
    server: Server, caller: Make, helper: Any, pool: Pool
) -> None:
    one, other = await helper(), await helper()
    asker = await caller(server.base)
    await asker.ask()
    ring, late = await one.gets("ring"), await other.gets("ring")
    await one.client.connect()
    await one.client.command("offer.open", offer_id=ring["offer"])
    await one.client.accept(ring["offer"])
    await asker.expect("call.begin")
    await other.client.connect()
    opened = await other.client.command("offer.open", offer_id=late["offer"])
    assert (opened["open"], opened["gone"]) == (False, "taken")
    assert (await until_learned(pool, late["offer"]))["outcome"] == "late"
    yes = await pool.fetchval("SELECT yes FROM matching.response WHERE volunteer_id = $1", other.id)
    assert yes == pytest.approx(1.0)


async def test_a_device_that_is_gone_is_replaced_at_once(
    server: Server, caller: Make, helper: Any, service: WebPushService, pool: Pool
) -> None:
    gone = await helper(alerts_per_day=1)
    await service.expire(gone.subscription)
    asker = await caller(server.base)
    request_id = await asker.ask()

    async def failed() -> bool:
        return bool(await pool.fetchval("SELECT count(*) FROM matching.offer WHERE outcome = 'failed'"))

    await until(failed)
    replacement = await helper()
    ring = await replacement.gets("ring")
    assert (await outcome(pool, ring["offer"]))["why"]["hope"] == 0.0, "of the failed ring nothing is hoped any more"
    failed_offer = str(await pool.fetchval("SELECT id FROM matching.offer WHERE volunteer_id = $1", gone.id))
    await until_learned(pool, failed_offer)
    taught = await pool.fetch("SELECT yes, exposure, ignored FROM matching.response WHERE volunteer_id = $1", gone.id)
    assert [tuple(row) for row in taught] == [(0.0, 0.0, 0)], "it says nothing about the volunteer"

    # And it has spent nothing: with a new device the only alert of the day is still theirs.
    await asker.command("help.cancel", request_id=request_id)
    fresh = await service.subscribe((await gone.client.call("GET", "/v1/push/key"))["key"])
    await gone.client.call("POST", "/v1/me/devices", {"kind": "web_push"} | fresh)
    await until(lambda: stands(server, gone.id))
    again = await caller(server.base)
    await again.ask()
    gone.subscription = fresh
    assert (await gone.gets("ring"))["offer"] != failed_offer


async def test_an_open_page_rings_and_the_device_sleeps_on(
    server: Server, caller: Make, helper: Any, pool: Pool
) -> None:
    both = await helper()
    await both.client.connect()
    await both.client.command("shift.start")
    asker = await caller(server.base)
    await asker.ask()
    ring = await both.client.expect("offer.ring")
    assert (await outcome(pool, ring["offer_id"]))["channel"] == "socket"
    await both.client.accept(ring["offer_id"])
    await asker.expect("call.begin")
    async with asyncio.timeout(10):
        await server.house.pushes.idle()
    assert await both.messages() == []
    assert await pool.fetchval("SELECT count(*) FROM matching.offer") == 1
