"""Push services for tests: a real one (the npm package web-push-testing), and stand-ins that answer what a test wants.

All of them listen on this machine only."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import aiohttp
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from accounts.devices import Device, DeviceKind
from signaling.push.web_push import base64url
from tests.house import free_port

PACKAGE = Path(sys.prefix) / "node" / "node_modules" / "web-push-testing"
START = """
const {PushApiModel} = require(process.argv[1] + '/src/PushApiModel.js');
const Server = require(process.argv[1] + '/src/server.js');
const server = new Server(new PushApiModel(), Number(process.argv[2]));
const listen = server._app.listen.bind(server._app);
server._app.listen = (port, done) => listen(port, '127.0.0.1', done);
server.startServer();
"""
"""The package's own server, but on this machine only: by itself it listens to every network."""


async def until(found: Callable[[], bool | Awaitable[bool]]) -> None:
    """Ask again and again, for at most half a minute, until it is so."""
    for _ in range(3000):
        so = found()
        if so if isinstance(so, bool) else await so:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never was so")


class Got(NamedTuple):
    """A request that a stand-in got."""

    path: str
    headers: Mapping[str, str]
    body: bytes


Answer = Callable[[Got], Awaitable[web.StreamResponse]]


class StandIn:
    """An HTTP server that keeps what it got and answers `status` with `headers`, or as `answer` says."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.got: list[Got] = []
        self.status = 201
        self.headers: dict[str, str] = {}
        self.answer: Answer | None = None

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        got = Got(request.path, request.headers.copy(), await request.read())
        self.got.append(got)
        if self.answer is not None:
            return await self.answer(got)
        return web.Response(status=self.status, headers=self.headers)

    async def gets(self, count: int) -> None:
        """Wait until it has got that many requests."""
        await until(lambda: len(self.got) >= count)


@asynccontextmanager
async def stand_in() -> AsyncIterator[StandIn]:
    """A stand-in on a port of its own. Content encodings are left as they come."""
    port = free_port()
    made = StandIn(f"http://127.0.0.1:{port}")
    server = web.Server(made.handle, auto_decompress=False)
    runner = web.ServerRunner(server, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield made
    finally:
        await runner.cleanup()


class WebPushService:
    """The real one, behind a stand-in that passes everything on and keeps the headers: the service does not tell."""

    def __init__(self, base: str, door: StandIn, http: aiohttp.ClientSession) -> None:
        self._base = base
        self._http = http
        self.door = door
        door.answer = self._pass_on

    async def _pass_on(self, got: Got) -> web.StreamResponse:
        headers = {name: value for name, value in got.headers.items() if name.lower() not in ("host", "content-length")}
        async with self._http.post(self._base + got.path, data=got.body, headers=headers) as answer:
            return web.Response(status=answer.status, body=await answer.read())

    async def _call(self, path: str, body: object = None) -> Any:
        async with self._http.post(self._base + path, json=body or {}) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json(content_type=None) if answer.content_type == "application/json" else None

    async def subscribe(self, key: str) -> dict[str, Any]:
        """What a browser's `PushSubscription.toJSON()` gives."""
        options = {"userVisibleOnly": "true", "applicationServerKey": key}
        found = (await self._call("/subscribe", options))["data"]
        name = found["clientHash"]
        return {"endpoint": f"{self.door.base}/notify/{name}", "expirationTime": None, "keys": found["keys"]}

    async def expire(self, subscription: dict[str, Any]) -> None:
        await self._call(f"/expire-subscription/{subscription['endpoint'].rpartition('/')[2]}")

    async def messages(self, subscription: dict[str, Any]) -> list[str]:
        """What has arrived in that browser, decrypted by the service."""
        name = subscription["endpoint"].rpartition("/")[2]
        found = await self._call("/get-notifications", {"clientHash": name})
        return [str(each) for each in found["data"]["messages"]]


@asynccontextmanager
async def web_push_service() -> AsyncIterator[WebPushService]:
    """Start it, and stop it at the end."""
    node = shutil.which("node")
    if node is None or not PACKAGE.is_dir():
        pytest.fail(f"{PACKAGE} is missing: make test installs it")
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        node, "-e", START, str(PACKAGE), str(port), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    base = f"http://127.0.0.1:{port}"
    try:
        async with aiohttp.ClientSession(auto_decompress=False) as http, stand_in() as door:
            await until(lambda: _answers(http, base))
            yield WebPushService(base, door, http)
    finally:
        process.terminate()
        await process.wait()


async def _answers(http: aiohttp.ClientSession, base: str) -> bool:
    try:
        async with http.post(f"{base}/status") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


class Browser:
    """The keys of a subscription, as a browser makes them."""

    def __init__(self) -> None:
        self.private = ec.generate_private_key(ec.SECP256R1())
        self.key = self.private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.auth = uuid4().bytes

    def subscription(self, endpoint: str) -> dict[str, Any]:
        return {"endpoint": endpoint, "keys": {"p256dh": base64url(self.key), "auth": base64url(self.auth)}}

    def device(self, endpoint: str, **fields: Any) -> Device:
        return device(DeviceKind.WEB_PUSH, endpoint, key=self.key, auth=self.auth, **fields)


def device(kind: DeviceKind, address: str, **fields: Any) -> Device:
    """A device that no table knows."""
    made: dict[str, Any] = {"key": None, "auth": None, "failures": 0, "created_at": datetime.now(UTC)} | fields
    return Device(id=uuid4(), person_id=uuid4(), kind=kind, address=address, **made)
