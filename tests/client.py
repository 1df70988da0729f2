"""A client of the protocol, as an independent programmer would write it: it knows `protocol.md` and nothing of the
server's code. It keeps a log of everything that was acknowledged, for checks after the fact."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections import deque
from typing import Any, Self

import aiohttp

SUBPROTOCOL = "visavis.v1"
Json = dict[str, Any]


class Refused(Exception):
    """A command was answered by `problem`, or a request by `application/problem+json`."""

    def __init__(self, problem: Json) -> None:
        super().__init__(f"{problem.get('code')}: {problem.get('detail')}")
        self.code: str = problem.get("code", "")
        self.problem = problem


class Closed(Exception):
    """The socket was closed."""

    def __init__(self, code: int | None) -> None:
        super().__init__(f"closed with {code}")
        self.code = code


def new_id() -> str:
    return str(uuid.uuid4())


class Client:
    """One device of one person. `base` may be changed to come back to another node."""

    def __init__(self, base: str, email: str | None = None) -> None:
        self.base = base
        self.email = email or f"{uuid.uuid4().hex[:12]}@visavis.test"
        self.http = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
        self.access_token = ""
        self.person: Json = {}
        self.session: str | None = None
        self.seq = 0
        self.welcome: Json = {}
        self.events: deque[Json] = deque()
        self.log: list[Json] = []
        self.close_code: int | None = None
        self._arrived = asyncio.Condition()
        self._answers: dict[str, asyncio.Future[Json]] = {}
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._reader: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.disconnect()
        await self.http.close()

    # --- HTTP

    async def call(self, method: str, path: str, body: object = None, **kwargs: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.access_token}"} if self.access_token else {}
        async with self.http.request(method, self.base + path, json=body, headers=headers, **kwargs) as response:
            answer = await response.json(content_type=None) if response.content_length != 0 else None
            if response.status >= 400:
                raise Refused(answer or {"code": str(response.status)})
            return answer

    async def sign_in(self, code: str | None = None) -> Self:
        """By mail code, read from the development mailbox."""
        await self.call("POST", "/v1/auth/code", {"email": self.email})
        for _ in range(100):
            if code is not None:
                break
            mails = await self.call("GET", f"/dev/mail?to={self.email}")
            code = mails[0]["code"] if mails else None
            await asyncio.sleep(0.02)
        self._signed_in(await self.call("POST", "/v1/auth/verify", {"email": self.email, "code": code}))
        return self

    def _signed_in(self, answer: Json) -> None:
        self.access_token = answer["access_token"]
        self.person = answer["person"]

    async def refresh(self) -> None:
        self._signed_in(await self.call("POST", "/v1/auth/refresh"))

    async def profile(self, role: str, languages: tuple[str, ...] = ("en",), **fields: Any) -> Self:
        body = {"role": role, "languages": languages, "time_zone": "Europe/Paris", "consent": True, "adult": True}
        self.person = await self.call("PUT", "/v1/me", body | fields)
        return self

    # --- the socket

    async def connect(self, *, resume: bool = False, ticket: str | None = None, **hello: Any) -> Self:
        """Say hello; with `resume`, go on with the session of before."""
        await self.disconnect()
        if ticket is None:
            ticket = (await self.call("POST", "/v1/socket-ticket"))["ticket"]
        url = self.base.replace("http", "ws", 1) + "/v1/socket"
        self._socket = await self.http.ws_connect(url, protocols=(SUBPROTOCOL,), max_msg_size=0)
        frame: Json = {"type": "hello", "ticket": ticket, "client": "tests"} | hello
        if resume:
            frame["resume"] = {"session": self.session, "seq": self.seq}
        await self._socket.send_json(frame)
        message = await self._socket.receive(timeout=10)
        if message.type is not aiohttp.WSMsgType.TEXT:
            raise Closed(self._socket.close_code)
        answer = message.json()
        if answer["type"] == "problem":
            await self._socket.receive(timeout=5)
            self.close_code = self._socket.close_code
            raise Refused(answer)
        self.welcome = answer
        self.session, self.seq = answer["session"], answer["seq"]
        self.close_code = None
        self._reader = asyncio.create_task(self._read(self._socket))
        return self

    async def disconnect(self, *, abort: bool = False) -> None:
        """Close the socket; with `abort`, as a lost network would."""
        socket, self._socket = self._socket, None
        if socket is None:
            return
        if abort:
            transport = socket._response.connection and socket._response.connection.transport
            if transport is not None:
                transport.abort()
        else:
            await socket.close()
        if self._reader is not None:
            self._reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reader

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            if message.type is not aiohttp.WSMsgType.TEXT:
                break
            frame = message.json()
            self.log.append(frame)
            if "re" in frame:
                answer = self._answers.pop(frame["re"], None)
                if answer is not None and not answer.done():
                    answer.set_result(frame)
                continue
            if "seq" in frame:
                assert frame["seq"] == self.seq + 1, f"seq {frame['seq']} after {self.seq}"
                self.seq = frame["seq"]
            async with self._arrived:
                self.events.append(frame)
                self._arrived.notify_all()
        self.close_code = socket.close_code
        async with self._arrived:
            self._arrived.notify_all()
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(Closed(self.close_code))
        self._answers.clear()

    async def send(self, frame: Json | str) -> None:
        """A raw frame."""
        assert self._socket is not None
        if isinstance(frame, str):
            await self._socket.send_str(frame)
        else:
            await self._socket.send_json(frame)

    async def command(self, kind: str, **fields: Any) -> Json:
        """A command and its answer. Raises `Refused` for a problem, `Closed` if the socket closes first."""
        frame = {"type": kind, "id": fields.pop("id", None) or new_id()} | fields
        answer: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self._answers[frame["id"]] = answer
        await self.send(frame)
        found = await asyncio.wait_for(answer, 15)
        if found["type"] == "problem":
            raise Refused(found)
        return found

    async def expect(self, kind: str, within: float = 10, **fields: Any) -> Json:
        """The next event of that type (and with those fields), taken out of the queue; others stay in it."""

        def found() -> Json | None:
            for event in self.events:
                if event["type"] == kind and all(event.get(key) == value for key, value in fields.items()):
                    self.events.remove(event)
                    return event
            return None

        event: Json | None = None

        def arrived() -> bool:
            nonlocal event
            event = found()
            return event is not None or self.close_code is not None

        try:
            async with self._arrived:
                await asyncio.wait_for(self._arrived.wait_for(arrived), within)
        except TimeoutError:
            seen = [event["type"] for event in self.events]
            raise AssertionError(f"no {kind} {fields or ''} within {within} s; there were {seen}") from None
        if event is None:
            raise Closed(self.close_code)
        return event

    async def closed(self, within: float = 10) -> int | None:
        """Wait for the server to close the socket; the close code."""
        async with self._arrived:
            await asyncio.wait_for(self._arrived.wait_for(lambda: self.close_code is not None), within)
        return self.close_code

    # --- shorthands

    async def ask(self, **fields: Any) -> str:
        request_id = str(fields.pop("request_id", None) or new_id())
        await self.command("help.ask", request_id=request_id, **fields)
        return request_id

    async def accept(self, offer_id: str, accept_id: str | None = None) -> Json:
        return await self.command("offer.accept", offer_id=offer_id, accept_id=accept_id or new_id())


async def caller(base: str, *languages: str, **fields: Any) -> Client:
    """A signed-in, connected caller."""
    client = await Client(base).sign_in()
    await client.profile("caller", languages or ("en",), **fields)
    return await client.connect()


async def volunteer(base: str, *languages: str, shift: bool = True, **fields: Any) -> Client:
    """A signed-in, connected volunteer, on shift."""
    client = await Client(base).sign_in()
    await client.profile("volunteer", languages or ("en",), **fields)
    await client.connect()
    if shift:
        await client.command("shift.start")
    return client
