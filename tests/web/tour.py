"""A walk past every page and every state of the call pages, for whoever wants to look at all of them.

Pages are reached as people reach them. Of the live states, those that need luck or patience (nobody comes, a camera
is missing, another window is busy) are put up as the page would put them up, with the words it would say."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from playwright.async_api import expect

from signaling import i18n
from tests import client as clients
from tests.client import Client
from tests.house import Server
from tests.web.people import Visitor, base_of, mailed_code

SETTINGS = {"RATING_LEAST_CONNECTED": "0"}
"""What a server for a tour is started with: the short call of `history` earns its points."""

PUT_UP = """
async ([name, what, data, role, folder]) => {
  const {Screens} = await import(folder + 'screens.js');
  const {words} = await import(folder + 'words.js');
  const screens = new Screens(document.querySelector('main'));
  screens.show(name);
  screens.fill('status', words(what, data, role));
  screens.when('met', true);
  screens.when('call-back', true);
  screens.when('no-call-back', false);
}
"""
FORCED: dict[str, list[tuple[str, str, dict[str, Any]]]] = {
    "caller": [
        ("trouble", "trouble", {"why": "refused"}),
        ("nobody", "nobody", {"waited": 180}),
        ("later", "later", {}),
        ("free", "free", {}),
        ("connecting", "connecting", {}),
        ("ended", "ended", {"reason": "technical"}),
        ("elsewhere", "over_there", {}),
        ("closed", "closed", {"why": "too_many"}),
    ],
    "volunteer": [
        ("trouble", "trouble", {"why": "busy"}),
        ("connecting", "accepting", {}),
        ("elsewhere", "over_there", {}),
        ("closed", "closed", {"why": "signed_out"}),
    ],
}

Stop = tuple[str, Visitor]


async def history(server: Server) -> None:
    """A past call of the ready-made caller and volunteer, rated and reported; and a late tap."""
    base = base_of(server)
    async with Client(base, "caller@visavis.test") as caller, Client(base, "volunteer@visavis.test") as helper:
        for person in (caller, helper):
            await (await person.sign_in()).connect()
        await helper.command("shift.start")
        async with await clients.volunteer(base) as late:
            await caller.ask()
            offers = [(await person.expect("offer.ring"))["offer_id"] for person in (helper, late)]
            await helper.accept(offers[0])
        call = (await caller.expect("call.begin"))["call_id"]
        for person in (caller, helper):
            await person.command("call.connected", call_id=call)
        await caller.command("call.end", call_id=call)
        await helper.expect("call.ended")
        text = "They asked me to hold my card in front of the camera."
        await helper.call("POST", f"/v1/calls/{call}/report", {"kind": "credentials", "text": text})
        await helper.call("PUT", f"/v1/calls/{call}/never-again", {"never_again": False})  # they meet again below


async def open_details(visitor: Visitor) -> None:
    await visitor.page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")


async def strangers(visitor: Visitor) -> AsyncIterator[Stop]:
    """What somebody sees who is not signed in, up to a profile that is to be filled in."""
    page = visitor.page
    paths = {"front": "/", "terms": "/terms", "not-found": "/no", "dev": "/dev", "docs": "/docs", "stats": "/stats"}
    for name, path in paths.items():
        await visitor.go(path)
        await open_details(visitor)
        yield name, visitor
    await visitor.go("/sign-in")
    yield "sign-in", visitor
    await page.locator("main .primary").click()
    yield "sign-in-problem", visitor
    await page.locator("#email").fill("somebody@visavis.test")
    await page.locator("main .primary").click()
    await page.locator("#code").wait_for()
    yield "code", visitor
    await page.locator("#code").fill("12")
    await page.locator("main .primary").click()
    yield "code-problem", visitor
    await page.locator("#code").fill(await mailed_code(visitor, "somebody@visavis.test"))
    await page.locator("main .primary").click()
    await page.locator(".profile").wait_for()
    yield "profile-new", visitor
    await page.locator(".profile .primary").click()
    await page.locator(".problems").wait_for()
    yield "profile-problem", visitor


async def written(visitor: Visitor, *paths: str) -> AsyncIterator[Stop]:
    """Pages of somebody who is signed in."""
    for path in paths:
        await visitor.go(path)
        await open_details(visitor)
        yield f"{visitor.name}{path.replace('/', '-')}", visitor
    if "/history" in paths:
        await visitor.go("/history")
        await open_details(visitor)
        await visitor.page.locator("[data-say=rating] button").first.click()
        await visitor.page.locator(".problems").wait_for()
        await open_details(visitor)
        yield f"{visitor.name}-history-problem", visitor


async def forced(visitor: Visitor) -> AsyncIterator[Stop]:
    """States that are put up."""
    folder = f"/static/{visitor.server.house.pages.static.version}/js/"
    for name, what, data in FORCED[visitor.name]:
        parameters: list[Any] = [name, what, data, visitor.name, folder]
        await visitor.page.evaluate(PUT_UP, parameters)
        # The end that is put up is the one of a call that was cut off.
        yield f"{visitor.name}-{'cut-off' if name == 'ended' else name}", visitor
    await visitor.page.reload()


async def live(caller: Visitor, volunteer: Visitor) -> AsyncIterator[Stop]:
    """A call from beginning to end, on both sides."""
    for visitor in (caller, volunteer):
        await visitor.go("/")
    yield "caller-ready", caller
    async for stop in forced(caller):
        yield stop
    yield "volunteer-off", volunteer
    async for stop in forced(volunteer):
        yield stop
    await volunteer.press("start")
    await volunteer.screen("waiting")
    yield "volunteer-waiting", volunteer
    await caller.press("ask")
    await caller.screen("waiting")
    yield "caller-waiting", caller
    await volunteer.screen("ringing")
    yield "volunteer-ringing", volunteer
    await volunteer.press("accept")
    for visitor in (caller, volunteer):
        await visitor.screen("call")
        await expect(visitor.page.locator("[data-text=partner]")).not_to_be_empty()
    await volunteer.counts("video", "inbound", "framesDecoded", more_than=10)
    yield "caller-call", caller
    yield "volunteer-call", volunteer
    await caller.press("end")
    for visitor in (caller, volunteer):
        await visitor.screen("ended")
        await open_details(visitor)
    yield "caller-ended", caller
    yield "volunteer-ended", volunteer


async def tour(server: Server, coming: Any, locale: str, **options: Any) -> AsyncIterator[Stop]:
    """All of it. `coming(server, name, **options)` opens somebody's browser."""
    assert locale in i18n.available()
    await history(server)
    await server.house.pool.execute("UPDATE accounts.person SET locale = $1", locale)
    stranger = await coming(server, None, locale=locale, **options)
    stranger.expected.append("status of 4\\d\\d")
    async for stop in strangers(stranger):
        yield stop
    caller = await coming(server, "caller", locale=locale, **options)
    volunteer = await coming(server, "volunteer", locale=locale, **options)
    staff = await coming(server, "staff", locale=locale, **options)
    places: list[tuple[Visitor, list[str]]] = [
        (caller, ["/history", "/profile"]),
        (volunteer, ["/points", "/profile"]),
        (staff, ["/staff"]),
    ]
    for visitor, paths in places:
        visitor.expected.append("status of 4\\d\\d")
        async for stop in written(visitor, *paths):
            yield stop
    await volunteer.go("/profile")
    await volunteer.page.locator("button[value=week]").click()
    await volunteer.page.locator("#pause-said").wait_for()
    yield "volunteer-paused", volunteer
    await volunteer.page.locator("button[value=none]").click()
    await volunteer.page.locator("button[value=none]").wait_for(state="detached")
    async for stop in live(caller, volunteer):
        yield stop
