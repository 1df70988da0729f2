"""`connections`: the memory of an idle volunteer on shift, heartbeats on."""

from __future__ import annotations

import asyncio

import aiohttp

from tests.bench.stage import Json, connect_all, memory, people, spread, stage

STEP = 1000
ROUNDS = 3


async def run() -> Json:
    """Kilobytes of the server's memory for each further idle volunteer."""
    async with (
        stage() as (server, database_url),
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http,
    ):
        each = []
        # The first ones pay for what every server needs once.
        await connect_all(await people(database_url, server.base, http, "volunteer", 200))
        kept = []
        for _ in range(ROUNDS):
            helpers = await people(database_url, server.base, http, "volunteer", STEP)
            await asyncio.sleep(2)
            before = memory(server.pid)
            await connect_all(helpers)
            for helper in helpers:
                await helper.send({"type": "shift.start"})
                await helper.hear("ok")
            await asyncio.sleep(2)
            each.append((memory(server.pid) - before) / STEP / 1024)
            kept.append(helpers)
        return {"volunteers": ROUNDS * STEP, "kB_each": spread(each)}
