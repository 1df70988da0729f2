"""`match`: ask, three rings, the first accept wins, `call.begin` on both sockets, hang up. Everything through Redis and
Postgres, with fsync on."""

from __future__ import annotations

import asyncio
import statistics
import time
import uuid

import aiohttp

from tests.bench.stage import Cpu, Json, Light, connect_all, people, spread, stage

CALLERS = 24
VOLUNTEERS = 96
ROUNDS = 5
SECONDS = 4.0


async def call_again_and_again(asker: Light, until: float, waits: list[float]) -> None:
    while time.perf_counter() < until:
        started = time.perf_counter()
        await asker.send({"type": "help.ask", "request_id": str(uuid.uuid4())})
        begun = await asker.hear("call.begin")
        waits.append(time.perf_counter() - started)
        await asker.send({"type": "call.end", "call_id": begun["call_id"]})
        await asker.hear("call.ended")


async def accept_always(helper: Light) -> None:
    while True:
        frame = await helper.next()
        if frame["type"] == "offer.ring":
            offer_id = frame["offer_id"]
            await helper.send({"type": "offer.accept", "offer_id": offer_id, "accept_id": offer_id})


async def run() -> Json:
    """Matches a second of one server process, and milliseconds from the ask to `call.begin`."""
    async with (
        stage() as (server, database_url),
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http,
    ):
        askers = await people(database_url, server.base, http, "caller", CALLERS)
        helpers = await people(database_url, server.base, http, "volunteer", VOLUNTEERS)
        await connect_all([*askers, *helpers])
        for helper in helpers:
            await helper.send({"type": "shift.start"})
            await helper.hear("ok")
        accepting = [asyncio.create_task(accept_always(helper)) for helper in helpers]
        rates, medians, tails, load, cpu = [], [], [], [], []
        for _ in range(ROUNDS):
            waits: list[float] = []
            spent = Cpu(server.pid)
            until = time.perf_counter() + SECONDS
            await asyncio.gather(*(call_again_and_again(asker, until, waits) for asker in askers))
            passed, server_cpu, share = spent.spent()
            rates.append(len(waits) / passed)
            medians.append(statistics.median(waits) * 1000)
            tails.append(statistics.quantiles(waits, n=100)[98] * 1000)
            cpu.append(server_cpu / len(waits) * 1e6)
            load.append(share)
        for task in accepting:
            task.cancel()
        return {
            "matches_per_second": spread(rates),
            "p50_ms": spread(medians),
            "p99_ms": spread(tails),
            "server_cpu_us_per_match": spread(cpu, 0),
            "load_cpu_share": spread(load, 2),
        }
