"""`setup`: from the caller's press on the button to the first frame on the volunteer's screen, in two Chromium pages
with fake media over loopback. The volunteer presses as soon as it rings, so human delay is not in the figure."""

from __future__ import annotations

from playwright.async_api import async_playwright

from signaling import development
from signaling.migrate import migrate
from tests import parts
from tests.bench.stage import Json, spread
from tests.house import serving
from tests.web.people import CHROMIUM, Visitor, until

ROUNDS = 10

PRESSED = """
addEventListener('click', (event) => {
  const press = event.target.closest?.('[data-press]')?.dataset.press;
  if (press) window.pressed = {press, at: performance.timeOrigin + event.timeStamp};
}, true);
"""

ANSWERS = """
addEventListener('DOMContentLoaded', () => {
  new MutationObserver(() => {
    const accept = document.querySelector('main [data-press="accept"]:not([data-reason])');
    if (accept && !window.answered) {
      window.answered = performance.timeOrigin + performance.now();
      accept.click();
    }
    const video = document.querySelector('main video');
    if (video && !window.watched) {
      window.watched = true;
      video.requestVideoFrameCallback((now) => { window.seen = performance.timeOrigin + now; });
    }
  }).observe(document.body, {childList: true, subtree: true, attributes: true});
});
"""


async def run() -> Json:
    """Milliseconds: press to ring, answer to first frame, and press to first frame."""
    rings, answers, frames = [], [], []
    async with parts.services() as services, async_playwright() as playwright:
        browser = await playwright.chromium.launch(**CHROMIUM)
        assert services.database_url is not None
        assert services.redis_url is not None
        await migrate(services.database_url)
        async with serving(services.database_url, services.redis_url, "bench:") as server:
            await development.seed(server.house.pool)
            for _ in range(ROUNDS):
                caller = await Visitor.coming(browser, server, "caller", script=PRESSED)
                volunteer = await Visitor.coming(browser, server, "volunteer", script=ANSWERS)
                await volunteer.press("start")
                await volunteer.screen("waiting")
                await caller.press("ask")

                async def seen(page: Visitor = volunteer) -> float | None:
                    return await page.page.evaluate("window.seen ?? null")  # type: ignore[no-any-return]

                frame = await until(seen, lambda: "no frame came")
                pressed = await caller.page.evaluate("pressed.at")
                answered = await volunteer.page.evaluate("answered")
                rings.append(answered - pressed)
                answers.append(frame - answered)
                frames.append(frame - pressed)
                await caller.press("end")
                await caller.screen("ended")
                await caller.leave()
                await volunteer.leave()
        await browser.close()
    return {
        "press_to_ring_ms": spread(rings, 0),
        "answer_to_frame_ms": spread(answers, 0),
        "press_to_frame_ms": spread(frames, 0),
    }
