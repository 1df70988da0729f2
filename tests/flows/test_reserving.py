"""A tap on a notification reserves the request: nobody else wins, nobody else is rung, and a tap that leads nowhere
costs the caller a moment only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from accounts.model import Standing
from accounts.postgres import Pool
from signaling.barring import set_standing
from tests.client import Client, Refused, new_id
from tests.flows.conftest import Make
from tests.flows.test_one_call import rung
from tests.flows.test_races import Aim, accept
from tests.house import Server, serving, two_nodes

SHORT = {"MATCHING_OPEN_GRACE": "1", "MATCHING_TICK": "0.2"}


@pytest.fixture
async def short(database_url: str, redis_url: str, prefix: str) -> AsyncIterator[Server]:
    """A node on which a reservation lasts for a second."""
    async with serving(database_url, redis_url, prefix, **SHORT) as made:
        yield made


@pytest.fixture
async def short_nodes(database_url: str, redis_url: str, prefix: str) -> AsyncIterator[list[Server]]:
    async with two_nodes(database_url, redis_url, prefix, **SHORT) as made:
        yield made


async def points(helper: Client) -> int:
    return int((await helper.call("GET", "/v1/me/points"))["balance"])


async def open_offer(helper: Client, offer_id: str) -> str:
    """What a tap finds: `open`, or why it is gone, or the code of the refusal."""
    try:
        answer = await helper.command("offer.open", offer_id=offer_id)
    except Refused as refused:
        return refused.code
    return "open" if answer["open"] else str(answer["gone"])


async def test_the_first_tap_wins_time(server: Server, caller: Make, volunteer: Make) -> None:
    asker = await caller(server.base, "en", "fr")
    first, second = await volunteer(server.base), await volunteer(server.base)
    request_id = await asker.ask(topic="a letter")
    offers = [(await helper.expect("offer.ring"))["offer_id"] for helper in (first, second)]
    opened = await first.command("offer.open", offer_id=offers[0])
    assert opened["open"] is True
    assert opened["request_id"] == request_id
    offer = opened["offer"]
    assert (offer["offer_id"], offer["languages"], offer["topic"]) == (offers[0], ["en"], "a letter")
    assert 10 < offer["expires_in"] <= 15
    # The caller hears it, and the other phone falls silent.
    assert (await asker.expect("help.status", state="reserved"))["request_id"] == request_id
    assert (await second.expect("offer.gone", offer_id=offers[1]))["reason"] == "taken"
    # Again changes nothing.
    again = await first.command("offer.open", offer_id=offers[0])
    assert again["open"] is True
    assert again["offer"]["expires_in"] <= offer["expires_in"]
    # Who taps or accepts now is thanked, once.
    late = await second.command("offer.open", offer_id=offers[1])
    assert (late["open"], late["gone"], late["points"]) == (False, "taken", 5)
    assert "points" not in await second.command("offer.open", offer_id=offers[1])
    with pytest.raises(Refused, match="offer_taken") as refused:
        await second.accept(offers[1])
    assert "points" not in refused.value.problem
    assert await points(second) == 5
    # And nobody else is rung.
    third = await volunteer(server.base)
    assert not await rung(third, within=1.5)
    accepted = await first.accept(offers[0])
    assert (await asker.expect("call.begin"))["call_id"] == accepted["call_id"]
    assert await open_offer(first, offers[0]) == "cancelled"
    assert await points(first) == 0


async def test_a_late_accept_says_what_it_earned(server: Server, caller: Make, volunteer: Make) -> None:
    asker, first, second = await caller(server.base), await volunteer(server.base), await volunteer(server.base)
    await asker.ask()
    offers = [(await helper.expect("offer.ring"))["offer_id"] for helper in (first, second)]
    await first.command("offer.open", offer_id=offers[0])
    with pytest.raises(Refused, match="offer_taken") as refused:
        await second.accept(offers[1])
    assert refused.value.problem["points"] == 5


async def test_a_tap_that_leads_nowhere(short: Server, caller: Make, volunteer: Make, pool: Pool) -> None:
    """After the grace the request is everybody's again, in front, with the time it has waited."""
    asker, first = await caller(short.base), await volunteer(short.base)
    request_id = await asker.ask()
    ring = await first.expect("offer.ring")
    await first.command("offer.open", offer_id=ring["offer_id"])
    await asker.expect("help.status", state="reserved")
    second = await volunteer(short.base)
    assert (await first.expect("offer.gone", offer_id=ring["offer_id"]))["reason"] == "expired"
    again = await asker.expect("help.status", state="looking_again")
    assert again["waited"] >= 1
    other = await second.expect("offer.ring", request_id=request_id)
    assert await pool.fetchval("SELECT outcome FROM matching.offer WHERE id = $1::text::uuid", ring["offer_id"]) == (
        "ignored"
    )
    # One offer reserves once: it still may be accepted, but holds nobody back any more.
    assert await open_offer(first, ring["offer_id"]) == "open"
    assert not await pool.fetchval("SELECT reserved_offer IS NOT NULL FROM matching.request")
    await second.accept(other["offer_id"])
    await asker.expect("call.begin")


async def test_declining_after_the_tap(server: Server, caller: Make, volunteer: Make) -> None:
    asker, first = await caller(server.base), await volunteer(server.base)
    request_id = await asker.ask()
    ring = await first.expect("offer.ring")
    await first.command("offer.open", offer_id=ring["offer_id"])
    await asker.expect("help.status", state="reserved")
    second = await volunteer(server.base)
    await first.command("offer.decline", offer_id=ring["offer_id"])
    await asker.expect("help.status", state="looking_again")
    await second.expect("offer.ring", request_id=request_id, within=3)
    with pytest.raises(Refused, match="offer_answered"):
        await first.accept(ring["offer_id"])
    assert await open_offer(first, ring["offer_id"]) == "cancelled"


async def test_a_ring_that_fell_silent_may_still_be_opened(
    database_url: str, redis_url: str, prefix: str, caller: Make, volunteer: Make, pool: Pool
) -> None:
    environ = {"MATCHING_RING_TIME": "0.5", "MATCHING_TICK": "0.2", "MATCHING_NOBODY_AFTER": "1"}
    async with serving(database_url, redis_url, prefix, **environ) as server:
        asker, helper = await caller(server.base), await volunteer(server.base)
        await asker.ask()
        ring = await helper.expect("offer.ring")
        assert (await helper.expect("offer.gone"))["reason"] == "expired"
        assert (await asker.expect("help.nobody"))["choices"] == ["wait", "later", "stop"]
        assert await open_offer(helper, ring["offer_id"]) == "open"
        # The question is answered by itself.
        await asker.expect("help.status", state="reserved")
        async with await Client(server.base, asker.email).sign_in() as page:
            await page.connect()
            assert page.welcome["state"]["request"]["state"] == "reserved"
            assert "nobody" not in page.welcome["state"]["request"]
        async with await Client(server.base, helper.email).sign_in() as page:
            await page.connect()
            assert [offer["offer_id"] for offer in page.welcome["state"]["offers"]] == [ring["offer_id"]]
        await helper.accept(ring["offer_id"])
        await asker.expect("call.begin")
        assert await pool.fetchval("SELECT outcome FROM matching.offer") == "accepted"


async def test_a_cancelled_request_tells_who_opened_it(server: Server, caller: Make, volunteer: Make) -> None:
    asker, helper = await caller(server.base), await volunteer(server.base)
    request_id = await asker.ask()
    ring = await helper.expect("offer.ring")
    await helper.command("offer.open", offer_id=ring["offer_id"])
    await asker.command("help.cancel", request_id=request_id)
    assert (await helper.expect("offer.gone"))["reason"] == "cancelled"
    assert await open_offer(helper, ring["offer_id"]) == "cancelled"
    assert await points(helper) == 0


async def test_who_may_not_meet_anybody_reserves_nothing(
    server: Server, caller: Make, volunteer: Make, pool: Pool
) -> None:
    asker = await caller(server.base)
    held, paired, busy = [await volunteer(server.base) for _ in range(3)]
    await asker.ask()
    rings = {helper: (await helper.expect("offer.ring"))["offer_id"] for helper in (held, paired, busy)}
    await set_standing(server.house, UUID(held.person["id"]), Standing.HELD, actor="tests", reason="x")
    assert await open_offer(held, rings[held]) == "not_allowed"
    await pool.execute(
        "INSERT INTO matching.never_again (one, other, set_by) SELECT least(a, b), greatest(a, b), ARRAY[a]"
        " FROM (SELECT $1::text::uuid AS a, $2::text::uuid AS b) AS pair",
        asker.person["id"],
        paired.person["id"],
    )
    assert await open_offer(paired, rings[paired]) == "cancelled"
    other = await caller(server.base)
    request_id, offer_id = await other.ask(), new_id()
    await pool.execute(
        "INSERT INTO matching.offer (id, request_id, volunteer_id, channel)"
        " VALUES ($1::text::uuid, $2::text::uuid, $3::text::uuid, 'socket')",
        offer_id,
        request_id,
        busy.person["id"],
    )
    await busy.accept(offer_id)
    assert await open_offer(busy, rings[busy]) == "in_call"
    assert not await pool.fetchval("SELECT count(*) FROM matching.request WHERE reserved_offer IS NOT NULL")


# --- races


async def test_two_taps_at_once(nodes: list[Server], caller: Make, volunteer: Make, pool: Pool) -> None:
    """Whoever taps at the same moment on whatever node, one has the moment and the other is thanked."""
    asker = await caller(nodes[0].base)
    helpers = [await volunteer(nodes[number].base) for number in range(2)]
    for _ in range(40):
        request_id = await asker.ask()
        rings = [(await helper.expect("offer.ring", request_id=request_id))["offer_id"] for helper in helpers]
        found = await asyncio.gather(*map(open_offer, helpers, rings))
        assert sorted(found) == ["open", "taken"], found
        winner = found.index("open")
        reserved = await pool.fetchval("SELECT reserved_offer FROM matching.request WHERE state = 'open'")
        assert str(reserved) == rings[winner]
        # A tap and an accept at once: the one who holds the request gets the call.
        answers = await asyncio.gather(
            *(accept(helper, ring, new_id()) for helper, ring in zip(helpers, rings, strict=True))
        )
        assert answers[1 - winner] == "offer_taken"
        await asker.expect("call.begin", call_id=answers[winner])
        await asker.command("call.end", call_id=answers[winner])
        await helpers[winner].expect("call.ended", call_id=answers[winner])
        for client in (asker, *helpers):
            client.events.clear()


async def test_a_tap_and_an_accept_at_once(nodes: list[Server], caller: Make, volunteer: Make, pool: Pool) -> None:
    """Either the tap keeps the request and the accept is late, or the accept wins and the tap is late."""
    asker = await caller(nodes[0].base)
    tapper, helper = await volunteer(nodes[0].base), await volunteer(nodes[1].base)
    aim, found = Aim(), set()
    for _ in range(40):
        request_id = await asker.ask()
        rings = [(await one.expect("offer.ring", request_id=request_id))["offer_id"] for one in (tapper, helper)]
        tapped, accepted = await asyncio.gather(
            aim.one(open_offer(tapper, rings[0])), aim.other(accept(helper, rings[1], new_id()))
        )
        found.add(tapped)
        aim.was_first(tapped == "open")
        if tapped == "open":
            assert accepted == "offer_taken"
            accepted = await accept(tapper, rings[0], new_id())
        else:
            assert tapped == "taken"
        assert await pool.fetchval("SELECT count(*) FROM matching.call WHERE state <> 'ended'") == 1
        await asker.expect("call.begin", call_id=accepted)
        await asker.command("call.end", call_id=accepted)
        await asker.expect("call.ended")
        for client in (asker, tapper, helper):
            client.events.clear()
    assert found == {"open", "taken"}


async def test_a_tap_and_a_cancellation_at_once(nodes: list[Server], caller: Make, volunteer: Make, pool: Pool) -> None:
    asker, helper = await caller(nodes[0].base), await volunteer(nodes[1].base)
    aim, found = Aim(), set()
    for _ in range(40):
        request_id = await asker.ask()
        ring = (await helper.expect("offer.ring", request_id=request_id))["offer_id"]
        cancelled, tapped = await asyncio.gather(
            aim.other(asker.command("help.cancel", request_id=request_id)), aim.one(open_offer(helper, ring))
        )
        found.add(tapped)
        aim.was_first(tapped == "open")
        assert cancelled["type"] == "ok"
        assert (await helper.expect("offer.gone", offer_id=ring))["reason"] == "cancelled"
        assert await accept(helper, ring, new_id()) == "offer_closed"
        assert await pool.fetchval("SELECT count(*) FROM matching.request WHERE reserved_offer IS NOT NULL") == 0
    assert found == {"open", "cancelled"}


async def test_the_grace_passes_while_the_volunteer_accepts(
    short_nodes: list[Server], caller: Make, volunteer: Make, pool: Pool
) -> None:
    """Whichever is first, there is one call and nobody is left hanging."""
    asker, helper = await caller(short_nodes[0].base), await volunteer(short_nodes[1].base)
    for number in range(6):
        request_id = await asker.ask()
        ring = (await helper.expect("offer.ring", request_id=request_id))["offer_id"]
        assert await open_offer(helper, ring) == "open"
        await asyncio.sleep(0.9 + number * 0.05)
        call_id = await accept(helper, ring, new_id())
        assert len(call_id) == 36
        await asker.expect("call.begin", call_id=call_id)
        assert await pool.fetchval("SELECT count(*) FROM matching.request WHERE reserved_offer IS NOT NULL") == 0
        await asker.command("call.end", call_id=call_id)
        await helper.expect("call.ended", call_id=call_id)
        helper.events.clear()
