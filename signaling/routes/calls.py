"""After a call: rating, report, never again."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import msgspec
from aiohttp import web
from msgspec import Meta

from accounts.errors import TokenInvalid
from rating import errors
from rating.model import Conduct, Kind, Rating, SolvedOutcome
from signaling import problems
from signaling.house import HOUSE
from signaling.http import Body, Route, answer, bearer, empty, read


class PutRating(Body, frozen=True, kw_only=True):
    """How a call was. `outcome` is the caller's alone; `technical` says that only the technique was at fault."""

    conduct: Conduct = Conduct.FINE
    outcome: SolvedOutcome | None = None
    technical: bool = False
    comment: Annotated[str, Meta(max_length=4000)] | None = None


class PostReport(Body, frozen=True, kw_only=True):
    """What happened."""

    kind: Kind
    text: Annotated[str, Meta(max_length=20_000)] | None = None


class PutNeverAgain(Body, frozen=True):
    """False takes the wish back."""

    never_again: bool = True


class Reported(msgspec.Struct, frozen=True):
    """The report's id, for questions about it."""

    report_id: UUID


def call_id_of(request: web.Request) -> UUID:
    """The call a path names. Raises `NotYourCall` for what cannot be an id."""
    try:
        return UUID(request.match_info["id"])
    except ValueError as error:
        raise errors.NotYourCall() from error


async def put_rating(request: web.Request) -> web.StreamResponse:
    house = request.app[HOUSE]
    person, _ = await house.accounts.who(bearer(request))
    body = await read(request, PutRating)
    rating = Rating(conduct=body.conduct, outcome=body.outcome, technical=body.technical, comment=body.comment)
    await house.rating.rate(person.id, call_id_of(request), rating)
    return empty()


async def post_report(request: web.Request) -> web.StreamResponse:
    house = request.app[HOUSE]
    person, _ = await house.accounts.who(bearer(request))
    body = await read(request, PostReport)
    return answer(Reported(await house.rating.report(person.id, call_id_of(request), body.kind, body.text)), 201)


async def put_never_again(request: web.Request) -> web.StreamResponse:
    house = request.app[HOUSE]
    person, _ = await house.accounts.who(bearer(request))
    body = await read(request, PutNeverAgain, optional=True)
    await house.rating.never_again(person.id, call_id_of(request), body.never_again)
    return empty()


AFTER = (TokenInvalid, problems.BadRequest, errors.NotYourCall, errors.CallStillOn)

ROUTES = [
    Route(
        method="PUT",
        path="/v1/calls/{id}/rating",
        handler=put_rating,
        summary="Say how a call was, or change that, within 72 hours.",
        tag="after a call",
        body=PutRating,
        status=204,
        errors=(*AFTER, errors.RatingSealed, errors.OutcomeNotYours, errors.TextTooLong),
    ),
    Route(
        method="POST",
        path="/v1/calls/{id}/report",
        handler=post_report,
        summary="Report the other person of a call, within 30 days.",
        tag="after a call",
        body=PostReport,
        answer=Reported,
        status=201,
        errors=(
            *AFTER,
            errors.TooLateToReport,
            errors.TooManyReports,
            errors.AlreadyReported,
            errors.TextTooLong,
        ),
    ),
    Route(
        method="PUT",
        path="/v1/calls/{id}/never-again",
        handler=put_never_again,
        summary="Never be matched with the other person of a call again, or take that back.",
        tag="after a call",
        body=PutNeverAgain,
        body_optional=True,
        status=204,
        errors=AFTER,
    ),
]
