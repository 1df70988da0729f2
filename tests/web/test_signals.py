"""Signals that overtake, are lost, are late, or are another device's."""

from __future__ import annotations

import json
import time

import msgspec
from playwright.async_api import WebSocketRoute

from signaling.switchboard import Letter
from tests.house import Server
from tests.web.conftest import Visit
from tests.web.people import meet, until
from tests.web.test_connection import VOLUNTEER


async def test_the_offer_overtakes_the_news(server: Server, visit: Visit) -> None:
    """Events of two nodes may come in any order: a caller's offer that is here before its call.begin is kept."""
    caller, volunteer = await visit(server, "caller"), await visit(server)
    overtaken = 0

    async def disorder(socket: WebSocketRoute) -> None:
        upstream = socket.connect_to_server()
        held: list[str | bytes] = []

        def pass_on(message: str | bytes) -> None:
            nonlocal overtaken
            frame = json.loads(message)
            if frame["type"] == "call.begin":
                held.append(message)
                return
            if held and frame["type"] == "call.signal":
                # Counted anew, as the other node would have.
                begin = json.loads(held.pop())
                begin["seq"], frame["seq"] = frame["seq"], begin["seq"]
                socket.send(json.dumps(frame))
                socket.send(json.dumps(begin))
                overtaken += 1
            else:
                socket.send(message)

        upstream.on_message(pass_on)

    await volunteer.context.route_web_socket("**/v1/socket", disorder)
    await volunteer.go("/dev/sign-in/volunteer")
    began = time.monotonic()
    await meet(caller, volunteer)
    assert overtaken == 1
    assert time.monotonic() - began < 5  # a new offer would have come after five seconds


async def test_a_lost_offer_is_made_again(server: Server, visit: Visit) -> None:
    """The first offer never arrives: after some seconds a new one is made, and nobody is told of a lost connection."""
    caller, volunteer = await visit(server, "caller"), await visit(server)
    lost = 0

    async def forgetful(socket: WebSocketRoute) -> None:
        upstream = socket.connect_to_server()

        def pass_on(message: str | bytes) -> None:
            nonlocal lost
            if not lost and '"description"' in str(message):
                lost += 1
            else:
                socket.send(message)

        upstream.on_message(pass_on)

    await volunteer.context.route_web_socket("**/v1/socket", forgetful)
    await volunteer.go("/dev/sign-in/volunteer")
    await meet(caller, volunteer)
    assert lost == 1
    await caller.hears("You are connected", "alerted")
    assert len(await caller.heard("alerted")) == 1


async def test_stale_signals_are_dropped(server: Server, visit: Visit) -> None:
    """What belongs to an older offer, or to another call, changes nothing."""
    caller, volunteer = await visit(server, "caller"), await visit(server, "volunteer")
    await meet(caller, volunteer)
    count = """() => {
      const peer = peers.at(-1), real = peer.setRemoteDescription.bind(peer);
      window.described = 0;
      peer.setRemoteDescription = (description) => { described += 1; return real(description); };
    }"""
    await volunteer.page.evaluate(count)
    offer = await volunteer.page.evaluate("peers.at(-1).remoteDescription.toJSON()")
    (call,) = await server.house.pool.fetch("SELECT id FROM matching.call")
    other = "00000000-0000-7000-8000-00000000ffff"
    for call_id, generation in ((call["id"], 1), (other, 999_999)):
        signal = {"type": "call.signal", "call_id": str(call_id), "generation": generation, "description": offer}
        letter = Letter(VOLUNTEER, "call.signal", msgspec.Raw(msgspec.json.encode(signal)), generation=0)
        await server.house.bus.send(letter)
    # Whatever the page makes of them, it has done before it answers the restart that follows.
    await caller.page.evaluate("dispatchEvent(new Event('online'))")

    async def restarted() -> bool | None:
        return True if await volunteer.page.evaluate("peers.at(-1).remoteDescription.sdp") != offer["sdp"] else None

    await until(restarted, lambda: "no new offer after a change of the network")
    assert await volunteer.page.evaluate("described") == 1


async def test_another_device(server: Server, visit: Visit) -> None:
    """The caller goes on with the call on another device: the first one sees an answer to an offer that it did not
    make, and leaves."""
    caller, volunteer = await visit(server, "caller"), await visit(server, "volunteer")
    await meet(caller, volunteer)
    other = await visit(server, "caller")
    await other.screen("elsewhere")
    await other.button("Go on here").click()
    await other.screen("call")
    await caller.screen("elsewhere")
    seen = await volunteer.counts("video", "inbound", "framesDecoded")
    await volunteer.counts("video", "inbound", "framesDecoded", more_than=seen)
    await other.button("End the call").click()
    await volunteer.screen("ended")
