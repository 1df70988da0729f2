"""What people do to pages: small windows, large text, wide spacing, forced colours, no motion."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from tests.house import Server
from tests.web.conftest import Serve, Visit
from tests.web.tour import SETTINGS, tour

WIDE = """
() => {
  const root = document.documentElement;
  const fits = root.scrollWidth <= root.clientWidth;
  // Only tables may be wider, and those scroll by themselves, with a name and a stop of the Tab key.
  const out = [...document.querySelectorAll('body *')].filter((one) => {
    const box = one.getBoundingClientRect();
    return box.width > 1 && box.right > root.clientWidth + 1 && !one.closest('.scroll, .unseen, .skip');
  });
  const named = out.slice(0, 3).map((one) => one.outerHTML.slice(0, 120));
  return fits && out.length === 0 ? [] : [...named, root.scrollWidth];
}
"""
CUT = """
() => [...document.querySelectorAll('main :is(button, a, h1, h2, p, label, dd, dt, li, summary)')].filter((one) =>
  one.checkVisibility() && !one.closest('.unseen') && one.scrollWidth > one.clientWidth + 1 &&
  getComputedStyle(one).display !== 'inline').map((one) => one.outerHTML.slice(0, 120))
"""
SMALL = """
() => [...document.querySelectorAll('button, .button, select, textarea, input:not([type=hidden]), nav a, summary')]
  .filter((one) => one.checkVisibility())
  .map((one) => (one.matches('.choice input') ? one.closest('.choice') : one))
  .filter((one) => { const box = one.getBoundingClientRect(); return box.height < 44 || box.width < 44; })
  .map((one) => one.outerHTML.slice(0, 120))
"""
RING = """
() => { const style = getComputedStyle(document.activeElement);
        return [style.outlineStyle, parseFloat(style.outlineWidth)]; }
"""
SPACING = """
* { line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important; }
p { margin-block-end: 2em !important; }
"""


@pytest.mark.timeout(240)
async def test_every_page_reflows(serve: Serve, visit: Visit) -> None:
    """At 320 by 256 (SC 1.4.10), with text of twice the size (1.4.4), with wide spacing (1.4.12), nothing scrolls
    sideways and nothing is cut off; every control is 44 px or more both ways (2.5.5). In French, which is longer."""
    server = await serve(**SETTINGS)
    found: dict[str, list[str]] = {}
    async for name, visitor in tour(server, visit, "fr", bypass_csp=True):
        page = visitor.page
        found[name] = await page.evaluate(SMALL)
        await page.set_viewport_size({"width": 320, "height": 256})
        found[name] += await page.evaluate(WIDE)
        style = await page.add_style_tag(content=SPACING)
        found[name] += [f"spacing: {one}" for one in await page.evaluate(WIDE) + await page.evaluate(CUT)]
        await style.evaluate("(one) => one.remove()")
        await page.set_viewport_size({"width": 640, "height": 512})
        await page.evaluate("document.documentElement.style.fontSize = '225%'")
        found[name] += [f"text: {one}" for one in await page.evaluate(WIDE) + await page.evaluate(CUT)]
        await page.evaluate("document.documentElement.style.fontSize = ''")
        await page.set_viewport_size({"width": 390, "height": 844})
    assert not {name: each for name, each in found.items() if each}


async def colours(page: Page, selector: str) -> list[str]:
    """Border, ground and text of an element."""
    found: list[str] = await page.locator(selector).first.evaluate(
        "(one) => ['border-top-color', 'background-color', 'color'].map((name) => getComputedStyle(one)[name])"
    )
    return found


async def test_forced_colours(server: Server, visit: Visit) -> None:
    """What only colour said is said by something else: buttons have edges, pressed toggles a mark, focus a ring."""
    caller = await visit(server, "caller", forced_colors="active", color_scheme="dark")
    page = caller.page
    border, ground, _ = await colours(page, ".call-button")
    assert border != ground
    toggle = caller.button("Sounds")
    mark = "(one) => getComputedStyle(one.querySelector('span'), '::after').content"
    assert "✓" in await toggle.evaluate(mark)
    await toggle.click()
    assert "✓" not in await toggle.evaluate(mark)
    await page.keyboard.press("Tab")
    await page.keyboard.press("Shift+Tab")
    await toggle.focus()
    style, width = await page.evaluate(RING)
    assert style != "none"
    assert width >= 2
    icon = await page.locator(".call-button .icon").evaluate("(one) => getComputedStyle(one).color")
    assert icon == (await colours(page, ".call-button"))[2]


async def test_no_motion_for_those_who_want_none(server: Server, visit: Visit) -> None:
    moving = "document.getAnimations().filter((one) => one.playState === 'running').length"
    for wish, expected in (("no-preference", True), ("reduce", False)):
        caller = await visit(server, "caller" if expected else "caller-fr", reduced_motion=wish)
        await caller.press("ask")
        await caller.screen("waiting")
        assert bool(await caller.page.evaluate(moving)) is expected


async def test_the_one_button(server: Server, visit: Visit) -> None:
    """One heading, one button of a third of the window or more, the first stop of the Tab key; and the end of a call
    is not where its beginning was."""
    caller, volunteer = await visit(server, "caller"), await visit(server, "volunteer")
    await expect(caller.page.get_by_role("heading", level=1)).to_have_count(1)
    call = await caller.button("Call a volunteer").bounding_box()
    assert call is not None
    assert call["height"] >= 844 / 3
    assert call["width"] >= 390 * 0.8
    await caller.page.keyboard.press("Tab")
    await expect(caller.button("Call a volunteer")).to_be_focused()
    await volunteer.press("start")
    await volunteer.screen("waiting")
    await caller.press("ask")
    await volunteer.screen("ringing")
    await volunteer.press("accept")
    await caller.screen("call")
    end = await caller.button("End the call").bounding_box()
    assert end is not None
    assert end["y"] > call["y"] + call["height"]
