"""Pages that everybody may see: the front door, the terms, the choice of a language."""

from __future__ import annotations

from aiohttp import web

from accounts import consent
from accounts.errors import VisavisError
from accounts.service import Profile
from signaling import i18n
from signaling.forms import Form
from signaling.house import HOUSE
from signaling.http import Handler, Route, see, set_cookie
from signaling.middleware import LANGUAGE
from signaling.pages import home_of
from signaling.viewer import identify, own_path

YEAR = 365 * 86_400


def page(path: str, handler: Handler, method: str = "GET") -> Route:
    """The route of a page, which is none of the API's."""
    return Route(method=method, path=path, handler=handler, summary="", tag="pages", signed_in=False, public=False)


async def front(request: web.Request) -> web.StreamResponse:
    """What visavis is; people who are signed in go to where they belong."""
    person = await identify(request)
    if person is not None:
        raise web.HTTPSeeOther(home_of(person))
    return request.app[HOUSE].pages.page(request, "front.html")


async def terms(request: web.Request) -> web.StreamResponse:
    """What people consent to."""
    await identify(request)
    house = request.app[HOUSE]
    return house.pages.page(
        request,
        "terms.html",
        version=consent.CURRENT,
        resume_window=round(house.settings.matching.resume_window),
        report_days=round(house.settings.rating.report_within / 86_400),
        contact=house.settings.mail_from,
    )


async def choose_language(request: web.Request) -> web.StreamResponse:
    """Another language for the pages: the account's, and this browser's."""
    house = request.app[HOUSE]
    person = await identify(request)
    form = await Form.of(request)
    locale = i18n.best(form.get("language"))
    if person is not None and person.complete:
        try:
            await house.accounts.update_profile(person, Profile(locale=locale))
        except VisavisError as error:
            # New terms wait for consent, say: the choice must not depend on that.
            if error.retry_after is not None:
                raise
    response = see(own_path(form.get("next")))
    set_cookie(response, house.settings, LANGUAGE, locale, YEAR)
    return response


ROUTES = [page("/", front), page("/terms", terms), page("/language", choose_language, "POST")]
