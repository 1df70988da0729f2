"""The two documents, and a readable page of each."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from aiohttp import web

from signaling import asyncapi, openapi
from signaling.house import HOUSE
from signaling.http import Route, answer
from signaling.schemas import Json

VERSION = version("visavis")


def api_of(request: web.Request) -> Json:
    """The OpenAPI document of this server."""
    from signaling.routes import table

    settings = request.app[HOUSE].settings
    return openapi.document(table(development=False), settings.public_url, VERSION)


def socket_of(request: web.Request) -> Json:
    """The AsyncAPI document of this server."""
    return asyncapi.document(request.app[HOUSE].settings.public_url, VERSION)


async def openapi_json(request: web.Request) -> web.StreamResponse:
    return answer(api_of(request))


async def asyncapi_json(request: web.Request) -> web.StreamResponse:
    return answer(socket_of(request))


async def docs(request: web.Request) -> web.StreamResponse:
    page = request.app[HOUSE].pages.render(request, "docs.html", api=api_of(request), socket=socket_of(request))
    return web.Response(text=page, content_type="text/html")


ROUTES = [
    Route(
        method="GET",
        path="/v1/openapi.json",
        handler=openapi_json,
        summary="This document.",
        tag="documents",
        answer=dict[str, Any],
        signed_in=False,
    ),
    Route(
        method="GET",
        path="/v1/asyncapi.json",
        handler=asyncapi_json,
        summary="The socket's document, AsyncAPI 3.",
        tag="documents",
        answer=dict[str, Any],
        signed_in=False,
    ),
    Route(
        method="GET",
        path="/docs",
        handler=docs,
        summary="Both, to read.",
        tag="documents",
        signed_in=False,
        public=False,
    ),
]
