"""Past calls, with everything that can be said about them afterwards; and a volunteer's points."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import quote
from uuid import UUID

import msgspec
from aiohttp import web

from accounts.model import Person, Role
from rating.errors import RatingError
from rating.model import AwardKind, Conduct, Kind, Rating, SolvedOutcome
from signaling import i18n
from signaling.forms import Form
from signaling.house import HOUSE
from signaling.middleware import language_of
from signaling.past import PastCall
from signaling.problems import NotFound
from signaling.routes.calls import call_id_of
from signaling.routes.pages import page
from signaling.viewer import complete

PAGE = 20


async def history(request: web.Request) -> web.StreamResponse:
    """`GET /history`."""
    return await _page(request, await complete(request))


async def _page(
    request: web.Request, person: Person, status: int = 200, call_id: UUID | None = None, form: Form | None = None
) -> web.StreamResponse:
    """The page; with a form that could not be taken, at its call."""
    house = request.app[HOUSE]
    before = form.get("before") if form is not None else request.query.get("before", "")
    calls = await house.past.calls(person.id, _time(before), PAGE)
    done = request.query.get("done", "")
    return house.pages.page(
        request,
        "history.html",
        status,
        calls=calls,
        older=calls[-1].began_at.isoformat() if len(calls) == PAGE else None,
        before=before,
        form=form,
        empty=Form(),
        stored=stored,
        at=str(call_id or request.query.get("call", "")),
        done=done if done in ("rating", "report", "never-again", "meet-again") else "",
        comment_at_most=house.settings.rating.comment_at_most,
        report_at_most=house.settings.rating.report_text_at_most,
        hours=round(house.settings.rating.rate_within / 3600),
    )


def stored(call: PastCall) -> Form:
    """The rating form of a call with what was said before."""
    said = call.rating
    if said is None:
        return Form()
    return Form.holding(
        outcome=said.outcome, conduct=said.conduct, technical="yes" if said.technical else "", comment=said.comment
    )


def _time(text: str | None) -> datetime | None:
    """The time of a link to older calls. Raises `NotFound` for what is none."""
    if not text:
        return None
    try:
        at = msgspec.convert(text.replace(" ", "+"), datetime)
    except msgspec.ValidationError:
        raise NotFound() from None
    if at.tzinfo is None:
        raise NotFound()
    return at


async def rate(request: web.Request) -> web.StreamResponse:
    """`POST /history/{id}/rating`."""
    house = request.app[HOUSE]
    person = await complete(request)
    call_id = call_id_of(request)
    form = await Form.of(request)
    language = i18n.words(language_of(request))
    outcome, conduct = form.get("outcome"), form.get("conduct")
    if conduct not in list(Conduct):
        # Whoever says only that the problem was solved had nothing to complain of.
        conduct = Conduct.FINE
        if not any(form.get(name) for name in ("outcome", "technical", "comment")):
            form.refuse("conduct", language("Choose an answer first."))
    if not form.problems:
        rating = Rating(
            conduct=Conduct(conduct),
            outcome=SolvedOutcome(outcome) if outcome in list(SolvedOutcome) and person.role is Role.CALLER else None,
            technical=form.get("technical") == "yes",
            # Browsers send CR LF for a line end and count it as one character.
            comment=form.get("comment").replace("\r\n", "\n"),
        )
        try:
            await house.rating.rate(person.id, call_id, rating)
        except RatingError as error:
            form.refuse_for(error, language, {"text_too_long": "comment"}, "conduct")
    return await _after(request, person, call_id, form, "rating")


async def report(request: web.Request) -> web.StreamResponse:
    """`POST /history/{id}/report`."""
    person = await complete(request)
    call_id = call_id_of(request)
    form = await Form.of(request)
    language = i18n.words(language_of(request))
    kind = form.get("kind")
    if kind not in list(Kind) or kind == Kind.ABUSE:
        form.refuse("kind", language("Choose what happened."))
    else:
        try:
            await request.app[HOUSE].rating.report(
                person.id, call_id, Kind(kind), form.get("text").replace("\r\n", "\n")
            )
        except RatingError as error:
            form.refuse_for(error, language, {"text_too_long": "text"}, "kind")
    return await _after(request, person, call_id, form, "report")


async def never_again(request: web.Request) -> web.StreamResponse:
    """`POST /history/{id}/never-again`: or to take that back."""
    person = await complete(request)
    call_id = call_id_of(request)
    form = await Form.of(request)
    wished = form.get("never_again") != "no"
    await request.app[HOUSE].rating.never_again(person.id, call_id, wished)
    return await _after(request, person, call_id, form, "never-again" if wished else "meet-again")


async def _after(request: web.Request, person: Person, call_id: UUID, form: Form, done: str) -> web.StreamResponse:
    if form.problems:
        return await _page(request, person, 422, call_id, form)
    before = f"&before={quote(form.get('before'))}" if form.get("before") else ""
    raise web.HTTPSeeOther(f"/history?done={done}&call={call_id}{before}#done")


async def points(request: web.Request) -> web.StreamResponse:
    """`GET /points`: for volunteers only; callers owe nobody anything."""
    house = request.app[HOUSE]
    person = await complete(request)
    if person.role is not Role.VOLUNTEER:
        raise NotFound()
    balance, rows = await house.rating.points_of(person.id)
    return house.pages.page(
        request,
        "points.html",
        balance=balance,
        ledger=[(AwardKind(row["kind"]), row["points"], row["at"]) for row in rows],
        settings=house.settings.rating,
    )


ROUTES = [
    page("/history", history),
    page("/history/{id}/rating", rate, "POST"),
    page("/history/{id}/report", report, "POST"),
    page("/history/{id}/never-again", never_again, "POST"),
    page("/points", points),
]
