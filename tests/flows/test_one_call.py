"""The whole thread: from one button to a finished, rated call, on one node and on two."""

from __future__ import annotations

import asyncio

import pytest

from accounts.postgres import Pool
from tests.client import Client, Refused, new_id
from tests.flows.conftest import Make
from tests.house import Server


async def matched(asker: Client, helper: Client) -> str:
    """Ask, ring, accept; the call's id, with `call.begin` heard on both sides."""
    await asker.ask()
    ring = await helper.expect("offer.ring")
    accepted = await helper.accept(ring["offer_id"])
    begun = await asker.expect("call.begin")
    assert (await helper.expect("call.begin"))["call_id"] == begun["call_id"] == accepted["call_id"]
    return str(begun["call_id"])


async def connected(asker: Client, helper: Client) -> str:
    """A call in which both sides have said that media flows."""
    call_id = await matched(asker, helper)
    for side in (asker, helper):
        await side.command("call.connected", call_id=call_id)
    return call_id


async def make_longer(pool: Pool, call_id: str, seconds: float) -> None:
    """As if the call had been connected for so long already."""
    await pool.execute(
        "UPDATE matching.call SET connected_at = connected_at - make_interval(secs => $2) WHERE id = $1::text::uuid",
        call_id,
        seconds,
    )


async def test_the_whole_story(server: Server, caller: Make, volunteer: Make, pool: Pool) -> None:
    helper, late, french = (
        await volunteer(server.base, "en", "de", alias="Robin"),
        await volunteer(server.base, "en"),
        await volunteer(server.base, "fr"),
    )
    asker = await caller(server.base, "en", "es")

    request_id = await asker.ask(topic="a letter")
    status = await asker.expect("help.status", state="looking")
    assert status["request_id"] == request_id
    assert status["asked"] == 2
    ring = await helper.expect("offer.ring")
    assert ring["languages"] == ["en"]
    assert ring["topic"] == "a letter"
    assert set(ring) == {"type", "seq", "offer_id", "request_id", "languages", "topic", "waited", "expires_in"}
    missed = await late.expect("offer.ring")

    accepted = await helper.accept(ring["offer_id"], "my-accept")
    begun = await asker.expect("call.begin")
    assert begun["role"] == "caller"
    assert begun["partner"] == {"languages": ["en", "de"], "alias": "Robin", "experience": 0}
    assert begun["ice_servers"] == []
    assert begun["ice_policy"] == "all"
    assert (await helper.expect("call.begin"))["partner"]["languages"] == ["en", "es"]
    assert (await late.expect("offer.gone"))["reason"] == "taken"
    with pytest.raises(Refused, match="offer_taken"):
        await late.accept(missed["offer_id"])
    call_id = begun["call_id"]
    assert (await helper.accept(ring["offer_id"], "my-accept"))["call_id"] == accepted["call_id"]

    sdp = {"type": "offer", "sdp": "v=0\r\nm=video 9 X 96\r\na=sendonly\r\n"}
    await asker.command("call.signal", call_id=call_id, generation=1, description=sdp)
    assert (await helper.expect("call.signal"))["description"] == sdp
    answer = {"type": "answer", "sdp": "v=0\r\nm=video 9 X 96\r\na=recvonly\r\n"}
    await helper.command("call.signal", call_id=call_id, generation=1, description=answer)
    assert (await asker.expect("call.signal"))["description"] == answer
    candidates = [{"candidate": "candidate:1 1 udp 1 127.0.0.1 5 typ host", "sdpMid": "0"}, {"candidate": ""}]
    await helper.command("call.signal", call_id=call_id, generation=1, candidates=candidates)
    assert (await asker.expect("call.signal"))["candidates"] == candidates

    for side in (asker, helper):
        await side.command("call.connected", call_id=call_id)
    await helper.command("call.hint", call_id=call_id, hint="nearer")
    assert (await asker.expect("call.hint"))["hint"] == "nearer"
    await asker.command("call.text", call_id=call_id, text="Danke")
    assert (await helper.expect("call.text"))["text"] == "Danke"
    await make_longer(pool, call_id, 65)
    await asker.command("call.end", call_id=call_id, reason="done")
    for side in (asker, helper):
        ended = await side.expect("call.ended")
        assert (ended["call_id"], ended["reason"]) == (call_id, "done")
        assert 65 <= ended["duration"] < 80

    await asker.call("PUT", f"/v1/calls/{call_id}/rating", {"outcome": "solved", "conduct": "fine"})
    await helper.call("PUT", f"/v1/calls/{call_id}/rating", {"conduct": "fine", "comment": "lovely"})
    points = await helper.call("GET", "/v1/me/points")
    assert points["balance"] == 150
    assert sorted(row["kind"] for row in points["ledger"]) == ["call", "first_call"]
    assert (await late.call("GET", "/v1/me/points"))["balance"] == 5
    (past,) = (await asker.call("GET", "/v1/me/calls"))["calls"]
    assert past["rating"]["outcome"] == "solved"
    assert past["partner_alias"] == "Robin"
    assert not [event for event in french.events if event["type"] == "offer.ring"]


async def test_the_same_over_two_nodes(nodes: list[Server], caller: Make, volunteer: Make) -> None:
    asker = await caller(nodes[0].base)
    helper = await volunteer(nodes[1].base)
    call_id = await matched(asker, helper)
    for number in range(20):
        await asker.command("call.signal", call_id=call_id, generation=1, candidates=[{"candidate": str(number)}])
        await helper.command("call.text", call_id=call_id, text=str(number))
    heard = [(await helper.expect("call.signal"))["candidates"][0]["candidate"] for _ in range(20)]
    assert heard == [str(number) for number in range(20)]
    assert [(await asker.expect("call.text"))["text"] for _ in range(20)] == heard
    await helper.command("call.end", call_id=call_id, reason="cannot_help")
    assert (await asker.expect("call.ended"))["reason"] == "cannot_help"
    assert (await helper.expect("call.ended"))["call_id"] == call_id


async def test_second_languages_join_when_nobody_speaks_the_first(
    server: Server, caller: Make, volunteer: Make
) -> None:
    helper = await volunteer(server.base, "pt-PT")
    asker = await caller(server.base, "yue", "pt-BR")
    await asker.ask()
    assert (await helper.expect("offer.ring"))["languages"] == ["pt-BR"]


async def test_a_refusal_rings_somebody_else_at_once(
    database_url: str, redis_url: str, prefix: str, caller: Make, volunteer: Make
) -> None:
    from tests.house import serving

    async with serving(
        database_url, redis_url, prefix, MATCHING_WAVE_AT_MOST="1", MATCHING_RINGS_AT_MOST="1"
    ) as server:
        helpers = [await volunteer(server.base) for _ in range(2)]
        asker = await caller(server.base)
        await asker.ask()
        (first,) = [helper for helper in helpers if await rung(helper)]
        (second,) = [helper for helper in helpers if helper is not first]
        ring = first.events[0]
        await first.command("offer.decline", offer_id=ring["offer_id"])
        await second.expect("offer.ring", within=3)
        await first.command("offer.decline", offer_id=ring["offer_id"])
        with pytest.raises(Refused, match="offer_answered"):
            await first.accept(ring["offer_id"])


async def rung(helper: Client, within: float = 0.7) -> bool:
    """Whether a ring comes; it stays in the queue."""
    for _ in range(int(within / 0.05)):
        if any(event["type"] == "offer.ring" for event in helper.events):
            return True
        await asyncio.sleep(0.05)
    return False


async def test_a_retry_is_the_same_request_and_the_same_call(server: Server, caller: Make, volunteer: Make) -> None:
    asker, helper = await caller(server.base), await volunteer(server.base)
    request_id = new_id()
    for _ in range(3):
        assert (await asker.command("help.ask", request_id=request_id))["request_id"] == request_id
    ring = await helper.expect("offer.ring")
    first = await helper.accept(ring["offer_id"], "once")
    second = await helper.accept(ring["offer_id"], "once")
    other_name = await helper.accept(ring["offer_id"], "twice")
    assert first["call_id"] == second["call_id"] == other_name["call_id"]
    assert (await asker.command("help.ask", request_id=request_id))["request_id"] == request_id


async def test_cancelling_silences_every_ring(server: Server, caller: Make, volunteer: Make) -> None:
    asker, helper = await caller(server.base), await volunteer(server.base)
    request_id = await asker.ask()
    ring = await helper.expect("offer.ring")
    await asker.command("help.cancel", request_id=request_id)
    assert (await asker.expect("help.closed"))["reason"] == "cancelled"
    assert (await helper.expect("offer.gone"))["reason"] == "cancelled"
    with pytest.raises(Refused, match="offer_closed"):
        await helper.accept(ring["offer_id"])
    with pytest.raises(Refused, match="request_closed"):
        await asker.command("help.ask", request_id=request_id)


async def test_a_volunteer_off_shift_is_not_rung(server: Server, caller: Make, volunteer: Make) -> None:
    helper, asker = await volunteer(server.base), await caller(server.base)
    await helper.command("shift.end")
    await asker.ask()
    assert not await rung(helper)
    await helper.command("shift.start")
    await helper.expect("offer.ring", within=5)


async def test_a_volunteer_is_not_rung_in_quiet_hours(server: Server, caller: Make, volunteer: Make) -> None:
    helper = await volunteer(
        server.base,
        time_zone="UTC",
        quiet_hours=[{"start": "00:00", "end": "12:00"}, {"start": "12:00", "end": "00:00"}],
    )
    asker = await caller(server.base)
    await asker.ask()
    assert not await rung(helper)
    await helper.call("PUT", "/v1/me", {"quiet_hours": []})
    await helper.expect("offer.ring", within=5)
