"""A socket that drops keeps session, request and call; a node that dies keeps request and call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.client import Refused, new_id
from tests.flows.conftest import Make
from tests.flows.test_one_call import connected, matched
from tests.house import Server, serving, two_nodes

QUICK = {"MATCHING_RESUME_WINDOW": "1.5", "MATCHING_GRACE": "2", "MATCHING_TICK": "0.2"}


@pytest.fixture
async def quick(database_url: str, redis_url: str, prefix: str) -> AsyncIterator[Server]:
    """A node on which people are gone after a second and a half."""
    async with serving(database_url, redis_url, prefix, **QUICK) as made:
        yield made


async def test_what_was_missed_is_replayed(server: Server, caller: Make, volunteer: Make) -> None:
    asker, helper = await caller(server.base), await volunteer(server.base)
    call_id = await matched(asker, helper)
    await asker.disconnect(abort=True)
    assert (await helper.expect("call.partner"))["state"] == "away"
    for number in range(5):
        await helper.command("call.text", call_id=call_id, text=str(number))
    await asker.connect(resume=True)
    assert asker.welcome["resumed"] is True
    assert asker.welcome["state"]["call"]["call_id"] == call_id
    assert [(await asker.expect("call.text"))["text"] for _ in range(5)] == list("01234")
    assert (await helper.expect("call.partner"))["state"] == "back"


async def test_a_session_is_fetched_from_another_node(nodes: list[Server], caller: Make, volunteer: Make) -> None:
    asker, helper = await caller(nodes[0].base), await volunteer(nodes[0].base)
    call_id = await connected(asker, helper)
    await helper.disconnect(abort=True)
    await asker.expect("call.partner", state="away")
    await asker.command("call.text", call_id=call_id, text="still there?")
    helper.base = nodes[1].base
    await helper.connect(resume=True)
    assert helper.welcome["resumed"] is True
    assert helper.welcome["state"]["shift"] is True
    assert (await helper.expect("call.text"))["text"] == "still there?"
    await asker.expect("call.partner", state="back")
    await asker.command("call.text", call_id=call_id, text="good")
    assert (await helper.expect("call.text"))["text"] == "good"


async def test_a_session_moves_while_the_old_socket_still_looks_alive(
    nodes: list[Server], caller: Make, volunteer: Make
) -> None:
    """A phone that changes from Wi-Fi to mobile: the old socket has not noticed yet."""
    asker, helper = await caller(nodes[0].base), await volunteer(nodes[0].base)
    call_id = await connected(asker, helper)
    old, asker._socket = asker._socket, None
    reader, asker._reader = asker._reader, None
    asker.base = nodes[1].base
    await asker.connect(resume=True)
    assert asker.welcome["resumed"] is True
    assert old is not None
    assert reader is not None
    await reader
    assert old.close_code == 4009
    await asker.command("call.text", call_id=call_id, text="here")
    assert (await helper.expect("call.text"))["text"] == "here"
    assert not [event for event in helper.events if event["type"] == "call.ended"]


async def test_a_repeated_command_after_a_resume_has_one_effect_and_the_same_answer(
    server: Server, caller: Make, volunteer: Make
) -> None:
    asker, helper = await caller(server.base), await volunteer(server.base)
    call_id = await matched(asker, helper)
    name = new_id()
    first = await asker.command("call.text", id=name, call_id=call_id, text="once")
    await asker.disconnect(abort=True)
    await asker.connect(resume=True)
    assert await asker.command("call.text", id=name, call_id=call_id, text="once") == first
    await helper.expect("call.text")
    await asyncio.sleep(0.1)
    assert not [event for event in helper.events if event["type"] == "call.text"]


async def test_a_session_nobody_knows_begins_anew_with_the_whole_present(
    server: Server, caller: Make, volunteer: Make
) -> None:
    asker, helper = await caller(server.base), await volunteer(server.base)
    call_id = await matched(asker, helper)
    await asker.disconnect(abort=True)
    asker.session = new_id()
    await asker.connect(resume=True)
    assert asker.welcome["resumed"] is False
    assert asker.welcome["seq"] == 0
    assert asker.welcome["state"]["call"]["call_id"] == call_id
    await asker.command("call.text", call_id=call_id, text="I am back")
    assert (await helper.expect("call.text"))["text"] == "I am back"


async def test_nobody_resumes_a_strangers_session(server: Server, caller: Make) -> None:
    mine, other = await caller(server.base), await caller(server.base)
    await mine.disconnect(abort=True)
    session = mine.session
    other.session, other.seq = session, mine.seq
    await other.connect(resume=True)
    assert other.welcome["resumed"] is False
    assert other.session != session


async def test_a_client_that_lies_about_seq_begins_anew(server: Server, caller: Make) -> None:
    asker = await caller(server.base)
    await asker.disconnect(abort=True)
    asker.seq = 999
    await asker.connect(resume=True)
    assert asker.welcome["resumed"] is False


async def test_an_open_request_outlives_a_drop_and_not_a_long_absence(quick: Server, caller: Make) -> None:
    asker = await caller(quick.base)
    request_id = await asker.ask()
    await asker.disconnect(abort=True)
    await asyncio.sleep(0.5)
    await asker.connect(resume=True)
    assert asker.welcome["state"]["request"]["request_id"] == request_id
    await asker.disconnect(abort=True)
    await asyncio.sleep(3.5)
    await asker.connect(resume=True)
    assert asker.welcome["resumed"] is False
    assert asker.welcome["state"]["request"] is None
    with pytest.raises(Refused, match="request_closed"):
        await asker.command("help.ask", request_id=request_id)


async def test_a_caller_who_is_gone_ends_the_call_once(quick: Server, caller: Make, volunteer: Make) -> None:
    asker, helper = await caller(quick.base), await volunteer(quick.base)
    call_id = await connected(asker, helper)
    await asyncio.sleep(QUICK_TRUST)
    await asker.disconnect(abort=True)
    assert (await helper.expect("call.partner"))["state"] == "away"
    ended = await helper.expect("call.ended", within=6)
    assert (ended["call_id"], ended["reason"]) == (call_id, "caller_lost")
    other = await caller(quick.base)
    await other.ask()
    await helper.expect("offer.ring")  # free again
    assert not [event for event in helper.events if event["type"] == "call.ended"]


QUICK_TRUST = 1.6
"""Silence says nothing in a sweeper's first resume window."""


async def test_a_volunteer_who_is_gone_is_replaced_at_once(quick: Server, caller: Make, volunteer: Make) -> None:
    asker, helper = await caller(quick.base), await volunteer(quick.base)
    request_id = await asker.ask()
    await helper.accept((await helper.expect("offer.ring"))["offer_id"])
    call_id = (await asker.expect("call.begin"))["call_id"]
    for side in (asker, helper):
        await side.command("call.connected", call_id=call_id)
    other = await volunteer(quick.base)
    await asyncio.sleep(QUICK_TRUST)
    await helper.disconnect(abort=True)
    assert (await asker.expect("call.ended", within=6))["reason"] == "volunteer_lost"
    assert (await asker.expect("help.status", state="looking_again"))["request_id"] == request_id
    await other.accept((await other.expect("offer.ring"))["offer_id"])
    assert (await asker.expect("call.begin"))["fence"] == 2
    await helper.connect(resume=True)
    assert helper.welcome["state"]["call"] is None


async def test_who_does_not_connect_in_time_gives_the_caller_back(quick: Server, caller: Make, volunteer: Make) -> None:
    asker, helper = await caller(quick.base), await volunteer(quick.base)
    call_id = await matched(asker, helper)
    await asker.command("call.connected", call_id=call_id)
    other = await volunteer(quick.base)
    assert (await asker.expect("call.ended", within=5))["reason"] == "not_connected"
    assert (await helper.expect("call.ended"))["reason"] == "not_connected"
    await other.expect("offer.ring", within=5)


async def test_a_restart_says_goodbye_and_loses_nothing(
    database_url: str, redis_url: str, prefix: str, caller: Make, volunteer: Make
) -> None:
    async with two_nodes(database_url, redis_url, prefix, SESSION_RESTART_SPREAD="0") as nodes:
        async with serving(database_url, redis_url, prefix, SESSION_RESTART_SPREAD="0.2") as leaving:
            asker, helper = await caller(leaving.base), await volunteer(nodes[1].base)
            call_id = await connected(asker, helper)
            restart = asyncio.create_task(leaving.house.sockets.drain())
            goodbye = await asker.expect("bye")
            assert (goodbye["reason"], goodbye["action"]) == ("restart", "resume")
            assert await asker.closed() == 1012
            asker.base = nodes[0].base
            # The access token still holds, and the next node fetches the session from the one that leaves.
            await asker.connect(resume=True)
            assert asker.welcome["resumed"] is True
            await restart
            upgrade = {"Connection": "Upgrade", "Upgrade": "websocket"}
            async with asker.http.get(leaving.base + "/v1/socket", headers=upgrade) as refused:
                assert (await refused.json(content_type=None))["code"] == "shutting_down"
        await asker.command("call.text", call_id=call_id, text="here")
        await helper.expect("call.text")
