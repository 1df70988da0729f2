"""The staff's page, to read only. For anybody else it does not exist."""

from __future__ import annotations

from aiohttp import web

from accounts.postgres import borrowed
from rating import store
from rating.model import Kind
from signaling import figures
from signaling.house import HOUSE
from signaling.problems import NotFound
from signaling.routes.pages import page
from signaling.viewer import signed_in

REPORTS = 200


async def staff(request: web.Request) -> web.StreamResponse:
    """`GET /staff`: reports gravest first, counts, live calls."""
    house = request.app[HOUSE]
    person = await signed_in(request)
    if person.staff_role is None:
        raise NotFound()
    async with borrowed(house.pool) as connection:
        reports = await store.reports(connection, REPORTS)
        counts = await figures.counts(connection)
        live = await figures.live(connection)
    return house.pages.page(
        request,
        "staff.html",
        reports=[{**dict(row), "kind": Kind(row["kind"])} for row in reports],
        counts=counts,
        live=live,
    )


ROUTES = [page("/staff", staff)]
