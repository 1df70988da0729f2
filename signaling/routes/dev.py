"""Only in development: ready-made people with a sign-in link each, and the mail that would have been sent."""

from __future__ import annotations

from datetime import datetime

import msgspec
from aiohttp import web

from signaling import development
from signaling.house import HOUSE
from signaling.http import Route, answer, see, set_cookie
from signaling.mail import DevelopmentPost
from signaling.problems import NotFound


class SentMail(msgspec.Struct, frozen=True, omit_defaults=True):
    """A mail that would have been sent."""

    to: str
    subject: str
    text: str
    at: datetime
    code: str | None = None


async def people(request: web.Request) -> web.StreamResponse:
    """The ready-made people: a page for a browser, JSON for a program."""
    house = request.app[HOUSE]
    links = development.links(house.settings)
    if "text/html" in request.headers.get("Accept", ""):
        return web.Response(text=house.pages.render(request, "dev.html", people=links), content_type="text/html")
    return answer(links)


async def sign_in(request: web.Request) -> web.StreamResponse:
    """Sign in as one of them, by a link."""
    house = request.app[HOUSE]
    who = development.find(request.match_info["name"])
    if who is None:
        raise NotFound()
    signed_in = await house.accounts.sign_in_ready_made(who.id)
    response = see(who.page)
    set_cookie(response, house.settings, "refresh", signed_in.refresh_token, signed_in.refresh_life)
    return response


async def mail(request: web.Request) -> web.StreamResponse:
    house = request.app[HOUSE]
    if not isinstance(house.post, DevelopmentPost):
        raise NotFound()  # SMTP_URL is set: the mail went there
    sent = await house.post.sent(request.query.get("to"))
    return answer([SentMail(each.to, each.subject, each.text, each.at, each.code) for each in sent])


async def push(request: web.Request) -> web.StreamResponse:
    return answer(await request.app[HOUSE].noted.sent(request.query.get("to")))


ROUTES = [
    Route(method="GET", path="/dev", handler=people, summary="", tag="dev", public=False, signed_in=False),
    Route(
        method="GET", path="/dev/sign-in/{name}", handler=sign_in, summary="", tag="dev", public=False, signed_in=False
    ),
    Route(method="GET", path="/dev/mail", handler=mail, summary="", tag="dev", public=False, signed_in=False),
    Route(method="GET", path="/dev/push", handler=push, summary="", tag="dev", public=False, signed_in=False),
]
