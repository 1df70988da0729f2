"""Every command by everybody who must not: a stranger, the other role, after the end, without a call."""

from __future__ import annotations

from typing import Any

import pytest

from tests.client import Client, Refused, new_id
from tests.flows.conftest import Make
from tests.flows.test_one_call import connected
from tests.house import Server

OFFER = {"type": "offer", "sdp": "v=0\r\n"}
ANSWER = {"type": "answer", "sdp": "v=0\r\n"}
IN_CALL: dict[str, dict[str, Any]] = {
    "call.signal": {"generation": 1, "candidates": []},
    "call.connected": {},
    "call.quality": {"round_trip": 0.1},
    "call.hint": {"hint": "left"},
    "call.text": {"text": "x"},
    "call.control": {"torch": True},
    "call.did": {"torch": True},
    "call.restart": {},
    "call.end": {},
}
ONE_SIDE = {"call.hint": "volunteer", "call.control": "volunteer", "call.did": "caller"}


async def refusal(client: Client, command: str, **fields: Any) -> str:
    """The code with which a command is refused; `ok` if it is not."""
    try:
        await client.command(command, **fields)
    except Refused as refused:
        return refused.code if len(refused.problem["detail"]) > 10 else "no sentence"
    return "ok"


@pytest.mark.parametrize("command", IN_CALL)
async def test_a_call_is_its_two_peoples_while_it_lives(
    server: Server, caller: Make, volunteer: Make, command: str
) -> None:
    asker, helper = await caller(server.base), await volunteer(server.base)
    call_id = await connected(asker, helper)
    strangers = (await caller(server.base), await volunteer(server.base))
    fields = IN_CALL[command]
    for stranger in strangers:
        assert await refusal(stranger, command, call_id=call_id, **fields) == "call_unknown"
    assert await refusal(asker, command, call_id=new_id(), **fields) == "call_unknown"
    assert not [event for side in (asker, helper) for event in side.events if event["type"].startswith("call.")]
    if command in ONE_SIDE:
        right, wrong = (asker, helper) if ONE_SIDE[command] == "caller" else (helper, asker)
        assert await refusal(wrong, command, call_id=call_id, **fields) == "wrong_role"
        assert await refusal(right, command, call_id=call_id, **fields) == "ok"
    elif command != "call.end":
        for side in (asker, helper):
            assert await refusal(side, command, call_id=call_id, **fields) == "ok"
    await asker.command("call.end", call_id=call_id)
    await helper.expect("call.ended")
    after = {"call.end": "ok", "call.connected": "call_over"}.get(command, "call_unknown")
    for side in (asker, helper):
        assert await refusal(side, command, call_id=call_id, **fields) == after


async def test_each_role_has_its_commands(server: Server, caller: Make, volunteer: Make) -> None:
    asker, helper = await caller(server.base), await volunteer(server.base)
    assert await refusal(helper, "help.ask", request_id=new_id()) == "wrong_role"
    assert await refusal(asker, "shift.start") == "wrong_role"
    for command in ("offer.accept", "offer.decline", "offer.open"):
        extra = {"accept_id": "a"} if command == "offer.accept" else {}
        assert await refusal(asker, command, offer_id=new_id(), **extra) == "offer_unknown"
    for command in ("help.cancel", "help.wait", "help.later"):
        assert await refusal(helper, command, request_id=new_id()) == "request_unknown"
    assert await refusal(helper, "help.callback", call_id=new_id(), request_id=new_id()) == "wrong_role"


async def test_requests_and_offers_are_their_owners(server: Server, caller: Make, volunteer: Make) -> None:
    asker, other = await caller(server.base), await caller(server.base)
    helper, idle = await volunteer(server.base), await volunteer(server.base, "fr")
    request_id = await asker.ask()
    offer_id = (await helper.expect("offer.ring"))["offer_id"]
    assert await refusal(other, "help.cancel", request_id=request_id) == "request_unknown"
    for command in ("help.wait", "help.later"):
        for stranger in (other, helper):
            assert await refusal(stranger, command, request_id=request_id) == "request_unknown"
    assert await refusal(other, "help.ask", request_id=request_id) == "request_id_taken"
    assert await refusal(idle, "offer.accept", offer_id=offer_id, accept_id="a") == "offer_unknown"
    assert await refusal(idle, "offer.decline", offer_id=offer_id) == "offer_unknown"
    for stranger in (idle, asker, other):
        assert await refusal(stranger, "offer.open", offer_id=offer_id) == "offer_unknown"
    assert (await helper.command("offer.open", offer_id=offer_id))["open"] is True
    await helper.accept(offer_id)
    assert (await helper.command("offer.open", offer_id=offer_id))["open"] is False


AFTER = {"help.cancel": "request_closed", "help.wait": "request_closed", "help.later": "request_closed"}


@pytest.mark.parametrize("command", AFTER)
@pytest.mark.parametrize("end", ["cancelled", "matched"])
async def test_a_request_that_is_over_takes_no_commands(
    server: Server, caller: Make, volunteer: Make, command: str, end: str
) -> None:
    asker, helper = await caller(server.base), await volunteer(server.base)
    request_id = await asker.ask()
    ring = await helper.expect("offer.ring")
    if end == "matched":
        await helper.accept(ring["offer_id"])
    else:
        await asker.command("help.cancel", request_id=request_id)
    assert await refusal(asker, command, request_id=request_id) == AFTER[command]


async def test_calling_back_is_the_callers_after_a_drop(server: Server, caller: Make, volunteer: Make) -> None:
    """By everybody, before, within, and after a call that somebody ended on purpose."""
    asker, helper = await caller(server.base), await volunteer(server.base)
    strangers = (await caller(server.base), await volunteer(server.base))

    async def back(who: Client, call_id: str) -> str:
        return await refusal(who, "help.callback", call_id=call_id, request_id=new_id())

    assert await back(asker, new_id()) == "call_unknown"
    call_id = await connected(asker, helper)
    assert await back(asker, call_id) == "in_call"
    assert [await back(stranger, call_id) for stranger in strangers] == ["call_unknown", "wrong_role"]
    await asker.command("call.end", call_id=call_id)
    assert await back(asker, call_id) == "callback_not_possible"
    assert await back(helper, call_id) == "wrong_role"
    # Cut off: the caller's alone, and only with an id of their own.
    call_id = await connected(asker, helper)
    await asker.command("call.end", call_id=call_id, reason="technical")
    other = await strangers[0].ask()
    assert await refusal(asker, "help.callback", call_id=call_id, request_id=other) == "request_id_taken"
    assert await back(strangers[0], call_id) == "call_unknown"
    assert await back(asker, call_id) == "ok"
    assert await back(asker, call_id) == "request_open"


async def test_one_open_request_and_none_during_a_call(server: Server, caller: Make, volunteer: Make) -> None:
    asker = await caller(server.base)
    request_id = await asker.ask()
    assert await refusal(asker, "help.ask", request_id=new_id()) == "request_open"
    await asker.command("help.cancel", request_id=request_id)
    helper = await volunteer(server.base)
    await connected(asker, helper)
    assert await refusal(asker, "help.ask", request_id=new_id()) == "in_call"


@pytest.mark.parametrize("language", ["klingon", "xx", "e1"])
async def test_a_language_nobody_knows(server: Server, caller: Make, language: str) -> None:
    asker = await caller(server.base)
    assert await refusal(asker, "help.ask", request_id=new_id(), languages=[language]) == "language_unknown"
    assert asker.welcome["state"]["request"] is None


async def test_a_volunteers_video_is_refused_and_stale_signals_are_dropped(
    server: Server, caller: Make, volunteer: Make
) -> None:
    asker, helper = await caller(server.base), await volunteer(server.base)
    call_id = await connected(asker, helper)

    async def signal(client: Client, **fields: Any) -> str:
        return await refusal(client, "call.signal", call_id=call_id, **fields)

    assert await signal(asker, generation=3, description=OFFER) == "ok"
    await helper.expect("call.signal", generation=3)
    video = {"type": "answer", "sdp": "v=0\r\nm=video 9 X 96\r\na=sendrecv\r\n"}
    assert await signal(helper, generation=3, description=video) == "video_refused"
    assert await signal(helper, generation=2, description=ANSWER) == "signal_stale"
    assert await signal(helper, generation=3, description=OFFER) == "signal_not_yours"
    assert await signal(helper, generation=3) == "signal_malformed"
    assert await signal(helper, generation=3, description=ANSWER) == "ok"
    assert await signal(asker, generation=2, candidates=[]) == "signal_stale"
    heard = [event for event in asker.events if event["type"] == "call.signal"]
    assert [event["description"] for event in heard] == [ANSWER]


async def test_restarts_are_told_to_both_and_limited(
    database_url: str, redis_url: str, prefix: str, caller: Make, volunteer: Make
) -> None:
    from tests.house import serving

    async with serving(database_url, redis_url, prefix, LIMITS_RESTARTS_PER_CALL="2", LIMITS_FACTOR="1") as server:
        asker, helper = await caller(server.base), await volunteer(server.base)
        call_id = await connected(asker, helper)
        for _ in range(2):
            await helper.command("call.restart", call_id=call_id)
            for side in (asker, helper):
                assert (await side.expect("call.restart"))["ice_policy"] == "all"
        with pytest.raises(Refused, match="too_many_requests") as refused:
            await asker.command("call.restart", call_id=call_id)
        assert refused.value.problem["retry_after"] > 0
