"""The service worker's script, at the root so that it may serve every page."""

from __future__ import annotations

import msgspec
from aiohttp import web

from signaling import i18n
from signaling.house import HOUSE
from signaling.routes.pages import page
from signaling.static import ONCE


class Words(msgspec.Struct, frozen=True):
    """What a notification says."""

    title: str
    body: str


class Worker(msgspec.Struct, frozen=True):
    """The worker's words: it has no page to read them from, and may have no network."""

    lang: str
    dir: str
    ring: Words
    gone: Words


async def worker(request: web.Request) -> web.StreamResponse:
    """`GET /sw.js?lang=fr`. A browser looks now and then whether it has changed, so new words arrive by themselves."""
    words = i18n.words(i18n.best(request.query.get("lang")))
    said = Worker(
        words.locale,
        words.direction,
        Words(words("Somebody needs your help"), words("Tap to answer. If somebody else is faster, no harm is done.")),
        Words(words("This call has been taken care of"), words("Thank you for being there!")),
    )
    script = request.app[HOUSE].pages.static.body("sw.js")
    body = b"const WORDS = " + msgspec.json.encode(said) + b";\n" + script
    return web.Response(body=body, content_type="text/javascript", charset="utf-8", headers={"Cache-Control": ONCE})


ROUTES = [page("/sw.js", worker)]
