"""Somebody with a browser, as a test plays them."""

from __future__ import annotations

import asyncio
import re
import shutil
import time
from collections.abc import Callable
from typing import Any, Self
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Request, expect

from tests.house import Server

CHROMIUM: dict[str, Any] = {
    "executable_path": shutil.which("chromium") or shutil.which("chromium-browser"),
    "args": [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream=device-count=2",
        "--allow-loopback-in-peer-connection",
        "--autoplay-policy=document-user-activation-required",
    ],
}

WITHIN = 15_000
"""Milliseconds that a test waits for a state of a page; nothing here takes a third of it."""

RECORDER = """
window.heard = [];
window.violations = [];
window.peers = [];
document.addEventListener('securitypolicyviolation', (event) => violations.push(event.violatedDirective));
addEventListener('DOMContentLoaded', () => {
  for (const id of ['said', 'alerted']) {
    const region = document.getElementById(id);
    if (!region) continue;
    new MutationObserver(() => {
      if (region.textContent) heard.push({region: id, text: region.textContent, at: performance.now()});
    }).observe(region, {childList: true, characterData: true, subtree: true});
  }
});
window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(...args) { super(...args); peers.push(this); }
};
"""

STATS = """
async () => {
  const found = [];
  for (const peer of peers) {
    if (peer.connectionState === 'closed') continue;
    for (const stat of (await peer.getStats()).values()) {
      if (['inbound-rtp', 'outbound-rtp'].includes(stat.type)) found.push(stat);
    }
  }
  return found;
}
"""


class Visitor:
    """One browser of one person, with one page."""

    def __init__(self, name: str, server: Server, context: BrowserContext, page: Page) -> None:
        self.name = name
        self.server = server
        self.base = base_of(server)
        self.context = context
        self.page = page
        self.hosts = {urlsplit(self.base).netloc}
        """The hosts that pages may ask: our own."""
        self.complaints: list[str] = []
        self.expected: list[str] = []
        """Patterns of console errors that the test means to cause."""

    @classmethod
    async def coming(cls, browser: Browser, server: Server, name: str | None, **options: Any) -> Self:
        """Open a browser; with a name, signed in as that ready-made person, on their page."""
        script = options.pop("script", "")
        context = await browser.new_context(**{"locale": "en", "viewport": {"width": 390, "height": 844}} | options)
        context.set_default_timeout(WITHIN)
        await context.add_init_script(RECORDER + script)
        page = await context.new_page()
        visitor = cls(name or "stranger", server, context, page)
        visitor.watch(page)
        if name is not None:
            await page.goto(f"{visitor.base}/dev/sign-in/{name}")
        return visitor

    def watch(self, page: Page) -> None:
        """Note what a page of ours must never do."""
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("request", self._asked)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not any(re.search(one, message.text) for one in self.expected):
            self.complaints.append(f"console: {message.text}")

    def _asked(self, request: Request) -> None:
        url = urlsplit(request.url)
        if url.scheme not in ("blob", "data") and url.netloc not in self.hosts:
            self.complaints.append(f"asked another host: {request.url}")

    async def leave(self) -> None:
        """Close the browser; what its policy forbade is a complaint."""
        for page in self.context.pages:
            try:
                violations = await page.evaluate("window.violations ?? []")
            except Exception:
                continue
            self.complaints += [f"policy: {one}" for one in violations]
        async with asyncio.timeout(20):
            await self.context.close()

    # --- moving about

    async def go(self, path: str) -> None:
        await self.page.goto(self.base + path)

    async def screen(self, name: str) -> None:
        """Wait until this screen is shown."""
        await expect(self.page.locator("main")).to_have_attribute("data-screen", name, timeout=WITHIN)

    async def press(self, what: str) -> None:
        """Press the button that means `what` to the page's machine."""
        await self.page.locator(f'main [data-press="{what}"]:not([data-reason]):not([hidden])').click()

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    # --- what they hear

    async def heard(self, region: str | None = None) -> list[str]:
        """What was announced so far; `said` politely, `alerted` at once."""
        heard = await self.page.evaluate("heard")
        return [each["text"] for each in heard if region in (None, each["region"])]

    async def hears(self, pattern: str, region: str | None = None) -> str:
        """Wait until something like this was announced."""

        async def found() -> str | None:
            return next((text for text in await self.heard(region) if re.search(pattern, text)), None)

        text: str = await until(found, lambda: f"{self.name} did not hear {pattern!r}")
        return text

    # --- media

    async def stats(self, kind: str, direction: str) -> list[dict[str, Any]]:
        """What WebRTC counts of `audio` or `video`, `inbound` or `outbound`."""
        found: list[dict[str, Any]] = await self.page.evaluate(STATS)
        return [each for each in found if each["kind"] == kind and each["type"] == f"{direction}-rtp"]

    async def counts(self, kind: str, direction: str, field: str, more_than: float = 0) -> float:
        """Wait until a counter is above a value; its value then."""

        async def found() -> float | None:
            values = [each.get(field, 0) for each in await self.stats(kind, direction)]
            return max(values) if values and max(values) > more_than else None

        value: float = await until(found, lambda: f"{self.name}: no {direction} {kind} {field} > {more_than}")
        return value


async def until(found: Callable[[], Any], complaint: Callable[[], str], within: float = WITHIN / 1000) -> Any:
    """Ask `found` again and again until it finds something."""
    deadline = time.monotonic() + within
    while (value := await found()) is None:
        assert time.monotonic() < deadline, complaint()
        await asyncio.sleep(0.05)
    return value


def base_of(server: Server) -> str:
    """The address by which browsers know a node: the one that it knows itself by."""
    return server.house.settings.public_url


async def meet(caller: Visitor, volunteer: Visitor) -> None:
    """From a fresh caller's and a fresh volunteer's page to the call."""
    await volunteer.press("start")
    await volunteer.screen("waiting")
    await caller.press("ask")
    await volunteer.screen("ringing")
    await volunteer.press("accept")
    await caller.screen("call")
    await volunteer.screen("call")


async def mailed_code(visitor: Visitor, email: str) -> str:
    """The code that was mailed last to an address."""

    async def found() -> str | None:
        mails = await (await visitor.context.request.get(f"{visitor.base}/dev/mail?to={email}")).json()
        return mails[0]["code"] if mails else None

    code: str = await until(found, lambda: f"no mail to {email}")
    return code
