"""The public figures: as JSON, as a table to download, and as a page."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from aiohttp import web

from matching.stats import FRESH, Stats, Waiting
from signaling import charts
from signaling.house import HOUSE
from signaling.http import Route, answer
from signaling.routes.pages import page
from signaling.viewer import identify

PUBLIC = {"Cache-Control": f"public, max-age={FRESH:.0f}"}
"""These two answers are the same for everybody. The page is not: its head shows who is signed in."""
COLUMNS = (
    "period", "language", "requests", "answered_share", "p50_wait", "p95_wait", "alerts_per_call", "late_taps_per_call",
)  # fmt: skip


async def stats(request: web.Request) -> web.StreamResponse:
    return answer(await request.app[HOUSE].statistics.get(), headers=PUBLIC)


async def stats_csv(request: web.Request) -> web.StreamResponse:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows(rows(await request.app[HOUSE].statistics.get()))
    headers = {**PUBLIC, "Content-Disposition": 'attachment; filename="visavis-stats.csv"'}
    return web.Response(text=text.getvalue(), content_type="text/csv", charset="utf-8", headers=headers)


def rows(found: Stats) -> Iterator[tuple[object, ...]]:
    """Windows by language, then days; what is hidden is empty."""

    def row(period: str, language: str, waiting: Waiting | None) -> tuple[object, ...]:
        figures = (None,) * 6 if waiting is None else [getattr(waiting, name) for name in COLUMNS[2:]]
        return period, language, *figures

    for window in found.windows:
        yield row(window.window, "all", window.all)
        for each in window.languages:
            yield row(window.window, each.language, each.waiting)
    for day in found.days:
        yield day.day.isoformat(), "all", None, day.answered_share, day.p50_wait, day.p95_wait, None, None


async def stats_page(request: web.Request) -> web.StreamResponse:
    house = request.app[HOUSE]
    await identify(request)
    found = await house.statistics.get()
    p50, p95 = [day.p50_wait for day in found.days], [day.p95_wait for day in found.days]
    end = charts.top(p95)
    return house.pages.page(
        request,
        "stats.html",
        stats=found,
        days=[day for day in found.days if day.p50_wait is not None],
        end=end,
        half=charts.line(p50, end),
        most=charts.line(p95, end),
        answered=charts.bars([day.answered_share for day in found.days]),
    )


ROUTES = [
    Route(
        method="GET",
        path="/v1/stats",
        handler=stats,
        summary="Public figures: people, calls, waits, alerts, late taps, first calls. Null is what is about too few.",
        tag="figures",
        answer=Stats,
        signed_in=False,
    ),
    page("/stats", stats_page),
    page("/stats.csv", stats_csv),
]
