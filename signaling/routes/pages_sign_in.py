"""Signing in and out on pages: an address, then the code that was mailed to it.

The address waits in a cookie between the two steps. The form itself never runs out of time (WCAG 2.2 SC 2.2.1): a code
that is too old is said to be, and a new one is one press away."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import quote

from aiohttp import web

from accounts.codes import Asker
from accounts.errors import AccountError, Barred
from accounts.service import SignedIn
from signaling import i18n
from signaling.forms import Form
from signaling.house import HOUSE
from signaling.http import cookie, drop_cookie, network, see, set_cookie
from signaling.middleware import language_of
from signaling.pages import home_of
from signaling.problems import STATUS, TooManyRequests
from signaling.routes.auth import new_browser, with_browser
from signaling.routes.pages import page
from signaling.viewer import forget, identify, own_path, signed_in

ADDRESS = "address"
ADDRESS_LIFE = 3600
FIELDS = {"email_invalid": "email", "code_wrong": "code", "code_exhausted": "code"}


def _next(request: web.Request, form: Form | None = None) -> str:
    return own_path(form.get("next") if form is not None else request.query.get("next"))


def _address(request: web.Request) -> str | None:
    """The address that waits for its code."""
    kept = cookie(request, request.app[HOUSE].settings, ADDRESS)
    try:
        return base64.urlsafe_b64decode(kept or "").decode() or None
    except (binascii.Error, UnicodeDecodeError):
        return None


async def ask_address(request: web.Request) -> web.StreamResponse:
    """`GET /sign-in`."""
    person = await identify(request)
    if person is not None:
        wanted = _next(request)
        raise web.HTTPSeeOther(home_of(person) if wanted == "/" else wanted)
    form = Form.holding(email=_address(request))
    return request.app[HOUSE].pages.page(request, "sign_in.html", form=form, next=_next(request))


async def send_code(request: web.Request) -> web.StreamResponse:
    """`POST /sign-in`: mails a code, and says the same whoever it is."""
    house = request.app[HOUSE]
    await identify(request)
    form = await Form.of(request)
    language = i18n.words(language_of(request))
    browser = cookie(request, house.settings, "browser") or new_browser()
    where = network(request, house.settings)
    try:
        await house.limits.check("code", where, house.settings.limits.sign_ins_per_network)
        mailed = await house.accounts.ask_code(form.get("email"), Asker(browser, where), language.locale)
    except (AccountError, TooManyRequests) as error:
        form.refuse_for(error, language, FIELDS, "email")
        return house.pages.page(request, "sign_in.html", STATUS[type(error)], form=form, next=_next(request, form))
    house.mailer.send_code(mailed.email, mailed.code, mailed.locale)
    again = "&again=1#done" if form.get("again") else ""
    response = see(f"/sign-in/code?next={quote(_next(request, form))}{again}")
    with_browser(request, response, house.settings, browser)
    kept = base64.urlsafe_b64encode(mailed.email.encode()).decode()
    set_cookie(response, house.settings, ADDRESS, kept, ADDRESS_LIFE)
    return response


async def ask_code(request: web.Request) -> web.StreamResponse:
    """`GET /sign-in/code`."""
    if await identify(request) is not None:
        raise web.HTTPSeeOther("/")
    email = _address(request)
    if email is None:
        raise web.HTTPSeeOther("/sign-in")
    again = "again" in request.query
    return request.app[HOUSE].pages.page(
        request, "sign_in_code.html", form=Form(), email=email, next=_next(request), again=again
    )


async def verify(request: web.Request) -> web.StreamResponse:
    """`POST /sign-in/code`: the right code opens the door."""
    house = request.app[HOUSE]
    form = await Form.of(request)
    email = _address(request)
    if email is None:
        raise web.HTTPSeeOther("/sign-in")
    where = network(request, house.settings)
    language = i18n.words(language_of(request))
    granted: SignedIn | None = None
    try:
        await house.limits.check("verify", where, house.settings.limits.sign_ins_per_network)
        if not form.get("code"):
            form.refuse("code", language("Type the six digits from the mail."))
        else:
            asker = Asker(cookie(request, house.settings, "browser"), where)
            granted = await house.accounts.verify_code(email, form.get("code"), asker)
    except Barred:
        raise
    except (AccountError, TooManyRequests) as error:
        form.refuse_for(error, language, FIELDS, "code")
    if granted is None:
        return house.pages.page(
            request, "sign_in_code.html", 422, form=form, email=email, next=_next(request, form), again=False
        )
    wanted = _next(request, form)
    person = granted.person
    arrive = wanted if wanted.startswith("/profile") or (person.complete and wanted != "/") else home_of(person)
    response = see(arrive)
    set_cookie(response, house.settings, "refresh", granted.refresh_token, granted.refresh_life)
    drop_cookie(response, house.settings, ADDRESS)
    return response


async def sign_out(request: web.Request) -> web.StreamResponse:
    """`POST /sign-out`: on this device, or everywhere."""
    house = request.app[HOUSE]
    form = await Form.of(request)
    if form.get("everywhere"):
        person = await signed_in(request)
        await house.carrier.carry(await house.accounts.sign_out_everywhere(person.id))
    elif (token := cookie(request, house.settings, "refresh")) is not None:
        await house.accounts.sign_out(token)
    response = see("/")
    forget(request, response)
    return response


ROUTES = [
    page("/sign-in", ask_address),
    page("/sign-in", send_code, "POST"),
    page("/sign-in/code", ask_code),
    page("/sign-in/code", verify, "POST"),
    page("/sign-out", sign_out, "POST"),
]
