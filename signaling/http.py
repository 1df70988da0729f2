"""How routes are described, read and answered. A route names the structs it reads and writes; the OpenAPI document is
made from the same descriptions."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from accounts.codes import Asker
from accounts.errors import TokenInvalid, VisavisError
from signaling.problems import BadRequest
from signaling.settings import Settings

BODY_LIMIT = 64 * 1024
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
T = TypeVar("T")


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One route of the API. `path` is as aiohttp writes it; every answer that is not `answer` is a problem."""

    method: str
    path: str
    handler: Handler
    summary: str
    tag: str
    body: Any = None
    """The struct that the body must be; None for no body."""
    body_optional: bool = False
    answer: Any = None
    """What is answered; None for an empty body."""
    status: int = 200
    errors: tuple[type[VisavisError], ...] = ()
    signed_in: bool = True
    query: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Query parameters and what they mean."""
    public: bool = True
    """Whether it is in the OpenAPI document."""


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A body somebody sends us."""


async def read(request: web.Request, kind: type[T], *, optional: bool = False) -> T:
    """The body of a request. Raises `BadRequest` with what is wrong and where."""
    raw = await request.read()
    if not raw and optional:
        raw = b"{}"
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        raise BadRequest(why=str(error)) from error
    except msgspec.DecodeError as error:
        raise BadRequest(why="the body is not JSON") from error


def answer(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A JSON answer."""
    return web.Response(body=msgspec.json.encode(body), status=status, content_type="application/json", headers=headers)


def empty(status: int = 204) -> web.Response:
    """An answer without a body."""
    return web.Response(status=status)


def see(path: str) -> web.Response:
    """Go on at that page: the answer to a form, to which cookies can be added."""
    return web.Response(status=303, headers={"Location": path})


# --- who asks


def bearer(request: web.Request) -> str:
    """The access token of a request. Raises `TokenInvalid`."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token:
        raise TokenInvalid()
    return token.strip()


def cookie_name(settings: Settings, name: str) -> str:
    """`__Host-` binds a cookie to this very host and to https (RFC 6265bis section 4.1.3.2); over plain http, which
    only development speaks, browsers would refuse it."""
    return f"__Host-visavis-{name}" if settings.secure else f"visavis-{name}"


def set_cookie(response: web.StreamResponse, settings: Settings, name: str, value: str, life: int) -> None:
    """A cookie no script can read and no other site can make the browser send."""
    response.set_cookie(
        cookie_name(settings, name),
        value,
        max_age=life,
        path="/",
        secure=settings.secure,
        httponly=True,
        samesite="Strict",
    )


def drop_cookie(response: web.StreamResponse, settings: Settings, name: str) -> None:
    """Make the browser forget a cookie."""
    response.del_cookie(cookie_name(settings, name), path="/", secure=settings.secure, httponly=True, samesite="Strict")


def cookie(request: web.Request, settings: Settings, name: str) -> str | None:
    """A cookie of ours, if the browser sent it."""
    return request.cookies.get(cookie_name(settings, name))


def network(request: web.Request, settings: Settings) -> str:
    """The network a request comes from: its /24 or /48. Proxies are believed only if the operator named them."""
    peer = request.remote or ""
    try:
        address = ipaddress.ip_address(peer)
        forwarded = request.headers.get("X-Forwarded-For", "")
        if forwarded and any(address in trusted for trusted in settings.trusted_proxies):
            # The last entry is what our own proxy saw; everything before it, anybody may have written.
            address = ipaddress.ip_address(forwarded.rsplit(",", 1)[-1].strip())
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    prefix = 24 if address.version == 4 else 48
    return str(ipaddress.ip_network((address, prefix), strict=False))


def asker(request: web.Request, settings: Settings) -> Asker:
    """Who asks for or types a code."""
    return Asker(cookie(request, settings, "browser"), network(request, settings))
