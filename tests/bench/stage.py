"""The stage of a benchmark: real services, one server process pinned to a core, many light clients on another."""

from __future__ import annotations

import asyncio
import os
import resource
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import msgspec

from accounts import store, tokens
from accounts.keys import Keyring
from accounts.model import new_id
from signaling.migrate import migrate
from tests import parts
from tests.client import SUBPROTOCOL
from tests.house import SECRET
from tests.processes import ServerProcess, server_process

Json = dict[str, Any]


@asynccontextmanager
async def stage(**environ: str) -> AsyncIterator[tuple[ServerProcess, str]]:
    """A server process on core 0, this process on core 1 (where there are two), and the database's URL."""
    cores = sorted(os.sched_getaffinity(0))
    async with parts.services(durable=True) as services:
        assert services.database_url is not None
        assert services.redis_url is not None
        await migrate(services.database_url)
        async with server_process(services.database_url, services.redis_url, "bench:", **environ) as server:
            if len(cores) > 1:
                os.sched_setaffinity(server.pid, {cores[0]})
                os.sched_setaffinity(0, {cores[1]})
            try:
                yield server, services.database_url
            finally:
                os.sched_setaffinity(0, set(cores))


class Light:
    """A client with as little of its own as can be, so that the server is what is measured."""

    def __init__(self, http: aiohttp.ClientSession, base: str, token: str, person: str) -> None:
        self._http = http
        self._base = base
        self._token = token
        self.person = person
        self.socket: aiohttp.ClientWebSocketResponse | None = None
        self._number = 0

    async def connect(self) -> None:
        headers = {"Authorization": f"Bearer {self._token}"}
        async with self._http.post(self._base + "/v1/socket-ticket", headers=headers) as response:
            ticket = msgspec.json.decode(await response.read())["ticket"]
        url = self._base.replace("http", "ws", 1) + "/v1/socket"
        self.socket = await self._http.ws_connect(url, protocols=(SUBPROTOCOL,), max_msg_size=0)
        await self.send({"type": "hello", "ticket": ticket})
        await self.hear("welcome")

    async def send(self, frame: Json) -> None:
        assert self.socket is not None
        if frame["type"] != "hello":
            self._number += 1
            frame["id"] = str(self._number)
        await self.socket.send_str(msgspec.json.encode(frame).decode())

    async def next(self) -> Json:
        assert self.socket is not None
        return dict(msgspec.json.decode((await self.socket.receive()).data))

    async def hear(self, kind: str) -> Json:
        """The next frame of that type; others are passed over."""
        while True:
            frame = await self.next()
            if frame["type"] == kind:
                return frame
            if frame["type"] == "problem":
                raise AssertionError(frame)


async def people(database_url: str, base: str, http: aiohttp.ClientSession, role: str, count: int) -> list[Light]:
    """So many signed-in people, made in the database: signing in is not what is measured."""
    keys, made = Keyring(SECRET.encode()), []
    connection = await asyncpg.connect(database_url)
    try:
        for _ in range(count):
            person, family = new_id(), new_id()
            await connection.execute(
                "INSERT INTO accounts.person (id, email, role, languages, adult, consent, completed_at)"
                " VALUES ($1, $2, $3, '{en}', true, 'x', now())",
                person,
                f"{person}@visavis.test",
                role,
            )
            await store.add_family(connection, family, person, b"s" * 16, 86_400)
            token = tokens.issue_access(keys, tokens.Access(person, family, 1), time.time(), 3600)
            made.append(Light(http, base, token, str(person)))
    finally:
        await connection.close()
    return made


async def connect_all(lights: Sequence[Light], at_once: int = 50) -> None:
    for start in range(0, len(lights), at_once):
        await asyncio.gather(*(light.connect() for light in lights[start : start + at_once]))


class Cpu:
    """CPU seconds of the server process and of this one between two moments."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._start = (time.perf_counter(), self._server(), self._own())

    def _server(self) -> float:
        fields = Path(f"/proc/{self._pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _own(self) -> float:
        used = resource.getrusage(resource.RUSAGE_SELF)
        return used.ru_utime + used.ru_stime

    def spent(self) -> tuple[float, float, float]:
        """Seconds that passed, of the server's CPU, and the share of a core that the load took."""
        passed = time.perf_counter() - self._start[0]
        return passed, self._server() - self._start[1], (self._own() - self._start[2]) / passed


def memory(pid: int) -> int:
    """Bytes of memory that a process holds for itself."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss_Anon:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("this kernel does not tell a process's memory")


def spread(values: Sequence[float], digits: int = 1) -> Json:
    """Minimum, median and maximum."""
    return {
        "min": round(min(values), digits),
        "median": round(statistics.median(values), digits),
        "max": round(max(values), digits),
    }
