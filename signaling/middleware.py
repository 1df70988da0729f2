"""What happens to every request: a name for the log, limits, guards against foreign pages, errors, headers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import msgspec
import structlog
from aiohttp import web

from accounts.errors import VisavisError
from accounts.model import new_id
from signaling import i18n, problems
from signaling.house import HOUSE
from signaling.http import cookie, network
from signaling.metrics import HTTP, HTTP_SECONDS

log = structlog.get_logger()

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

PERMISSIONS = "camera=(self), microphone=(self), geolocation=(), payment=(), usb=(), display-capture=()"
UNSAFE = {"POST", "PUT", "DELETE", "PATCH"}
UNCOUNTED = {"/healthz", "/readyz", "/metrics", "/v1/socket"}
WEB_FAILURES: dict[int, type[VisavisError]] = {
    404: problems.NotFound,
    405: problems.WrongMethod,
    413: problems.BodyTooLarge,
}


LOCALE: web.RequestKey[str] = web.RequestKey("locale", str)
"""The language of the account, where it is known whose request this is."""
LANGUAGE = "language"
"""The cookie with the language that somebody chose who is not signed in."""


def language_of(request: web.Request) -> str:
    """The language of an answer: the account's, where it is known, else the one chosen here, else the browser's."""
    chosen = cookie(request, request.app[HOUSE].settings, LANGUAGE)
    return i18n.best(request.get(LOCALE), chosen, request.headers.get("Accept-Language"))


def route_of(request: web.Request) -> str:
    """The route's pattern, for logs and metrics: a path may hold an id."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "none"


@web.middleware
async def observe(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Log and count every answer; nothing that names a person goes into either."""
    route = route_of(request)
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request=new_id().hex, route=route)
    started = time.perf_counter()
    response = await handler(request)
    if route != "/v1/socket":
        seconds = time.perf_counter() - started
        HTTP.labels(route, request.method, str(response.status)).inc()
        HTTP_SECONDS.labels(route).observe(seconds)
        if route not in UNCOUNTED:
            log.info("http", method=request.method, status=response.status, seconds=round(seconds, 4))
    return response


@web.middleware
async def explain(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Errors as `application/problem+json`, or as a page for somebody who looks at a page."""
    headers: dict[str, str] = {}
    try:
        return await handler(request)
    except VisavisError as error:
        failure = error
    except web.HTTPException as error:
        if error.status < 400:
            raise
        if "Allow" in error.headers:
            headers["Allow"] = error.headers["Allow"]
        kind = WEB_FAILURES.get(error.status)
        failure = kind(at_most=request.client_max_size) if kind else problems.BadRequest(why=error.reason)
    except asyncio.CancelledError:
        raise
    except Exception:
        log.exception("http.failed")
        failure = problems.Internal()
    words = i18n.words(language_of(request))
    problem = problems.details(failure, words)
    if problem.retry_after is not None:
        headers["Retry-After"] = str(max(1, round(problem.retry_after)))
    wants_page = "text/html" in request.headers.get("Accept", "") and not request.path.startswith("/v1/")
    if wants_page:
        page = request.app[HOUSE].pages.problem(request, problem)
        return web.Response(text=page, status=problem.status, content_type="text/html", headers=headers)
    return web.Response(
        body=msgspec.json.encode(problem),
        status=problem.status,
        content_type="application/problem+json",
        headers={**headers, "Content-Language": words.locale},
    )


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what a foreign page makes a browser send, and what comes too often."""
    house = request.app[HOUSE]
    if request.method in UNSAFE:
        origin = request.headers.get("Origin")
        site = request.headers.get("Sec-Fetch-Site")
        if (origin is not None and origin not in house.settings.origins) or (
            origin is None and site not in (None, "same-origin", "none")
        ):
            raise problems.WrongOrigin()
    if request.path not in UNCOUNTED and not request.path.startswith("/static/"):
        await house.limits.check("http", network(request, house.settings), house.settings.limits.http_per_network)
    return await handler(request)


def security_headers(secure: bool, socket_origin: str) -> dict[str, str]:
    """The headers of every answer. The policy begins with nothing and names what our own pages need."""
    policy = "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data: blob:",
            "media-src 'self' blob: mediastream:",
            "font-src 'self'",
            f"connect-src 'self' {socket_origin}",
            "manifest-src 'self'",
            "worker-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )
    headers = {
        "Content-Security-Policy": policy,
        "Permissions-Policy": PERMISSIONS,
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }
    if secure:
        headers["Strict-Transport-Security"] = "max-age=63072000; includeSubDomains"
    return headers
