"""I1 and I2 under races: whoever accepts at the same moment on whatever node, one wins and the rest are thanked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from typing import TypeVar

import pytest

from accounts.postgres import Pool
from tests.client import Client, Refused, new_id
from tests.flows.conftest import Make
from tests.house import Server, two_nodes

T = TypeVar("T")
RACES = 200
RUNNERS = 10


@pytest.fixture
async def nodes(database_url: str, redis_url: str, prefix: str) -> AsyncIterator[list[Server]]:
    hope = {"MATCHING_HOPE_AT_FIRST": str(RUNNERS), "MATCHING_HOPE_AT_MOST": str(RUNNERS)}
    async with two_nodes(database_url, redis_url, prefix, **hope) as made:
        yield made


async def accept(helper: Client, offer_id: str, accept_id: str) -> str:
    """The call won, or the code of the refusal."""
    try:
        return str((await helper.accept(offer_id, accept_id))["call_id"])
    except Refused as refused:
        return refused.code


async def test_two_hundred_races_of_ten_accepts(nodes: list[Server], caller: Make, volunteer: Make, pool: Pool) -> None:
    asker = await caller(nodes[0].base)
    helpers = [await volunteer(nodes[number % 2].base) for number in range(RUNNERS)]
    for race in range(RACES):
        request_id = await asker.ask()
        rings = await asyncio.gather(*(helper.expect("offer.ring", request_id=request_id) for helper in helpers))
        accept_ids = [f"{race}-{number}" for number in range(RUNNERS)]
        answers = await asyncio.gather(*map(accept, helpers, [ring["offer_id"] for ring in rings], accept_ids))
        won = [answer for answer in answers if answer not in ("offer_taken", "in_call")]
        assert len(won) == 1, answers
        assert answers.count("offer_taken") == RUNNERS - 1
        begun = await asker.expect("call.begin")
        winner = helpers[answers.index(won[0])]
        assert begun["call_id"] == won[0] == (await winner.expect("call.begin"))["call_id"]
        # The reply was lost, and the winner asks again: the same call.
        index = answers.index(won[0])
        assert await accept(winner, rings[index]["offer_id"], accept_ids[index]) == won[0]
        await asker.command("call.end", call_id=won[0])
        await winner.expect("call.ended")
        for client in (asker, *helpers):
            client.events.clear()
    counted = await pool.fetchrow(
        """SELECT count(*), count(DISTINCT request_id), count(*) FILTER (WHERE state <> 'ended') FROM matching.call"""
    )
    assert counted is not None
    assert tuple(counted) == (RACES, RACES, 0)


async def test_one_volunteer_accepts_two_offers_at_once(
    nodes: list[Server], caller: Make, volunteer: Make, pool: Pool
) -> None:
    """The phone rings for one request at a time; a client that holds two offers anyway gets one call."""
    for _ in range(20):
        askers = [await caller(nodes[number].base) for number in range(2)]
        helper = await volunteer(nodes[0].base, shift=False)
        requests = [await asker.ask() for asker in askers]
        offers = [new_id(), new_id()]
        for offer_id, request_id in zip(offers, requests, strict=True):
            await pool.execute(
                "INSERT INTO matching.offer (id, request_id, volunteer_id, channel)"
                " VALUES ($1::text::uuid, $2::text::uuid, $3::text::uuid, 'socket')",
                offer_id,
                request_id,
                helper.person["id"],
            )
        answers = await asyncio.gather(*(accept(helper, offer_id, new_id()) for offer_id in offers))
        assert sorted(len(answer) for answer in answers) == [len("in_call"), 36], answers
        live = await pool.fetchval(
            "SELECT count(*) FROM matching.call WHERE volunteer_id = $1::text::uuid AND state <> 'ended'",
            helper.person["id"],
        )
        assert live == 1
        for client in (*askers, helper):
            await client.disconnect()


async def cancel(asker: Client, request_id: str) -> str:
    """`cancelled`, or the code of the refusal."""
    try:
        await asker.command("help.cancel", request_id=request_id)
    except Refused as refused:
        return refused.code
    return "cancelled"


class Aim:
    """Finds the moment at which two things meet, on a machine of any speed: whoever was first starts later the next
    time, by ever more as long as it stays first, and by less each time the other one was."""

    def __init__(self) -> None:
        self.lead = 0.0
        """Seconds by which the one starts before the other; less than 0: after it."""
        self._step = 0.001
        self._last: bool | None = None

    def was_first(self, first: bool) -> None:
        """Whether the one was first."""
        self._step = max(0.0001, self._step * (1.5 if first == self._last else 0.5))
        self._last = first
        self.lead += -self._step if first else self._step

    async def one(self, thing: Awaitable[T]) -> T:
        await asyncio.sleep(max(0.0, -self.lead))
        return await thing

    async def other(self, thing: Awaitable[T]) -> T:
        await asyncio.sleep(max(0.0, self.lead))
        return await thing


async def test_a_caller_cancels_while_volunteers_accept(
    nodes: list[Server], caller: Make, volunteer: Make, pool: Pool
) -> None:
    """Either the call or the cancellation wins, and both sides hear the same."""
    asker = await caller(nodes[0].base)
    helper = await volunteer(nodes[1].base)
    aim, outcomes = Aim(), set()
    for _ in range(40):
        request_id = await asker.ask()
        ring = await helper.expect("offer.ring", request_id=request_id)

        cancelled, accepted = await asyncio.gather(
            aim.one(cancel(asker, request_id)), aim.other(accept(helper, ring["offer_id"], new_id()))
        )
        outcomes.add(cancelled)
        aim.was_first(cancelled == "cancelled")
        if cancelled == "cancelled":
            assert accepted == "offer_closed"
            await asker.expect("help.closed", request_id=request_id)
        else:
            assert cancelled == "request_closed"
            await asker.expect("call.begin", call_id=accepted)
            await asker.command("call.end", call_id=accepted)
            await helper.expect("call.ended", call_id=accepted)
        assert await pool.fetchval("SELECT count(*) FROM matching.call WHERE state <> 'ended'") == 0
    assert outcomes == {"cancelled", "request_closed"}, "the aim did not find the moment"
