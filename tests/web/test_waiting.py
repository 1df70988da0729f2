"""What can happen before the two are connected: nobody comes, somebody was faster, the person thinks better of it."""

from __future__ import annotations

import uuid

import msgspec
import pytest
from playwright.async_api import Route, WebSocketRoute, expect

from signaling.switchboard import Letter
from tests import client as clients
from tests.client import Client
from tests.house import Server
from tests.web.conftest import Serve, Visit
from tests.web.people import Visitor, base_of, meet, until


async def closed_requests(server: Server) -> int:
    async def found() -> int | None:
        count = await server.house.pool.fetchval("SELECT count(*) FROM matching.request WHERE state = 'cancelled'")
        return int(count) or None

    return int(await until(found, lambda: "no request was cancelled"))


async def test_nobody_comes(serve: Serve, visit: Visit) -> None:
    """After the time of "nobody": keep waiting, and later stop."""
    server = await serve(MATCHING_NOBODY_AFTER="1.5")
    caller = await visit(server, "caller")
    await caller.press("ask")
    await caller.screen("waiting")
    await caller.hears("Nobody is free at this moment. We keep looking.", "said")
    await caller.screen("nobody")
    await caller.hears("Nobody has answered in [2-9] seconds.")
    await expect(caller.page.get_by_role("heading", level=1)).to_be_focused()
    await caller.button("Keep waiting").click()
    await caller.screen("waiting")
    await caller.screen("nobody")
    await caller.button("Stop").click()
    await caller.screen("ready")
    await caller.hears("Stopped. Nobody is asked any more.")
    assert await closed_requests(server) == 1
    assert await caller.page.evaluate("heard.filter((each) => each.region === 'alerted').length") == 0


async def test_never_ten_silent_seconds(serve: Serve, visit: Visit) -> None:
    """Every status is heard: how many, how long, in words."""
    server = await serve(MATCHING_STATUS_EVERY="1")
    caller = await visit(server, "caller")
    await caller.press("ask")
    await caller.hears("You have waited for 1 second.")
    await caller.hears("You have waited for [23] seconds.")


async def test_stop_asking(server: Server, visit: Visit) -> None:
    caller, volunteer = await visit(server, "caller"), await visit(server, "volunteer")
    await volunteer.press("start")
    await volunteer.screen("waiting")
    await caller.press("ask")
    await volunteer.screen("ringing")
    await caller.button("Stop asking").click()
    await caller.screen("ready")
    await volunteer.screen("waiting")
    await volunteer.hears("The caller does not need help any more. Thank you for being there!")
    assert await closed_requests(server) == 1
    # And asking again works.
    await caller.press("ask")
    await volunteer.screen("ringing")


async def test_decline(server: Server, visit: Visit) -> None:
    caller, volunteer = await visit(server, "caller"), await visit(server, "volunteer")
    await volunteer.press("start")
    await volunteer.screen("waiting")
    await caller.press("ask")
    await volunteer.screen("ringing")
    await volunteer.button("Decline").click()
    await volunteer.screen("waiting")
    await volunteer.hears("Declined. Somebody else is asked.")
    await volunteer.button("End my shift").click()
    await volunteer.screen("off")


async def test_somebody_else_was_faster(server: Server, visit: Visit) -> None:
    """The page learns that it stopped ringing, kindly."""
    caller, volunteer = await visit(server, "caller"), await visit(server, "volunteer")
    faster = await clients.volunteer(base_of(server))
    await volunteer.press("start")
    await volunteer.screen("waiting")
    await caller.press("ask")
    await volunteer.screen("ringing")
    await faster.accept((await faster.expect("offer.ring"))["offer_id"])
    await volunteer.screen("waiting")
    await volunteer.hears("Someone else was a moment faster and is helping now. Thank you for being there!")
    await expect(volunteer.page.locator("main")).to_contain_text("Thank you for being there!")
    await faster.__aexit__()


async def test_a_late_tap(server: Server, visit: Visit) -> None:
    """Accepted before the page could know that somebody else had: words of thanks, and points."""
    caller, volunteer = await visit(server, "caller"), await visit(server)

    async def deaf(socket: WebSocketRoute) -> None:
        """A network that is slow to bring the news."""
        upstream = socket.connect_to_server()
        upstream.on_message(lambda message: None if '"offer.gone"' in str(message) else socket.send(message))

    await volunteer.context.route_web_socket("**/v1/socket", deaf)
    await volunteer.go("/dev/sign-in/volunteer")
    faster = await clients.volunteer(base_of(server))
    await volunteer.press("start")
    await volunteer.screen("waiting")
    await caller.press("ask")
    await volunteer.screen("ringing")
    await faster.accept((await faster.expect("offer.ring"))["offer_id"])
    await volunteer.button("Accept").click()
    await volunteer.screen("waiting")
    await volunteer.hears("Someone else was a moment faster and is helping now. Thank you for being there!")
    await volunteer.go("/points")
    await expect(volunteer.page.get_by_role("row", name="You answered a moment after")).to_contain_text("5")
    await faster.__aexit__()


REFUSALS = [
    ("NotAllowedError", "Allow both for this page"),
    ("NotFoundError", "We found no camera or no microphone"),
    ("NotReadableError", "Another app is using the camera"),
]


@pytest.mark.parametrize(("error", "words"), REFUSALS, ids=[name for name, _ in REFUSALS])
async def test_no_camera(server: Server, visit: Visit, error: str, words: str) -> None:
    """Nobody is asked, the page says how to repair it, and trying again works once it is repaired."""
    script = f"""
    const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    window.broken = true;
    navigator.mediaDevices.getUserMedia = (wish) =>
      broken ? Promise.reject(new DOMException('no', '{error}')) : real(wish);
    """
    caller = await visit(server, "caller", script=script)
    await caller.press("ask")
    await caller.screen("trouble")
    await expect(caller.page.locator("main")).to_contain_text(words)
    await caller.hears(words)
    assert await server.house.pool.fetchval("SELECT count(*) FROM matching.request") == 0
    await caller.page.evaluate("broken = false")
    await caller.button("Try again").click()
    await caller.screen("waiting")


async def test_a_volunteer_without_microphone(server: Server, visit: Visit) -> None:
    script = "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotAllowedError'));"
    volunteer = await visit(server, "volunteer", script=script)
    await volunteer.press("start")
    await volunteer.screen("trouble")
    await expect(volunteer.page.locator("main")).to_contain_text("set the microphone to “allow”")


async def test_a_browser_without_webrtc(server: Server, visit: Visit) -> None:
    caller = await visit(server)
    await caller.context.add_init_script("delete window.RTCPeerConnection;")
    await caller.go("/dev/sign-in/caller")
    await caller.screen("trouble")
    await expect(caller.page.locator("main")).to_contain_text("This browser cannot make calls.")


async def test_another_window(server: Server, visit: Visit) -> None:
    """A page that did not ask leaves another window's request and call alone, says so, and can take them over."""
    caller, volunteer = await visit(server, "caller"), await visit(server, "volunteer")
    second = await caller.context.new_page()
    await second.goto(f"{caller.base}/call")
    other = Visitor("the second window", server, caller.context, second)
    await volunteer.press("start")
    await volunteer.screen("waiting")
    await caller.press("ask")
    await caller.screen("waiting")
    await other.screen("elsewhere")
    await volunteer.screen("ringing")
    await volunteer.press("accept")
    await caller.screen("call")
    await other.screen("elsewhere")
    assert await second.evaluate("peers.length") == 0
    await other.button("Go on here").click()
    await other.screen("call")
    await caller.screen("elsewhere")
    seen = await volunteer.counts("video", "inbound", "framesDecoded")
    await volunteer.counts("video", "inbound", "framesDecoded", more_than=seen)
    await other.button("End the call").click()
    await volunteer.screen("ended")
    await caller.screen("ready")


async def test_frames_of_the_future_are_ignored(server: Server, visit: Visit) -> None:
    caller, volunteer = await visit(server, "caller"), await visit(server, "volunteer")
    person = uuid.UUID("00000000-0000-7000-8000-000000000001")
    frames = ({"type": "future.thing", "much": [1, {}]}, {"type": "__proto__"}, {"type": "offer.ring", "offer_id": 1})
    for frame in frames:
        await server.house.bus.send(Letter(person, str(frame["type"]), msgspec.Raw(msgspec.json.encode(frame))))
    await meet(caller, volunteer)


async def test_a_refused_socket_says_why(server: Server, visit: Visit) -> None:
    """A close code that says not to come back: the page does not, and there is a way on."""
    people = [await Client(base_of(server), "caller@visavis.test").sign_in() for _ in range(3)]
    for person in people:
        await person.connect()
    caller = await visit(server, "caller")
    await caller.screen("closed")
    await expect(caller.page.locator("main")).to_contain_text("visavis is open in too many windows.")
    for person in people:
        await person.__aexit__()
    await caller.page.get_by_role("link", name="Load this page again").click()
    await caller.screen("ready")


async def test_the_server_says_not_now(server: Server, visit: Visit) -> None:
    """No ticket for a while: the page tries again by itself, and what was pressed meanwhile is done."""
    caller = await visit(server)
    caller.expected.append("503")
    refusals = 0

    async def refuse(route: Route) -> None:
        nonlocal refusals
        refusals += 1
        if refusals > 2:
            await route.continue_()
        else:
            body = '{"code": "unavailable", "detail": "Not now.", "retry_after": 0.2}'
            await route.fulfill(status=503, body=body, content_type="application/problem+json")

    await caller.context.route("**/v1/socket-ticket", refuse)
    await caller.go("/dev/sign-in/caller")
    await caller.press("ask")
    await caller.hears("Nobody is free at this moment")
    assert refusals == 3
