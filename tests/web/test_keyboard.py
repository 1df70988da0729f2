"""A whole call without a mouse: the Tab key reaches everything in the order in which it is read, Enter and Space do the
rest, and after every change of the screen the focus is on the new heading."""

from __future__ import annotations

import re
from itertools import pairwise

from playwright.async_api import expect

from tests.house import Server
from tests.web.conftest import Visit
from tests.web.people import Visitor, mailed_code

FOCUSED = """() => {
  const one = document.activeElement;
  return one.labels?.[0]?.innerText.trim() || one.innerText?.trim() || one.tagName;
}"""


async def key(visitor: Visitor, *keys: str) -> None:
    for each in keys:
        await visitor.page.keyboard.press(each)


async def focused(visitor: Visitor) -> str:
    text: str = await visitor.page.evaluate(FOCUSED)
    return text


async def tab_to(visitor: Visitor, name: str, at_most: int = 20) -> list[str]:
    """Press Tab until something of that name has the focus; the stops on the way."""
    stops = []
    for _ in range(at_most):
        await key(visitor, "Tab")
        stops.append(await focused(visitor))
        if stops[-1].startswith(name):
            return stops
    raise AssertionError(f"no {name!r} among {stops}")


async def heading(visitor: Visitor, text: str) -> None:
    """The new heading has the focus, and the title says the same."""
    await expect(visitor.page.get_by_role("heading", level=1)).to_have_text(text)
    await expect(visitor.page.get_by_role("heading", level=1)).to_be_focused()
    await expect(visitor.page).to_have_title(re.compile(f"^{text} . visavis$"))


async def test_signing_in_by_keyboard(server: Server, visit: Visit) -> None:
    visitor = await visit(server)
    await visitor.go("/")
    await key(visitor, "Tab")
    assert await focused(visitor) == "Skip to the content"
    await key(visitor, "Enter", "Tab")
    assert (await focused(visitor)).startswith("I need help")
    await key(visitor, "Enter")
    await expect(visitor.page.get_by_label("E-mail address")).to_be_visible()
    await tab_to(visitor, "E-mail address")
    await visitor.page.keyboard.type("ada@visavis.test")
    await key(visitor, "Enter")
    await expect(visitor.page.get_by_label("Code")).to_be_visible()
    await tab_to(visitor, "Code")
    await visitor.page.keyboard.type(await mailed_code(visitor, "ada@visavis.test"))
    await key(visitor, "Enter")
    await expect(visitor.page.get_by_role("heading", level=1)).to_have_text("Tell us how to connect you")
    await tab_to(visitor, "I need help")
    stops = await tab_to(visitor, "I agree")
    assert "Alerts a day while your page is closed, at most" not in stops  # volunteers only
    await key(visitor, "Space")
    await tab_to(visitor, "Save")
    await key(visitor, "Enter")
    await visitor.page.wait_for_url("**/call")


async def test_a_call_by_keyboard(server: Server, visit: Visit) -> None:
    caller, volunteer = await visit(server, "caller"), await visit(server, "volunteer")
    assert (await tab_to(volunteer, "Start my shift")) == ["Start my shift"]
    await key(volunteer, "Enter")
    await heading(volunteer, "You are on shift")
    assert (await tab_to(caller, "Call a volunteer")) == ["Call a volunteer"]
    await key(caller, "Space")
    await heading(caller, "Asking volunteers")
    assert await tab_to(caller, "Stop asking") == ["Stop asking"]
    await heading(volunteer, "Somebody needs your help")
    assert await tab_to(volunteer, "Decline") == ["Accept", "Decline"]
    await key(volunteer, "Shift+Tab", "Enter")
    await heading(caller, "In the call")
    await heading(volunteer, "You are helping")
    assert await tab_to(volunteer, "End the call") == ["End, block and report", "Mute the microphone", "End the call"]
    assert await tab_to(caller, "End the call") == [
        "End, block and report", "Mute the microphone", "Hide the camera", "Switch the camera", "End the call",
    ]  # fmt: skip
    await key(caller, "Shift+Tab", "Shift+Tab", "Shift+Tab", "Space")
    await expect(caller.button("Mute the microphone")).to_have_attribute("aria-pressed", "true")
    await tab_to(caller, "End the call")
    await key(caller, "Enter")
    await heading(caller, "Call ended")
    await heading(volunteer, "Call ended")
    stops = await tab_to(caller, "Never match us again")
    assert stops == [
        "Call again", "Yes, solved", "Everything was fine", "Technical trouble: picture, sound or connection",
        "A comment for the visavis team (if you like)", "Save how it was", "Report a problem", "Never match us again",
    ]  # fmt: skip
    await key(caller, "Space")
    await caller.hears("You will never be matched with this person again.")
    await expect(caller.button("Never match us again")).to_be_focused()
    await key(caller, "Space")
    await caller.hears("You may be matched with this person again.")
    await key(caller, "Shift+Tab", "Shift+Tab", "Shift+Tab", "Shift+Tab", "Shift+Tab", "Shift+Tab")
    assert await focused(caller) == "Yes, solved"
    await key(caller, "Space", "Tab", "Space")
    await tab_to(caller, "Save how it was")
    await key(caller, "Enter")
    await caller.hears("Thank you. What you said is saved.")


async def test_no_word_is_said_twice_over(server: Server, visit: Visit) -> None:
    """Two live regions at the end of body, empty when the page comes, and no other on the page."""
    for name in ("caller", "volunteer"):
        visitor = await visit(server, name)
        live = "[...document.querySelectorAll('[aria-live], [role=status], [role=alert], [role=log], output')]"
        regions = await visitor.page.evaluate(f"{live}.map((one) => [one.id, one.role, one.parentElement.tagName])")
        assert regions == [["said", "status", "BODY"], ["alerted", "alert", "BODY"]]
        in_templates = "[...document.querySelectorAll('template')].map((one) => one.innerHTML).join()"
        assert "aria-live" not in await visitor.page.evaluate(in_templates)


async def test_announcements_are_apart(server: Server, visit: Visit) -> None:
    """Cleared, 150 ms, said; 300 ms apart; of several that wait, the newest, and an alert before all."""
    visitor = await visit(server)
    await visitor.go("/terms")
    folder = f"/static/{server.house.pages.static.version}/js/"
    said = await visitor.page.evaluate(
        """async (folder) => {
          const {Announcer} = await import(folder + 'announce.js');
          const regions = [0, 1].map(() => document.body.appendChild(document.createElement('div')));
          const heard = [];
          regions.forEach((region, index) => new MutationObserver(() => {
            if (region.textContent) heard.push([index, region.textContent, performance.now()]);
          }).observe(region, {childList: true}));
          const announcer = new Announcer(...regions);
          const began = performance.now();
          announcer.say('one'); announcer.say('two'); announcer.say('three');
          await new Promise((done) => setTimeout(done, 200));
          announcer.say('four'); announcer.alert('five');
          await new Promise((done) => setTimeout(done, 1000));
          announcer.alert('six'); announcer.say('seven'); announcer.say('eight');
          await new Promise((done) => setTimeout(done, 1200));
          announcer.say('eight');
          await new Promise((done) => setTimeout(done, 400));
          return heard.map(([index, text, at]) => [index, text, at - began]);
        }""",
        folder,
    )
    order = [(index, text) for index, text, _ in said]
    assert order == [(0, "three"), (1, "five"), (1, "six"), (0, "eight"), (0, "eight")]
    times = [at for _, _, at in said]
    assert times[0] >= 145
    assert all(later - earlier >= 295 for earlier, later in pairwise(times))
