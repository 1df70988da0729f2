"""Signing in and out."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from aiohttp import web
from msgspec import Meta

from accounts import consent, errors
from accounts.model import Person, QuietWindow, Role, StaffRole, Standing
from accounts.service import SignedIn
from signaling import i18n, problems
from signaling.house import HOUSE
from signaling.http import Body, Route, answer, asker, bearer, cookie, drop_cookie, empty, network, read, set_cookie
from signaling.middleware import language_of
from signaling.settings import Settings

BROWSER_LIFE = 365 * 86_400


class AskCode(Body, frozen=True):
    """An address to mail a code to."""

    email: Annotated[str, Meta(min_length=3, max_length=254)]
    language: Annotated[str, Meta(max_length=100)] | None = None


class VerifyCode(Body, frozen=True):
    """The code that came by mail."""

    email: Annotated[str, Meta(min_length=3, max_length=254)]
    code: Annotated[str, Meta(min_length=1, max_length=40)]


class Logout(Body, frozen=True):
    """`everywhere` ends the sign-in on every device."""

    everywhere: bool = False


class Me(msgspec.Struct, frozen=True):
    """A person, as they see themselves."""

    id: UUID
    email: str | None
    role: Role | None
    staff_role: StaffRole | None
    standing: Standing
    complete: bool
    locale: str
    languages: tuple[str, ...]
    time_zone: str
    quiet_hours: tuple[QuietWindow, ...]
    alerts_per_day: int
    snoozed_until: datetime | None
    """Alerts are paused until then."""
    muted_languages: tuple[str, ...]
    """Spoken, but not rung for."""
    alias: str | None
    adult: bool
    consent: str | None
    consent_wanted: str
    """The version of the terms that is asked for now."""
    created_at: datetime


def me(person: Person) -> Me:
    """What a person may see of their own account."""
    return Me(
        person.id,
        person.email,
        person.role,
        person.staff_role,
        person.standing,
        person.complete,
        person.locale,
        person.languages,
        person.time_zone,
        person.quiet_hours,
        person.alerts_per_day,
        person.snoozed_until,
        person.muted_languages,
        person.alias,
        person.adult,
        person.consent,
        consent.CURRENT,
        person.created_at,
    )


class Tokens(msgspec.Struct, frozen=True):
    """A fresh access token; the refresh token is in the cookie."""

    access_token: str
    expires_in: int
    person: Me


def granted(signed_in: SignedIn, settings: Settings) -> web.Response:
    """The answer to a device that signed in or refreshed."""
    response = answer(Tokens(signed_in.access_token, signed_in.expires_in, me(signed_in.person)))
    set_cookie(response, settings, "refresh", signed_in.refresh_token, signed_in.refresh_life)
    return response


def with_browser(request: web.Request, response: web.StreamResponse, settings: Settings, name: str | None) -> None:
    """Give the browser the name a code is bound to, unless it has one."""
    if name is not None and cookie(request, settings, "browser") is None:
        set_cookie(response, settings, "browser", name, BROWSER_LIFE)


async def ask_code(request: web.Request) -> web.StreamResponse:
    house = request.app[HOUSE]
    body = await read(request, AskCode)
    who = asker(request, house.settings)
    await house.limits.check("code", network(request, house.settings), house.settings.limits.sign_ins_per_network)
    locale = i18n.best(body.language, language_of(request))
    mailed = await house.accounts.ask_code(body.email, who, locale)
    house.mailer.send_code(mailed.email, mailed.code, mailed.locale)
    return empty(202)


async def verify_code(request: web.Request) -> web.StreamResponse:
    house = request.app[HOUSE]
    body = await read(request, VerifyCode)
    await house.limits.check("verify", network(request, house.settings), house.settings.limits.sign_ins_per_network)
    return granted(
        await house.accounts.verify_code(body.email, body.code, asker(request, house.settings)), house.settings
    )


async def refresh(request: web.Request) -> web.StreamResponse:
    house = request.app[HOUSE]
    token = cookie(request, house.settings, "refresh")
    if token is None:
        raise problems.SignedOut()
    return granted(await house.accounts.refresh(token), house.settings)


async def logout(request: web.Request) -> web.StreamResponse:
    house = request.app[HOUSE]
    body = await read(request, Logout, optional=True)
    if body.everywhere:
        person, _ = await house.accounts.who(bearer(request))
        await house.carrier.carry(await house.accounts.sign_out_everywhere(person.id))
    elif (token := cookie(request, house.settings, "refresh")) is not None:
        await house.accounts.sign_out(token)
    response = empty()
    drop_cookie(response, house.settings, "refresh")
    return response


def new_browser() -> str:
    """A name for a browser, which says nothing about it."""
    return secrets.token_urlsafe(24)


ROUTES = [
    Route(
        method="POST",
        path="/v1/auth/code",
        handler=ask_code,
        summary="Mail a six-digit code; the answer is the same whoever it is.",
        tag="sign-in",
        body=AskCode,
        status=202,
        errors=(errors.EmailInvalid, errors.TooManyCodes, problems.TooManyRequests),
        signed_in=False,
    ),
    Route(
        method="POST",
        path="/v1/auth/verify",
        handler=verify_code,
        summary="Sign in with the mailed code; the first time this creates the account.",
        tag="sign-in",
        body=VerifyCode,
        answer=Tokens,
        errors=(
            errors.EmailInvalid,
            errors.CodeWrong,
            errors.CodeExhausted,
            errors.Barred,
            problems.TooManyRequests,
        ),
        signed_in=False,
    ),
    Route(
        method="POST",
        path="/v1/auth/refresh",
        handler=refresh,
        summary="A fresh access token for the refresh cookie, which is replaced.",
        tag="sign-in",
        answer=Tokens,
        errors=(errors.RefreshInvalid, errors.Barred, problems.SignedOut),
        signed_in=False,
    ),
    Route(
        method="POST",
        path="/v1/auth/logout",
        handler=logout,
        summary="Sign out on this device or, with an access token, everywhere.",
        tag="sign-in",
        body=Logout,
        body_optional=True,
        status=204,
        errors=(errors.TokenInvalid,),
        signed_in=False,
    ),
]
