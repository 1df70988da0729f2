"""What can happen to a call: the socket drops, the network goes, a page is loaded anew, somebody is lost."""

from __future__ import annotations

import re
from uuid import UUID

from playwright.async_api import expect

from signaling.socket import SocketLine
from tests.house import Server
from tests.web.conftest import Serve, Visit
from tests.web.people import Visitor, meet, until

CALLER = UUID("00000000-0000-7000-8000-000000000001")
VOLUNTEER = UUID("00000000-0000-7000-8000-000000000011")


def cut(server: Server, person: UUID) -> None:
    """Break the sockets of a person, as a network would: without a word."""
    for session in server.house.switchboard.sessions_of(person):
        line = server.house.switchboard.line_of(session)
        if isinstance(line, SocketLine):
            line._transport.abort()


async def back(server: Server, person: UUID, than: object) -> None:
    """Wait until the same session has another socket."""

    async def found() -> bool | None:
        sessions = server.house.switchboard.sessions_of(person)
        lines = [server.house.switchboard.line_of(session) for session in sessions]
        return True if any(line is not None and line is not than for line in lines) else None

    await until(found, lambda: "the page did not come back")


def line_of(server: Server, person: UUID) -> object:
    (session,) = server.house.switchboard.sessions_of(person)
    return server.house.switchboard.line_of(session)


async def test_a_dropped_socket_is_resumed(server: Server, visit: Visit) -> None:
    """Both sockets break in the middle of a call: the same sessions go on, and neither person hears a word of it."""
    caller, volunteer = await visit(server, "caller"), await visit(server, "volunteer")
    await meet(caller, volunteer)
    await caller.hears("You are connected")
    before = await caller.heard("alerted")
    sessions = {session.id for session in server.house.switchboard.attached()}
    for person in (CALLER, VOLUNTEER):
        line = line_of(server, person)
        cut(server, person)
        await back(server, person, line)
    assert {session.id for session in server.house.switchboard.attached()} == sessions
    seen = await volunteer.counts("video", "inbound", "framesDecoded")
    await volunteer.counts("video", "inbound", "framesDecoded", more_than=seen)
    assert await caller.heard("alerted") == before
    await caller.button("End the call").click()
    await volunteer.screen("ended")


async def test_what_was_pressed_without_a_socket_is_done(server: Server, visit: Visit) -> None:
    """The end of a call, pressed while there is no network, stops the camera at once and reaches the other side as
    soon as there is one."""
    caller, volunteer = await visit(server, "caller"), await visit(server, "volunteer")
    await meet(caller, volunteer)
    caller.expected.append("ERR_INTERNET_DISCONNECTED")
    await caller.context.set_offline(True)
    await caller.hears("The connection to visavis was lost. As long as you hear each other, the call goes on.", "said")
    await caller.button("End the call").click()
    await caller.screen("ended")
    assert await caller.page.evaluate("peers.every((peer) => peer.connectionState === 'closed')")
    await expect(volunteer.page.locator("main")).to_have_attribute("data-screen", "call")
    await caller.context.set_offline(False)
    await volunteer.screen("ended")


async def test_the_network_comes_back(server: Server, visit: Visit) -> None:
    caller, volunteer = await visit(server, "caller"), await visit(server, "volunteer")
    await meet(caller, volunteer)
    caller.expected.append("ERR_INTERNET_DISCONNECTED")
    await caller.context.set_offline(True)
    cut(server, CALLER)
    await volunteer.hears("The caller.s connection is shaky. Please hold on.", "said")
    await caller.hears("The connection to visavis was lost", "said")
    await caller.context.set_offline(False)
    await volunteer.hears("The caller is back.", "said")
    await caller.hears("The connection is back.", "said")
    await volunteer.button("End the call").click()
    await caller.screen("ended")


async def test_lost_while_waiting(server: Server, visit: Visit) -> None:
    """Nobody talks yet, so the page interrupts; the request is the same one afterwards."""
    caller = await visit(server, "caller")
    await caller.press("ask")
    await caller.hears("Nobody is free at this moment")
    caller.expected.append("ERR_INTERNET_DISCONNECTED")
    await caller.context.set_offline(True)
    await caller.hears("The connection to visavis was lost. We are trying to get it back.", "alerted")
    await caller.context.set_offline(False)
    await caller.hears("The connection is back.", "alerted")
    await caller.screen("waiting")
    assert await server.house.pool.fetchval("SELECT count(*) FROM matching.request WHERE state = 'open'") == 1


async def test_media_is_lost_and_mended(server: Server, visit: Visit) -> None:
    """The way between the two browsers breaks: both hear it, ICE is restarted, both hear that it is back."""
    caller, volunteer = await visit(server, "caller"), await visit(server, "volunteer")
    await meet(caller, volunteer)
    offers = "peers.at(-1).localDescription.sdp.match(/a=ice-ufrag:(.+)/)[1]"
    first = await caller.page.evaluate(offers)
    # What a browser does when ICE fails, without waiting for its own patience.
    await caller.page.evaluate(
        """() => {
          const peer = peers.at(-1);
          Object.defineProperty(peer, 'iceConnectionState', {configurable: true, get: () => 'failed'});
          peer.dispatchEvent(new Event('iceconnectionstatechange'));
        }"""
    )
    await caller.hears("The connection was lost. We are connecting you again.", "alerted")

    async def restarted() -> bool | None:
        return True if await caller.page.evaluate(offers) != first else None

    await until(restarted, lambda: "no new offer was made")
    await caller.page.evaluate(
        """() => {
          const peer = peers.at(-1);
          delete peer.iceConnectionState;
          peer.dispatchEvent(new Event('iceconnectionstatechange'));
        }"""
    )
    await caller.hears("The connection is back.", "alerted")
    await expect(caller.page.locator("main")).to_have_attribute("data-screen", "call")
    seen = await volunteer.counts("video", "inbound", "framesDecoded")
    await volunteer.counts("video", "inbound", "framesDecoded", more_than=seen)


async def reloaded(visitor: Visitor, other: Visitor) -> None:
    await visitor.page.reload()
    await visitor.screen("call")
    await expect(other.page.locator("main")).to_have_attribute("data-screen", "call")


async def test_the_caller_loads_the_page_anew(server: Server, visit: Visit) -> None:
    """The call goes on, with picture and sound."""
    caller, volunteer = await visit(server, "caller"), await visit(server, "volunteer")
    await meet(caller, volunteer)
    await reloaded(caller, volunteer)
    assert await volunteer.page.evaluate("peers.length") == 2  # not every browser mends a connection to another page
    seen = await volunteer.counts("video", "inbound", "framesDecoded")
    await volunteer.counts("video", "inbound", "framesDecoded", more_than=seen)
    await caller.counts("audio", "inbound", "totalSamplesReceived")
    await caller.button("End the call").click()
    await volunteer.screen("ended")


async def test_the_volunteer_loads_the_page_anew(server: Server, visit: Visit) -> None:
    caller, volunteer = await visit(server, "caller"), await visit(server, "volunteer")
    await meet(caller, volunteer)
    await reloaded(volunteer, caller)
    assert await caller.page.evaluate("peers.length") == 2
    seen = await volunteer.counts("video", "inbound", "framesDecoded")
    await volunteer.counts("video", "inbound", "framesDecoded", more_than=seen)
    await volunteer.button("End the call").click()
    await caller.screen("ended")


async def test_a_lost_volunteer_is_replaced(serve: Serve, visit: Visit) -> None:
    """The volunteer's browser is gone for good: the caller hears so, is asked for again at once, and is helped."""
    server = await serve(MATCHING_RESUME_WINDOW="2", MATCHING_NOBODY_AFTER="60")
    caller, volunteer = await visit(server, "caller"), await visit(server, "volunteer")
    await meet(caller, volunteer)
    await caller.hears("You are connected with Robin")
    second = await visit(server, "volunteer-2")
    await second.press("start")
    await second.screen("waiting")
    await volunteer.page.close()
    await caller.screen("waiting")
    await caller.hears(
        "connection was lost. We are looking for somebody else at once; you are first in line", "alerted"
    )
    await second.screen("ringing")
    await second.press("accept")
    await caller.screen("call")
    await caller.hears("You are connected with Kim", "alerted")
    seen = await second.counts("video", "inbound", "framesDecoded")
    await second.counts("video", "inbound", "framesDecoded", more_than=seen)


async def test_the_volunteer_leaves_before_they_met(server: Server, visit: Visit) -> None:
    """A volunteer who ends the call while it connects: the caller's request goes on by itself."""
    caller = await visit(server, "caller")
    # A microphone that never opens: the volunteer stays in "connecting".
    script = """
    const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    let times = 0;
    navigator.mediaDevices.getUserMedia = (wish) => (times++ ? new Promise(() => {}) : real(wish));
    """
    volunteer = await visit(server, "volunteer", script=script)
    await volunteer.press("start")
    await volunteer.screen("waiting")
    await caller.press("ask")
    await volunteer.screen("ringing")
    await volunteer.press("accept")
    await caller.screen("connecting")
    await volunteer.hears("You were first")
    await volunteer.button("End the call").click()
    await volunteer.screen("ended")
    await caller.screen("waiting")
    await caller.hears("We are looking for somebody else. You are first in line.")


async def test_signed_out_everywhere(server: Server, visit: Visit) -> None:
    """Signing out elsewhere closes this page, and it says so."""
    caller = await visit(server, "caller")
    await caller.screen("ready")
    await until(lambda: attached(server), lambda: "no socket")
    other = await visit(server, "caller")
    await other.go("/profile")
    await other.button("Sign out everywhere").click()
    await caller.screen("closed")
    await expect(caller.page.locator("main")).to_contain_text("You were signed out. Please sign in again.")
    await caller.page.get_by_role("link", name="Load this page again").click()
    await expect(caller.page).to_have_url(re.compile("/sign-in"))


async def attached(server: Server) -> bool | None:
    return True if server.house.switchboard.attached() else None


SENT = "(kind) => peers.at(-1).getSenders().map((sender) => sender.track).find((track) => track?.kind === kind)"


async def test_mute_hide_and_flip(server: Server, visit: Visit) -> None:
    """Toggles keep their label and say whether they are pressed; what is sent follows."""
    caller, volunteer = await visit(server, "caller"), await visit(server, "volunteer")
    await meet(caller, volunteer)
    for label, kind in (("Mute the microphone", "audio"), ("Hide the camera", "video")):
        toggle = caller.button(label)
        for pressed in (True, False):
            await toggle.click()
            await expect(toggle).to_have_attribute("aria-pressed", "true" if pressed else "false")
            assert await caller.page.evaluate(f"({SENT})('{kind}').enabled") is not pressed
    first = await caller.page.evaluate(f"({SENT})('video').label")
    flip = caller.button("Switch the camera")
    await flip.click()
    await caller.hears("The camera was switched")
    assert await caller.page.evaluate(f"({SENT})('video').label") != first
    # Back again: the other camera that Chromium makes up does not reach the encoder.
    await flip.click()

    async def again() -> bool | None:
        return True if await caller.page.evaluate(f"({SENT})('video')?.label") == first else None

    await until(again, lambda: "the first camera is not back")
    seen = await volunteer.counts("video", "inbound", "framesDecoded")
    await volunteer.counts("video", "inbound", "framesDecoded", more_than=seen)
