"""The two pages on which calls happen. They need scripts; everything else does not."""

from __future__ import annotations

from aiohttp import web

from accounts.model import Role
from signaling.forms import Form
from signaling.house import HOUSE
from signaling.pages import home_of
from signaling.routes.pages import page
from signaling.viewer import complete


async def call(request: web.Request) -> web.StreamResponse:
    """`GET /call`: the one button."""
    return await _live(request, Role.CALLER, "call.html")


async def volunteer(request: web.Request) -> web.StreamResponse:
    """`GET /volunteer`: the shift."""
    return await _live(request, Role.VOLUNTEER, "volunteer.html")


async def _live(request: web.Request, role: Role, template: str) -> web.StreamResponse:
    person = await complete(request)
    if person.role is not role:
        raise web.HTTPSeeOther(home_of(person))
    house = request.app[HOUSE]
    rating = house.settings.rating
    return house.pages.page(
        request,
        template,
        blank=Form(),
        comment_at_most=rating.comment_at_most,
        report_at_most=rating.report_text_at_most,
        call_back_within=house.settings.matching.call_back_within,
    )


ROUTES = [page("/call", call), page("/volunteer", volunteer)]
