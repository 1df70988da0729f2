"""Who looks at a page. Pages know a person by the refresh cookie, which they do not rotate, so that they work without
scripts; scripts use the same cookie to get access tokens."""

from __future__ import annotations

from contextlib import suppress

from aiohttp import web

from accounts.errors import RefreshInvalid
from accounts.model import Person
from signaling.house import HOUSE
from signaling.http import cookie, drop_cookie
from signaling.i18n import best
from signaling.middleware import LANGUAGE, LOCALE
from signaling.pages import PERSON


class FromElsewhere(web.HTTPOk):
    """A page that only loads the same address once more.

    Our cookies are SameSite=Strict: a browser that follows a link of another site does not send them. A request that
    our own page makes carries them (RFC 6265bis section 8.8.2)."""


async def identify(request: web.Request) -> Person | None:
    """The person who is signed in on this browser, None for nobody; also sets the language of the answer.
    Raises `Barred`, and `FromElsewhere` when the browser may be holding its cookies back."""
    if PERSON in request:
        return request[PERSON]
    house = request.app[HOUSE]
    token = cookie(request, house.settings, "refresh")
    person: Person | None = None
    if token is None:
        if request.method == "GET" and request.headers.get("Sec-Fetch-Site") == "cross-site":
            again = house.pages.render(request, "again.html")
            raise FromElsewhere(text=again, content_type="text/html")
    else:
        with suppress(RefreshInvalid):
            person = await house.accounts.who_holds(token)
    request[PERSON] = person
    if person is not None and (person.complete or cookie(request, house.settings, LANGUAGE) is None):
        request[LOCALE] = best(person.locale)
    return person


async def signed_in(request: web.Request) -> Person:
    """The person who is signed in; whoever is not goes to the sign-in page first, and comes back.
    Raises `HTTPSeeOther`, `Barred`."""
    person = await identify(request)
    if person is None:
        back = request.path if request.method == "GET" else "/"
        raise web.HTTPSeeOther(f"/sign-in?next={back}")
    return person


async def complete(request: web.Request) -> Person:
    """The person who is signed in and has a profile; whoever has none fills it in first.
    Raises `HTTPSeeOther`, `Barred`."""
    person = await signed_in(request)
    if not person.complete:
        raise web.HTTPSeeOther("/profile")
    return person


def own_path(wish: str | None) -> str:
    """A path of our own that somebody asked to go to next; / for anything else. Browsers take // and \\ for the start
    of another host, and drop tabs and line ends before they look."""
    if not wish or len(wish) > 200 or not wish.startswith("/") or any(c in "\\:" or ord(c) <= 32 for c in wish):
        return "/"
    return "/" if wish.startswith("//") else wish


def forget(request: web.Request, response: web.StreamResponse) -> None:
    """Make the browser forget who was signed in."""
    drop_cookie(response, request.app[HOUSE].settings, "refresh")
