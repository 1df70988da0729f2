"""For whoever runs the server: alive, ready, figures."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import msgspec
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

import signaling.migrate as migrate
from accounts.errors import Unavailable
from accounts.postgres import borrowed
from matching.board import answering
from signaling.house import HOUSE
from signaling.http import Route, answer

READY_WITHIN = 2.0


class Alive(msgspec.Struct, frozen=True):
    """The process runs."""

    status: str = "ok"


class Ready(msgspec.Struct, frozen=True):
    """Whether this node can do its work, part by part: `ok`, or what is wrong."""

    status: str
    database: str
    cache: str
    migrations: str


async def healthz(request: web.Request) -> web.StreamResponse:
    return answer(Alive())


async def readyz(request: web.Request) -> web.StreamResponse:
    house = request.app[HOUSE]
    database = cache = "away"
    migrations = "unknown"
    try:
        async with asyncio.timeout(READY_WITHIN), borrowed(house.pool) as connection:
            migrations = "pending" if await migrate.pending(connection) else "ok"
            database = "ok"
    except migrate.DatabaseNewer:
        database, migrations = "ok", "newer"
    except (Unavailable, TimeoutError):
        pass
    try:
        async with asyncio.timeout(READY_WITHIN), answering():
            await house.redis.ping()
            cache = "ok"
    except (Unavailable, TimeoutError):
        pass
    ready = database == cache == migrations == "ok"
    return answer(
        Ready("ok" if ready else "not ready", database, cache, migrations),
        200 if ready else 503,
        None if ready else {"Retry-After": "5"},
    )


async def metrics(request: web.Request) -> web.StreamResponse:
    # Its gauges are those of the public figures; the others do not wait for them.
    with suppress(Unavailable, TimeoutError):
        async with asyncio.timeout(READY_WITHIN):
            await request.app[HOUSE].statistics.get()
    return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})


ROUTES = [
    Route(
        method="GET",
        path="/healthz",
        handler=healthz,
        summary="Alive: the process answers.",
        tag="operations",
        answer=Alive,
        signed_in=False,
    ),
    Route(
        method="GET",
        path="/readyz",
        handler=readyz,
        summary="Ready: database, cache and migrations; 503 if not.",
        tag="operations",
        answer=Ready,
        signed_in=False,
    ),
    Route(
        method="GET",
        path="/metrics",
        handler=metrics,
        summary="Figures for Prometheus, as text.",
        tag="operations",
        signed_in=False,
        public=False,
    ),
]
