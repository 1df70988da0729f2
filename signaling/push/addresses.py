"""Where a push may go. An endpoint comes from a browser, so from anybody: without this guard our server could be told
to knock at doors inside its own network.

A name is checked when a subscription is saved and again when a message is sent, and the connection goes to the very
address that was checked: a name that has begun to lead inside meanwhile reaches nobody."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

import msgspec
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from signaling.push.errors import EndpointRefused

KNOWN = (
    "fcm.googleapis.com",  # Chrome, Edge on Android, and others made of Chromium
    "updates.push.services.mozilla.com",
    "*.push.services.mozilla.com",
    "*.notify.windows.com",
    "web.push.apple.com",
    "*.push.apple.com",
)
LONGEST = 2048
LOOK_UP_WITHIN = 3.0
HOST = re.compile(r"(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+")
NAT64 = ipaddress.ip_network("64:ff9b::/96")
HERE = ("localhost", "127.0.0.1", "::1")


class Endpoint(msgspec.Struct, frozen=True):
    """An address that passed."""

    url: str
    host: str
    port: int
    named: bool
    """The operator has named its host in `PUSH_HOSTS`."""

    @property
    def origin(self) -> str:
        """The audience of our signature (RFC 8292 section 2)."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"


class Allowed(msgspec.Struct, frozen=True):
    """The push services we send to."""

    named: tuple[str, ...] = ()
    """Hosts that the operator has added."""
    here: tuple[str, ...] = ()
    """Origins on this machine, which only development knows."""

    def check(self, address: str) -> Endpoint:
        """The endpoint, if it is one we may send to. Raises `EndpointRefused`."""
        # Parsers disagree about these, and no push service uses them.
        if len(address) > LONGEST or not address.isascii() or any(ord(c) <= 32 or c in '\\"<>^`{|}' for c in address):
            raise EndpointRefused()
        try:
            parts = urlsplit(address)
            host, port = parts.hostname or "", parts.port
        except ValueError as error:
            raise EndpointRefused() from error
        if "@" in parts.netloc or parts.fragment:
            raise EndpointRefused()
        rest = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        if f"{parts.scheme}://{parts.netloc}" in self.here:
            return Endpoint(f"{parts.scheme}://{parts.netloc}{rest}", host, port or 80, True)
        if parts.scheme != "https" or port not in (None, 443):
            raise EndpointRefused()
        named = _among(host, self.named)
        if not named and not _among(host, KNOWN):
            raise EndpointRefused()
        # Put together anew from what was checked, so that whoever parses it again finds the same host.
        return Endpoint(f"https://{host}{rest}", host, 443, named)


def _among(host: str, hosts: Iterable[str]) -> bool:
    return any(host == one or (one.startswith("*.") and host.endswith(one[1:])) for one in hosts)


def read_hosts(text: str, *, development: bool) -> Allowed:
    """What `PUSH_HOSTS` names. Raises `ValueError` with what would be right."""
    named, here = [], []
    for entry in text.split():
        parts = urlsplit(entry)
        if development and parts.scheme == "http" and parts.hostname in HERE and parts.port and not parts.path:
            here.append(entry)
        elif HOST.fullmatch(entry) and not _is_number(entry):
            named.append(entry)
        else:
            raise ValueError(f"PUSH_HOSTS must be names of hosts, such as push.example.org; it holds “{entry}”.")
    return Allowed(tuple(named), tuple(here))


def _is_number(host: str) -> bool:
    """An IPv4 address, however it is written: a name's last label is never a number (RFC 3696 section 2)."""
    return host.rpartition(".")[2].isdigit()


def public(address: str) -> bool:
    """Whether an IP address is somebody's on the internet, and not inside any network, ours least of all."""
    try:
        ip: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        # An IPv4 address in the clothes of an IPv6 one leads where the former leads.
        inner = ip.ipv4_mapped or ip.sixtofour or (ipaddress.IPv4Address(ip.packed[12:]) if ip in NAT64 else None)
        if inner is not None:
            ip = inner
        elif ip.teredo is not None or ip.is_site_local:
            return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


class LeadsInside(OSError):
    """A name has no address on the internet. An `OSError`, for that is what aiohttp expects of a resolver."""


class GuardedResolver(AbstractResolver):
    """Gives only addresses on the internet; for an origin of development, only those of this machine."""

    def __init__(self, allowed: Allowed, resolver: AbstractResolver | None = None) -> None:
        self._resolver = resolver or ThreadedResolver()
        self._here = {(urlsplit(origin).hostname, urlsplit(origin).port) for origin in allowed.here}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        good = [one for one in found if self._may(host, port, one["host"])]
        if found and not good:
            raise LeadsInside(f"{host} leads inside")
        return good

    def _may(self, host: str, port: int, address: str) -> bool:
        if (host, port) in self._here:
            return ipaddress.ip_address(address).is_loopback
        return public(address)

    async def close(self) -> None:
        await self._resolver.close()


async def look_up(resolver: GuardedResolver, endpoint: Endpoint) -> Sequence[ResolveResult]:
    """Where an endpoint leads, looked up before it is saved. Nothing if the name cannot be looked up now: it is looked
    up again for every message. Raises `EndpointRefused` for one that leads inside."""
    try:
        async with asyncio.timeout(LOOK_UP_WITHIN):
            return await resolver.resolve(endpoint.host, endpoint.port, socket.AF_UNSPEC)
    except LeadsInside as error:
        raise EndpointRefused() from error
    except (OSError, TimeoutError):
        return []
