"""I11: what a transaction wrote into the outbox arrives, also when the node that wrote it dies before it carries it."""

from __future__ import annotations

import asyncio
import uuid

from accounts.model import Role, new_id
from accounts.postgres import Pool, transaction
from matching.ending import Endings
from matching.ledger import calls
from matching.lifecycle import Hung
from matching.model import EndReason
from signaling.adapters import RewardsForMatching
from tests.flows.conftest import Make
from tests.flows.test_one_call import connected
from tests.house import Server


async def test_a_claim_whose_node_died_before_it_told_anybody(
    server: Server, caller: Make, volunteer: Make, pool: Pool
) -> None:
    asker, helper = await caller(server.base), await volunteer(server.base)
    await asker.ask()
    offer = uuid.UUID((await helper.expect("offer.ring"))["offer_id"])
    async with transaction(pool) as connection:
        call = await calls.claim(connection, offer, uuid.UUID(helper.person["id"]), "mine", new_id(), new_id())
    assert call is not None
    assert (await asker.expect("call.begin", within=4))["call_id"] == str(call.id)
    assert (await helper.expect("call.begin"))["call_id"] == str(call.id)
    # The volunteer never got an answer, and asks again by the same name.
    assert (await helper.accept(str(offer), "mine"))["call_id"] == str(call.id)
    async with asyncio.timeout(5):
        while await pool.fetchval("SELECT count(*) FROM accounts.outbox"):  # noqa: ASYNC110 (another process decides)
            await asyncio.sleep(0.05)
    assert not [event for event in asker.events if event["type"] == "call.begin"]


async def test_an_end_whose_node_died_before_it_told_anybody(
    server: Server, caller: Make, volunteer: Make, pool: Pool
) -> None:
    asker, helper = await caller(server.base), await volunteer(server.base)
    call_id = await connected(asker, helper)
    endings = Endings(RewardsForMatching(server.house.rating), server.house.settings.matching)
    async with transaction(pool) as connection:
        await endings.move_call(connection, uuid.UUID(call_id), Hung(Role.CALLER, EndReason.DONE))
    for side in (asker, helper):
        assert (await side.expect("call.ended", within=4))["call_id"] == call_id
        await side.command("call.end", call_id=call_id)
        assert not [event for event in side.events if event["type"] == "call.ended"]


async def test_a_parcel_that_is_carried_twice_is_heard_once(
    server: Server, caller: Make, volunteer: Make, pool: Pool
) -> None:
    from accounts import outbox
    from matching.events import HelpClosed

    asker = await caller(server.base)
    async with transaction(pool) as connection:
        event = HelpClosed(new_id(), "cancelled")
        parcels = await outbox.put(connection, "event", [(uuid.UUID(asker.person["id"]), event)])
    for _ in range(3):
        await server.house.carrier.carry(parcels)
    await asker.expect("help.closed")
    assert not asker.events
