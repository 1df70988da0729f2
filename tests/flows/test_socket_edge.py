"""The door of the socket: origins, subprotocols, tickets, first frames, sizes, numbers, silence."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import aiohttp
import pytest

from tests.client import SUBPROTOCOL, Client, Refused, new_id
from tests.flows.conftest import Make
from tests.flows.test_one_call import matched
from tests.house import Server, serving


async def knock(client: Client, *, origin: str | None = None, protocols: tuple[str, ...] = (SUBPROTOCOL,)) -> Any:
    headers = {"Origin": origin} if origin else {}
    url = client.base.replace("http", "ws", 1) + "/v1/socket"
    return await client.http.ws_connect(url, headers=headers, protocols=protocols, max_msg_size=0)


async def closing(socket: aiohttp.ClientWebSocketResponse) -> tuple[list[Any], int | None]:
    """Everything said until the socket closes, and the close code."""
    said = []
    async for message in socket:
        said.append(message.json())
    return said, socket.close_code


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "http://localhost",
        "https://localhost:{port}",
        "http://localhost:{port}.evil.example",
        "http://localhost:{port}/",
        "HTTP://LOCALHOST:{port}",
    ],
)
async def test_a_foreign_page_gets_no_socket(server: Server, caller: Make, origin: str) -> None:
    asker = await caller(server.base)
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await knock(asker, origin=origin.format(port=server.house.settings.port))
    assert refused.value.status == 403


async def test_our_own_page_and_a_program_get_one(server: Server, caller: Make) -> None:
    asker = await caller(server.base)
    for origin in (f"http://localhost:{server.house.settings.port}", None):
        socket = await knock(asker, origin=origin)
        await socket.close()


@pytest.mark.parametrize("protocols", [(), ("visavis.v2",)])
async def test_another_subprotocol_is_not_spoken(server: Server, caller: Make, protocols: tuple[str, ...]) -> None:
    asker = await caller(server.base)
    _, code = await closing(await knock(asker, protocols=protocols))
    assert code == 4406


async def test_a_ticket_is_good_once(server: Server, caller: Make) -> None:
    asker = await caller(server.base)
    ticket = (await asker.call("POST", "/v1/socket-ticket"))["ticket"]
    await asker.connect(ticket=ticket)
    with pytest.raises(Refused, match="ticket_invalid"):
        await asker.connect(ticket=ticket)
    assert asker.close_code == 4401


async def test_a_ticket_is_good_for_half_a_minute(server: Server, caller: Make, prefix: str) -> None:
    asker = await caller(server.base)
    answer = await asker.call("POST", "/v1/socket-ticket")
    assert answer["expires_in"] == 30
    (key,) = [key async for key in server.house.redis.scan_iter(match=f"{prefix}ticket:*")]
    assert 25 < await server.house.redis.ttl(key) <= 30
    assert answer["ticket"] not in str(key)
    await server.house.redis.delete(key)  # as if it had expired
    with pytest.raises(Refused, match="ticket_invalid"):
        await asker.connect(ticket=answer["ticket"])


@pytest.mark.parametrize(
    "frame",
    [
        "hello",
        "{}",
        '{"type":"hello"}',
        '{"type":"shift.start","id":"1"}',
        '{"type":"hello","ticket":"x","more":1}',
        '{"type":"hello","ticket":"x","resume":{"session":"x","seq":1}}',
    ],
)
async def test_the_first_frame_is_hello(server: Server, caller: Make, frame: str) -> None:
    asker = await caller(server.base)
    socket = await knock(asker)
    await socket.send_str(frame)
    said, code = await closing(socket)
    assert [problem["code"] for problem in said] == ["bad_frame"]
    assert "hello" in said[0]["detail"]
    assert code == 4400


async def test_who_says_nothing_is_sent_away(database_url: str, redis_url: str, prefix: str, caller: Make) -> None:
    async with serving(database_url, redis_url, prefix, SESSION_HELLO_WITHIN="0.2") as server:
        asker = await caller(server.base)
        _, code = await closing(await knock(asker))
        assert code == 4003


async def test_a_bad_frame_closes_and_an_unknown_one_does_not(server: Server, caller: Make) -> None:
    asker = await caller(server.base)
    with pytest.raises(Refused, match="unknown_type"):
        await asker.command("help.me")
    with pytest.raises(Refused, match="bad_field"):
        await asker.command("help.ask", request_id=new_id(), colour="red")
    await asker.send("}{")
    assert await asker.closed() == 4400
    assert asker.log[-1]["code"] == "bad_frame"


async def test_binary_frames_are_refused(server: Server, caller: Make) -> None:
    asker = await caller(server.base)
    assert asker._socket is not None
    await asker._socket.send_bytes(b"{}")
    assert await asker.closed() == 4400


@pytest.mark.parametrize("size", [64 * 1024 + 1, 200 * 1024])
async def test_a_frame_of_more_than_64_kib_closes(server: Server, caller: Make, size: int) -> None:
    asker = await caller(server.base)
    await asker.send('"' + "x" * (size - 2) + '"')
    assert await asker.closed() == 4413


async def test_a_frame_of_64_kib_passes_and_multi_byte_characters_count(server: Server, caller: Make) -> None:
    asker = await caller(server.base)
    start, end = f'{{"type":"call.text","id":"1","call_id":"{new_id()}","text":"', '"}'
    room = 64 * 1024 - len(start + end)
    with pytest.raises(Refused, match="bad_field"):  # too long a text, but heard
        await asker.command("call.text", call_id=new_id(), text="x" * (room - 100))
    await asker.send(start + "é" * (room - 10) + end)
    assert await asker.closed() == 4413


async def test_three_sockets_a_person(server: Server, caller: Make) -> None:
    asker = await caller(server.base)
    others = [Client(server.base, asker.email) for _ in range(3)]
    try:
        for other in others:
            await other.sign_in()
        for other in others[:2]:
            await other.connect()
        with pytest.raises(Refused, match="too_many_sockets"):
            await others[2].connect()
        assert others[2].close_code == 4429
        await others[0].disconnect()
        for _ in range(50):
            if len(await server.house.board.sockets_of(person_of(asker))) < 3:
                break
            await asyncio.sleep(0.02)
        await others[2].connect()
        # A resume is the same socket anew, not a fourth one.
        await asker.disconnect(abort=True)
        await asker.connect(resume=True)
    finally:
        for other in others:
            await other.__aexit__()


def person_of(client: Client) -> uuid.UUID:
    return uuid.UUID(client.person["id"])


async def test_too_many_messages_close_the_socket(database_url: str, redis_url: str, prefix: str, caller: Make) -> None:
    async with serving(
        database_url, redis_url, prefix, SESSION_FRAMES_AT_ONCE="20", SESSION_FRAMES_A_SECOND="1"
    ) as server:
        asker = await caller(server.base)
        for _ in range(25):
            await asker.send({"type": "ack", "seq": 0})
        assert await asker.closed() == 4004
        await asker.connect(resume=True)
        assert asker.welcome["resumed"] is True


async def test_a_socket_that_answers_no_ping_is_closed(
    database_url: str, redis_url: str, prefix: str, caller: Make
) -> None:
    async with serving(
        database_url, redis_url, prefix, SESSION_HEARTBEAT="1", SESSION_HEARTBEAT_PATIENCE="1"
    ) as server:
        asker = await caller(server.base)
        ticket = (await asker.call("POST", "/v1/socket-ticket"))["ticket"]
        url = server.base.replace("http", "ws", 1) + "/v1/socket"
        deaf = await asker.http.ws_connect(url, protocols=(SUBPROTOCOL,), autoping=False)
        await deaf.send_json({"type": "hello", "ticket": ticket})
        welcome = await deaf.receive_json()
        assert welcome["heartbeat"] == 1
        pings = 0
        async with asyncio.timeout(6):
            while (message := await deaf.receive()).type is aiohttp.WSMsgType.PING:
                pings += 1
        assert message.type is aiohttp.WSMsgType.CLOSE
        assert (pings, deaf.close_code) == (1, 4003)
        # The other one, which answers, lives on.
        assert asker.close_code is None


async def test_a_reader_that_does_not_read_is_dropped_and_harms_nobody(
    server: Server, caller: Make, volunteer: Make
) -> None:
    asker, helper = await caller(server.base), await volunteer(server.base)
    call_id = await matched(asker, helper)
    assert helper._reader is not None
    helper._reader.cancel()  # from here on nobody takes anything out of the socket
    candidates = [{"candidate": "x" * 900}] * 60
    for _ in range(600):
        await asker.command("call.signal", call_id=call_id, generation=1, candidates=candidates)
    await asker.expect("call.partner", state="away")
    assert person_of(helper) not in {session.person for session in server.house.switchboard.attached()}
    assert asker.close_code is None
