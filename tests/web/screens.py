"""Takes the pictures in docs/screens: `python -m tests.web.screens`, or with the name of another folder.

They show pages and states as the tour reaches them, on a telephone and on a desktop. The camera shows `scene.svg`."""

from __future__ import annotations

import asyncio
import io
import sys
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from playwright.async_api import Browser, Playwright, async_playwright

from signaling import development
from tests import parts
from tests.house import Server, serving
from tests.web.people import CHROMIUM, Visitor
from tests.web.tour import SETTINGS, tour

FOLDER = Path(__file__).parents[2] / "docs" / "screens"
WINDOWS = {"phone": {"width": 390, "height": 844}, "desktop": {"width": 1280, "height": 800}}
LIGHT: dict[str, tuple[str, ...]] = {
    "front": ("phone", "desktop"),
    "profile-new": ("phone",),
    "caller-ready": ("phone", "desktop"),
    "caller-waiting": ("phone",),
    "caller-call": ("phone", "desktop"),
    "caller-ended": ("phone",),
    "caller-history": ("phone",),
    "volunteer-ringing": ("phone", "desktop"),
    "volunteer-call": ("phone", "desktop"),
    "volunteer-points": ("phone",),
    "staff-staff": ("desktop",),
}
DARK: dict[str, tuple[str, ...]] = {"front": ("phone",), "caller-ready": ("phone",), "volunteer-ringing": ("phone",)}
FRAMES = 20
AT_MOST = 80_000
"""Bytes of one picture: the repository is no album."""


async def filmed(playwright: Playwright, folder: Path) -> Path:
    """The scene as a film that Chromium takes for its camera: JPEG pictures, one after the other."""
    browser = await playwright.chromium.launch(**CHROMIUM)
    page = await browser.new_page(viewport={"width": 640, "height": 480})
    await page.goto(Path(__file__).with_name("scene.svg").as_uri())
    picture = await page.screenshot(type="jpeg", quality=92)
    await browser.close()
    film = folder / "scene.mjpeg"
    film.write_bytes(picture * FRAMES)
    return film


def smaller(picture: bytes) -> bytes:
    """The same PNG with a palette of 64 colours, a third of the size."""
    with av.open(io.BytesIO(picture), "r") as source:
        stream = source.streams.video[0]
        graph = av.filter.Graph()
        begin, end = graph.add_buffer(template=stream), graph.add("buffersink")
        split, generate = graph.add("split"), graph.add("palettegen", "max_colors=64")
        use = graph.add("paletteuse", "dither=none")
        for one, other, output, input_ in (
            (begin, split, 0, 0),
            (split, generate, 0, 0),
            (split, use, 1, 0),
            (generate, use, 0, 1),
            (use, end, 0, 0),
        ):
            one.link_to(other, output, input_)
        graph.configure()
        graph.push(next(source.decode(stream)))
        graph.push(None)
        frame = graph.pull()
    assert isinstance(frame, av.VideoFrame)
    encoder = av.CodecContext.create("png", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = frame.width, frame.height, "pal8"
    encoder.time_base = Fraction(1, 25)
    encoder.options = {"compression_level": "9", "pred": "none"}
    return b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])


async def take(browser: Browser, server: Server, scheme: str, wanted: dict[str, tuple[str, ...]], folder: Path) -> None:
    """One tour in one colour scheme."""
    visitors: list[Visitor] = []

    async def coming(where: Server, name: str | None, **options: Any) -> Visitor:
        visitors.append(await Visitor.coming(browser, where, name, **options))
        return visitors[-1]

    async for name, visitor in tour(server, coming, "en", color_scheme=scheme):
        for window in wanted.get(name, ()):
            await visitor.page.set_viewport_size(WINDOWS[window])  # type: ignore[arg-type]
            await visitor.page.evaluate("document.fonts.ready.then(() => scrollTo(0, 0))")
            path = folder / f"{name}-{window}{'-dark' if scheme == 'dark' else ''}.png"
            picture = smaller(await visitor.page.screenshot(animations="disabled", caret="hide"))
            print(f"{path.name}: {len(picture) // 1000} kB")
            if len(picture) > AT_MOST:
                raise SystemExit(f"{path.name} is larger than {AT_MOST // 1000} kB")
            path.write_bytes(picture)
        await visitor.page.set_viewport_size(WINDOWS["phone"])  # type: ignore[arg-type]
    for visitor in visitors:
        await visitor.context.close()


async def main(folder: Path) -> None:
    """All of them."""
    async with async_playwright() as playwright, parts.services() as services:
        assert services.database_url is not None
        assert services.redis_url is not None
        with tempfile.TemporaryDirectory() as temporary:
            film = await filmed(playwright, Path(temporary))
            arguments = [*CHROMIUM["args"], f"--use-file-for-fake-video-capture={film}"]
            browser = await playwright.chromium.launch(**CHROMIUM | {"args": arguments})
            async with parts.Databases.on(services.database_url) as databases:
                for scheme, wanted in (("light", LIGHT), ("dark", DARK)):
                    url = await databases.migrated()
                    async with serving(url, services.redis_url, f"{scheme}:", **SETTINGS) as server:
                        await development.seed(server.house.pool)
                        await take(browser, server, scheme, wanted, folder)
            await browser.close()


if __name__ == "__main__":
    wished = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    wished.mkdir(parents=True, exist_ok=True)
    asyncio.run(main(wished))
