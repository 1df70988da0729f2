"""A call that was cut off: its caller asks for the same volunteer, who is rung alone for a while."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from accounts.postgres import Pool
from tests.client import Client, Refused, new_id
from tests.flows.conftest import Make
from tests.flows.test_one_call import connected, matched, rung
from tests.house import Server, serving

QUICK = {"MATCHING_TICK": "0.2", "MATCHING_CALLBACK_ALONE": "1", "MATCHING_RESUME_WINDOW": "1"}


@pytest.fixture
async def quick(database_url: str, redis_url: str, prefix: str) -> AsyncIterator[Server]:
    """A node on which the volunteer of a dropped call rings alone for a second."""
    async with serving(database_url, redis_url, prefix, **QUICK) as made:
        yield made


async def cut_off(asker: Client, helper: Client) -> str:
    """A call that ended for technical reasons; the volunteer is off shift, as whoever looks at the end of a call."""
    call_id = await connected(asker, helper)
    await helper.command("shift.end")
    await helper.command("call.end", call_id=call_id, reason="technical")
    ended = await asker.expect("call.ended")
    assert ended["may_call_back"] is True
    await helper.expect("call.ended")
    return call_id


async def call_back(asker: Client, call_id: str, request_id: str | None = None) -> str:
    request_id = request_id or new_id()
    answer = await asker.command("help.callback", call_id=call_id, request_id=request_id)
    assert answer["request_id"] == request_id
    return request_id


async def test_the_same_volunteer_comes_back(server: Server, caller: Make, volunteer: Make) -> None:
    """Rung alone, off shift, and told who it is."""
    asker, helper = await caller(server.base, "en", "fr"), await volunteer(server.base)
    call_id = await cut_off(asker, helper)
    others = [await volunteer(server.base) for _ in range(2)]
    request_id = await call_back(asker, call_id)
    ring = await helper.expect("offer.ring", request_id=request_id)
    assert ring["callback"] is True
    assert (await asker.expect("help.status", asked=1))["state"] == "looking"
    # A retry is the same request.
    assert await call_back(asker, call_id, request_id) == request_id
    for other in others:
        assert not await rung(other, within=1)
    async with await Client(server.base, helper.email).sign_in() as page:
        await page.connect()
        assert [offer.get("callback") for offer in page.welcome["state"]["offers"]] == [True]
    opened = await helper.command("offer.open", offer_id=ring["offer_id"])
    assert opened["offer"]["callback"] is True
    await helper.accept(ring["offer_id"])
    assert (await asker.expect("call.begin"))["request_id"] == request_id


async def test_others_after_a_while_or_a_refusal(quick: Server, caller: Make, volunteer: Make) -> None:
    asker, helper = await caller(quick.base), await volunteer(quick.base)
    call_id = await cut_off(asker, helper)
    other = await volunteer(quick.base)
    request_id = await call_back(asker, call_id)
    first = await helper.expect("offer.ring", request_id=request_id)
    ring = await other.expect("offer.ring", request_id=request_id, within=5)
    assert "callback" not in ring
    await asker.expect("help.status", state="looking_again")
    # The first may still be the one: their ring has not ended.
    await helper.accept(first["offer_id"])
    call_id = (await asker.expect("call.begin"))["call_id"]
    for side in (asker, helper):
        await side.command("call.connected", call_id=call_id)
    await asker.command("call.end", call_id=call_id, reason="technical")
    await asker.expect("call.ended")
    other.events.clear()
    request_id = await call_back(asker, call_id)
    again = await helper.expect("offer.ring", request_id=request_id)
    await helper.command("offer.decline", offer_id=again["offer_id"])
    await other.expect("offer.ring", request_id=request_id)


@pytest.mark.parametrize("why", ["gone", "never_again", "quiet", "in_call", "held"])
async def test_others_at_once(server: Server, caller: Make, volunteer: Make, pool: Pool, why: str) -> None:
    """Where the volunteer cannot come, nobody says so, and nobody waits for them."""
    asker, helper = await caller(server.base), await volunteer(server.base)
    call_id = await cut_off(asker, helper)
    if why == "gone":
        await helper.disconnect()
    elif why == "never_again":
        await helper.call("PUT", f"/v1/calls/{call_id}/never-again", {"never_again": True})
    elif why == "quiet":
        windows = [{"start": "00:00", "end": "12:00"}, {"start": "12:00", "end": "00:00"}]
        await helper.call("PUT", "/v1/me", {"quiet_hours": windows, "time_zone": "UTC"})
    elif why == "held":
        await pool.execute(
            "UPDATE accounts.person SET standing = 'held' WHERE id = $1::text::uuid", helper.person["id"]
        )
    else:
        await helper.command("shift.start")
        await matched(await caller(server.base), helper)
    helper.events.clear()
    other = await volunteer(server.base)
    request_id = await call_back(asker, call_id)
    ring = await other.expect("offer.ring", request_id=request_id, within=5)
    assert not [event for event in helper.events if event["type"] == "offer.ring"]
    await other.accept(ring["offer_id"])
    await asker.expect("call.begin")


async def test_only_the_caller_and_only_after_a_drop(quick: Server, caller: Make, volunteer: Make, pool: Pool) -> None:
    asker, helper = await caller(quick.base), await volunteer(quick.base)
    call_id = await connected(asker, helper)

    async def refusal(who: Client, call: str = call_id) -> str:
        with pytest.raises(Refused) as refused:
            await who.command("help.callback", call_id=call, request_id=new_id())
        return refused.value.code

    assert await refusal(await caller(quick.base)) == "call_unknown"
    assert await refusal(asker, new_id()) == "call_unknown"
    assert await refusal(helper) == "wrong_role"
    assert await refusal(asker) == "in_call"
    await helper.command("call.end", call_id=call_id, reason="done")
    await asker.expect("call.ended")
    assert await refusal(asker) == "callback_not_possible"
    await helper.expect("call.ended")
    # Whoever ended a call for abuse is not rung by the other again, and the other is not told why.
    dropped = await cut_off(asker, helper)
    await pool.execute("UPDATE matching.call SET ended_at = ended_at - interval '599 seconds'")
    await asker.command("help.cancel", request_id=await call_back(asker, dropped))
    await pool.execute("UPDATE matching.call SET ended_at = ended_at - interval '2 seconds'")
    assert await refusal(asker, dropped) == "callback_too_late"


async def test_a_call_that_was_given_back_needs_no_call_back(quick: Server, caller: Make, volunteer: Make) -> None:
    """After losing the volunteer the request goes on by itself: with its waiting time, in front, and not to the one
    who was lost."""
    asker, helper = await caller(quick.base), await volunteer(quick.base)
    call_id = await connected(asker, helper)
    waited = (await asker.expect("help.status"))["waited"]
    other = await volunteer(quick.base)
    await helper.disconnect(abort=True)
    ended = await asker.expect("call.ended", within=15)
    assert (ended["reason"], ended["may_call_back"]) == ("volunteer_lost", False)
    again = await asker.expect("help.status", state="looking_again")
    assert again["waited"] >= waited
    await other.expect("offer.ring", request_id=again["request_id"])
    await helper.connect()
    await helper.command("shift.start")
    assert not await rung(helper, within=1)
    with pytest.raises(Refused, match="callback_not_possible"):
        await asker.command("help.callback", call_id=call_id, request_id=new_id())
    await asker.command("help.cancel", request_id=again["request_id"])
    with pytest.raises(Refused, match="callback_not_possible"):
        await asker.command("help.callback", call_id=call_id, request_id=new_id())


async def test_a_lost_caller_may_come_back(quick: Server, caller: Make, volunteer: Make) -> None:
    asker, helper = await caller(quick.base), await volunteer(quick.base)
    call_id = await connected(asker, helper)
    await asker.disconnect(abort=True)
    assert (await helper.expect("call.ended", within=15))["reason"] == "caller_lost"
    await asker.connect()
    offered = asker.welcome["state"]["call_back"]
    assert offered["call_id"] == call_id
    assert 500 < offered["expires_in"] <= 600
    request_id = await call_back(asker, call_id)
    await asker.connect()
    assert asker.welcome["state"]["call_back"] is None
    assert (await helper.expect("offer.ring", request_id=request_id))["callback"] is True


async def test_an_ordinary_ring_stays_on_the_page_that_is_on_shift(
    server: Server, caller: Make, volunteer: Make
) -> None:
    """The same person's other page, which is not on shift, rings only for somebody who was cut off."""
    asker, helper = await caller(server.base), await volunteer(server.base)
    async with await Client(server.base, helper.email).sign_in() as page:
        await page.connect()
        request_id = await asker.ask()
        await helper.accept((await helper.expect("offer.ring", request_id=request_id))["offer_id"])
        call_id = (await page.expect("call.begin"))["call_id"]
        assert not [event for event in page.events if event["type"] == "offer.ring"]
        await asker.command("call.end", call_id=call_id, reason="technical")
        await page.expect("call.ended")
        request_id = await call_back(asker, call_id)
        assert (await page.expect("offer.ring", request_id=request_id))["callback"] is True
