"""The whole story, in two browsers with real media: sign in by mail, ask, answer, see, hear, hang up, rate, points."""

from __future__ import annotations

from playwright.async_api import expect

from tests.house import Server
from tests.web.conftest import Serve, Visit
from tests.web.people import Visitor, mailed_code, meet

CALLER_HEARS = [
    "Opening the camera. If your browser asks, please allow camera and microphone.",
    "We are asking volunteers.",
    "1 volunteer has been asked.",
    "Somebody answered. We connect you.",
    "You are connected with Bob, who speaks English.",
    "Call ended. You ended the call.",
]
VOLUNTEER_HEARS = [
    "Checking the microphone. If your browser asks, please allow it.",
    "You are on shift. We ring when somebody needs you.",
    "Somebody needs your help. They speak English.",
    "One moment: we connect you.",
    "You were first. We connect you.",
    "You are connected with somebody who speaks English and French.",
    "Call ended. The caller ended the call.",
]


async def sign_in(visitor: Visitor, email: str, door: str) -> None:
    """From the front door to the profile page."""
    page = visitor.page
    await visitor.go("/")
    await page.get_by_role("link", name=door).click()
    await page.get_by_label("E-mail address").fill(email)
    await visitor.button("Mail me a code").click()
    await page.get_by_label("Code").fill(await mailed_code(visitor, email))
    await visitor.button("Sign in").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Tell us how to connect you")


async def test_from_the_front_door_to_the_points(serve: Serve, visit: Visit) -> None:
    server = await serve(RATING_LEAST_CONNECTED="0.1")
    caller, volunteer = await visit(server), await visit(server, timezone_id="Europe/Berlin")

    await sign_in(caller, "ada@visavis.test", "I need help")
    await expect(caller.page.get_by_label("I need help")).to_be_checked()
    await caller.page.get_by_label("Language 2").select_option("fr")
    await caller.page.get_by_label("I agree").check()
    await caller.button("Save").click()
    await caller.page.wait_for_url("**/call")

    await sign_in(volunteer, "bob@visavis.test", "I want to help")
    await expect(volunteer.page.get_by_label("Time zone")).to_have_value("Europe/Berlin")
    await volunteer.page.get_by_label("Alias").fill("Bob")
    await volunteer.page.get_by_label("I am 18 or older").check()
    await volunteer.page.get_by_label("I agree").check()
    await volunteer.button("Save").click()
    await volunteer.page.wait_for_url("**/volunteer")

    await volunteer.press("start")
    await volunteer.screen("waiting")
    await caller.press("ask")
    await volunteer.screen("ringing")
    await expect(volunteer.page.locator("main")).to_contain_text("They speak English.")
    await volunteer.hears("Somebody needs your help", "said")
    await caller.hears("1 volunteer has been asked", "said")
    await volunteer.press("accept")
    await caller.screen("call")
    await volunteer.screen("call")
    await caller.hears("You are connected with Bob")
    await volunteer.hears("You are connected with somebody")
    await expect(caller.page.locator("main")).to_contain_text("You are connected with Bob, who speaks English.")

    # The picture flows to the volunteer, and sound both ways.
    seen = await volunteer.counts("video", "inbound", "framesDecoded")
    await volunteer.counts("video", "inbound", "framesDecoded", more_than=seen)
    await volunteer.counts("video", "inbound", "frameWidth")
    for visitor in (caller, volunteer):
        played = await visitor.counts("audio", "inbound", "totalSamplesReceived")
        await visitor.counts("audio", "inbound", "totalSamplesReceived", more_than=played)
        await visitor.counts("audio", "inbound", "totalAudioEnergy")
    assert not await volunteer.stats("video", "outbound")
    assert not await caller.stats("video", "inbound")
    width = await volunteer.page.evaluate("document.querySelector('video').videoWidth")
    assert width > 0
    for visitor in (caller, volunteer):
        opus = await visitor.page.evaluate("peers.at(-1).localDescription.sdp.match(/useinbandfec=1/) !== null")
        assert opus

    await caller.button("End the call").click()
    await caller.screen("ended")
    await volunteer.screen("ended")
    await expect(volunteer.page.locator("main")).to_contain_text("The caller ended the call.")
    await volunteer.hears("The caller ended the call", "alerted")
    await caller.hears("You ended the call", "alerted")
    assert await caller.page.evaluate("peers.every((peer) => peer.connectionState === 'closed')")

    # What somebody hears who only listens: all of the script or, where things
    # went faster than speech, the newest of it.
    heard = await caller.heard()
    assert heard == [text for text in CALLER_HEARS if text in heard]
    assert {CALLER_HEARS[2], *CALLER_HEARS[-2:]} <= set(heard)
    assert await caller.heard("alerted") == CALLER_HEARS[-2:]
    heard = await volunteer.heard()
    assert heard == [text for text in VOLUNTEER_HEARS if text in heard]
    assert {VOLUNTEER_HEARS[2], *VOLUNTEER_HEARS[-2:]} <= set(heard)
    assert await volunteer.heard("alerted") == VOLUNTEER_HEARS[-2:]

    # Both say how it was, here and on the page of past calls.
    await caller.page.get_by_label("Yes, solved").check()
    await caller.page.get_by_label("Everything was fine").check()
    await caller.button("Save how it was").click()
    await expect(caller.page.locator("main")).to_contain_text("Thank you. What you said is saved.")
    await expect(volunteer.page.locator("main")).to_contain_text("You earned 150 points. You have 150 points.")
    await volunteer.page.get_by_label("Everything was fine").check()
    await volunteer.button("Save how it was").click()
    await expect(volunteer.page.locator("main")).to_contain_text("Thank you. What you said is saved.")

    await volunteer.go("/points")
    await expect(volunteer.page.locator(".sum")).to_have_text("150 points")
    await expect(volunteer.page.get_by_role("row")).to_have_count(3)
    await expect(volunteer.page.get_by_role("row", name="Your very first call")).to_contain_text("100")
    await caller.go("/history")
    await expect(caller.page.get_by_role("article")).to_contain_text("Bob, who speaks English")
    await caller.page.get_by_text("How it was: change what you said").click()
    await expect(caller.page.get_by_label("Yes, solved")).to_be_checked()


async def test_over_two_nodes(serve: Serve, visit: Visit) -> None:
    """The caller's socket is on one node, the volunteer's on another."""
    one, other = await serve(), await serve()
    assert one.house.board.node != other.house.board.node
    caller, volunteer = await visit(one, "caller"), await visit(other, "volunteer")
    await meet(caller, volunteer)
    seen = await volunteer.counts("video", "inbound", "framesDecoded")
    await volunteer.counts("video", "inbound", "framesDecoded", more_than=seen)
    await caller.counts("audio", "inbound", "totalAudioEnergy")
    assert len(one.house.switchboard.attached()) == len(other.house.switchboard.attached()) == 1
    await volunteer.button("End the call").click()
    await volunteer.screen("ended")
    await caller.screen("ended")
    await expect(caller.page.locator("main")).to_contain_text("The volunteer ended the call.")


async def test_end_block_and_report(server: Server, visit: Visit) -> None:
    """The first control in a call ends it at once, keeps the two apart, and opens a report."""
    caller, volunteer = await visit(server, "caller"), await visit(server, "volunteer")
    await meet(caller, volunteer)
    first = volunteer.page.locator("main :is(button, a, input)").first
    await expect(first).to_have_text("End, block and report")
    await first.click()
    await volunteer.screen("ended")
    await volunteer.hears("blocked the other person and sent a report", "alerted")
    await expect(volunteer.button("Never match us again")).to_have_attribute("aria-pressed", "true")
    await caller.screen("ended")
    await expect(caller.page.locator("main")).to_contain_text("The volunteer ended the call.")
    assert "report" not in " ".join(await caller.heard())

    # More words can be given to that report, and the wish be taken back.
    await volunteer.page.get_by_text("Report a problem").click()
    await volunteer.page.get_by_label("What happened?").select_option("rude")
    await volunteer.button("Send the report").click()
    await expect(volunteer.page.locator("main")).to_contain_text("Your report was sent")
    await volunteer.button("Never match us again").click()
    await volunteer.hears("You may be matched with this person again")
    staff = await visit(server, "staff")
    await expect(staff.page.get_by_role("row", name="Rude behaviour")).to_contain_text("S2")
