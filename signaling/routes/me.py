"""A person's own profile, ticket, history and points."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from aiohttp import web
from msgspec import UNSET, Meta, UnsetType

from accounts import errors
from accounts.model import QuietWindow, Role
from accounts.service import Profile
from rating.model import AwardKind
from signaling import i18n, problems
from signaling.house import HOUSE
from signaling.http import Body, Route, answer, bearer, read
from signaling.past import PastCall
from signaling.routes.auth import Me, me
from signaling.tickets import LIFE


class PutMe(Body, frozen=True, kw_only=True):
    """A profile. What is left out stays as it is; the role is chosen once."""

    role: Role | None = None
    languages: Annotated[tuple[Annotated[str, Meta(max_length=35)], ...], Meta(max_length=20)] | None = None
    time_zone: Annotated[str, Meta(max_length=60)] | None = None
    quiet_hours: Annotated[tuple[QuietWindow, ...], Meta(max_length=20)] | QuietWindow | None = None
    alerts_per_day: Annotated[int, Meta(ge=0, le=20)] | None = None
    snooze: float | datetime | UnsetType | None = UNSET
    """Pause alerts: for so many hours, until a time, or null to be rung again."""
    muted_languages: Annotated[tuple[Annotated[str, Meta(max_length=35)], ...], Meta(max_length=20)] | None = None
    alias: Annotated[str, Meta(max_length=100)] | None = None
    consent: bool | Annotated[str, Meta(max_length=20)] | None = None
    adult: bool | None = None
    locale: Annotated[str, Meta(max_length=35)] | None = None


class Ticket(msgspec.Struct, frozen=True):
    """Good for one hello."""

    ticket: str
    expires_in: int


class History(msgspec.Struct, frozen=True):
    """Past calls, newest first; `next` is the `before` of the next page."""

    calls: tuple[PastCall, ...]
    next: datetime | None


class AwardRow(msgspec.Struct, frozen=True):
    """One row of the points ledger."""

    id: UUID
    kind: AwardKind
    points: int
    call_id: UUID | None
    at: datetime


class Points(msgspec.Struct, frozen=True):
    """A volunteer's points: the balance is the sum of all rows ever."""

    balance: int
    ledger: tuple[AwardRow, ...]


async def get_me(request: web.Request) -> web.StreamResponse:
    person, _ = await request.app[HOUSE].accounts.who(bearer(request))
    return answer(me(person))


async def put_me(request: web.Request) -> web.StreamResponse:
    house = request.app[HOUSE]
    person, _ = await house.accounts.who(bearer(request))
    body = await read(request, PutMe)
    quiet = (body.quiet_hours,) if isinstance(body.quiet_hours, QuietWindow) else body.quiet_hours
    profile = Profile(
        role=body.role,
        languages=body.languages,
        time_zone=body.time_zone,
        quiet_hours=quiet,
        alerts_per_day=body.alerts_per_day,
        snooze=body.snooze,
        muted_languages=body.muted_languages,
        alias=body.alias,
        consent=body.consent,
        adult=body.adult,
        locale=i18n.best(body.locale) if body.locale else None,
    )
    saved = await house.accounts.update_profile(person, profile)
    house.keeper.touched([person.id], person.languages)
    return answer(me(saved))


async def socket_ticket(request: web.Request) -> web.StreamResponse:
    house = request.app[HOUSE]
    person, family = await house.accounts.who(bearer(request))
    await house.limits.check("ticket", person.id, house.settings.limits.tickets_per_person)
    return answer(Ticket(await house.tickets.issue(person.id, family), LIFE))


PAGE = 30


async def my_calls(request: web.Request) -> web.StreamResponse:
    house = request.app[HOUSE]
    person, _ = await house.accounts.who(bearer(request))
    before = request.query.get("before")
    try:
        since = msgspec.convert(before, datetime) if before else None
    except msgspec.ValidationError as error:
        raise problems.BadRequest(why="“before” must be a time such as 2026-11-22T10:00:00Z") from error
    if since is not None and since.tzinfo is None:
        raise problems.BadRequest(why="“before” needs a time zone, such as Z")
    calls = await house.past.calls(person.id, since, PAGE)
    return answer(History(tuple(calls), calls[-1].began_at if len(calls) == PAGE else None))


async def my_points(request: web.Request) -> web.StreamResponse:
    house = request.app[HOUSE]
    person, _ = await house.accounts.who(bearer(request))
    balance, rows = await house.rating.points_of(person.id)
    ledger = tuple(
        AwardRow(row["id"], AwardKind(row["kind"]), row["points"], row["call_id"], row["at"]) for row in rows
    )
    return answer(Points(balance, ledger))


PROFILE_ERRORS = (
    errors.LanguageUnknown,
    errors.LanguagesMissing,
    errors.TimeZoneUnknown,
    errors.QuietHoursInvalid,
    errors.SnoozeInvalid,
    errors.MutedNotSpoken,
    errors.AliasInvalid,
    errors.RoleFixed,
    errors.ConsentMissing,
    errors.AdultsOnly,
)

ROUTES = [
    Route(method="GET", path="/v1/me", handler=get_me, summary="The profile.", tag="me", answer=Me),
    Route(
        method="PUT",
        path="/v1/me",
        handler=put_me,
        summary="Complete or change the profile.",
        tag="me",
        body=PutMe,
        answer=Me,
        errors=PROFILE_ERRORS,
    ),
    Route(
        method="POST",
        path="/v1/socket-ticket",
        handler=socket_ticket,
        summary="A one-time ticket for the socket's hello.",
        tag="socket",
        answer=Ticket,
        errors=(problems.TooManyRequests,),
    ),
    Route(
        method="GET",
        path="/v1/me/calls",
        handler=my_calls,
        summary="Past calls, newest first.",
        tag="me",
        answer=History,
        query={"before": "a time: only calls that began earlier"},
    ),
    Route(
        method="GET",
        path="/v1/me/points",
        handler=my_points,
        summary="Points: the balance and the ledger.",
        tag="me",
        answer=Points,
    ),
]
