"""`candidates`: picking a wave from 1,000, 100,000 and 10,000,000 sleeping volunteers, and the memory of each."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import urlsplit

from matching.candidates import CandidateIndex, connect_index
from matching.model import Candidate
from matching.placement import Band, Place
from signaling.embedded.valkey import Valkey
from tests import parts
from tests.bench.stage import Json, spread
from tests.bench.volunteers import filled

SIZES = (1_000, 100_000, 10_000_000)
ROUNDS = 600
WARM = 20
AT_MOST = 128
PREFIX = "bench:"
LANGUAGE = "en"


class Pool:
    """So many volunteers in a Valkey of their own."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.bytes_each = 0.0
        self.filled_in = 0.0
        self.first_waits: list[float] = []
        """Picks of volunteers whom nobody has looked at for long: from memory that no processor has at hand."""
        self.waits: list[float] = []
        """Picks of the same ones again."""

    async def fill(self, stack: AsyncExitStack, valkey: Valkey) -> None:
        client: Any = await connect_index(valkey.url)
        stack.push_async_callback(client.aclose)
        await client.config_set("maxmemory", 0)
        self.index = CandidateIndex(client, PREFIX)
        url = urlsplit(valkey.url)
        address, key = ("127.0.0.1", url.port or 0), f"{PREFIX}{{{LANGUAGE}}}:index".encode()
        # Once for nothing: what a server that is used at all needs for itself is not the index.
        await filled(address, url.password or "", key, SIZES[0], time.time())
        await client.execute_command("FLUSHALL", "SYNC")  # Valkey would free it later, in the middle of the measurement
        before = await used(client)
        began = time.monotonic()
        await filled(address, url.password or "", key, self.size, time.time())
        self.filled_in = time.monotonic() - began
        self.bytes_each = (await used(client) - before) / self.size

    async def pick(self) -> None:
        found: list[Candidate] = []
        for waits in (self.first_waits, self.waits):
            began = time.perf_counter()
            found = await self.index.pick(LANGUAGE, AT_MOST)
            waits.append((time.perf_counter() - began) * 1000)
            assert len(found) == AT_MOST
        # All of them are rung and go to the end of a line, so that the next ones come from memory nobody has just read.
        now = time.time()
        rung = [
            Place(
                id=candidate.id,
                stands=frozenset({LANGUAGE}),
                band=Band(number % len(Band)),
                evidence=candidate.evidence,
                last_rung=now,
                look_at=now + 86_400,
                until=now + 2 * 86_400,
            )
            for number, candidate in enumerate(found)
        ]
        await self.index.place(rung, now)


async def used(client: Any) -> int:
    """Bytes the cache uses, once every connection but this one is closed."""
    async with asyncio.timeout(10):
        while (await client.info("clients"))["connected_clients"] > 1:  # noqa: ASYNC110 (nobody tells)
            await asyncio.sleep(0.01)
    return int((await client.info("memory"))["used_memory"])


async def run(sizes: Sequence[int] = SIZES, rounds: int = ROUNDS) -> Json:
    """Milliseconds to pick, in Python and by the socket, and bytes of the cache for each volunteer. All are awake: who
    sleeps takes half as much. One asks and one answers, by turns: nothing is pinned to a core."""
    async with AsyncExitStack() as stack:
        pools = [Pool(size) for size in sizes]
        for pool in pools:
            await pool.fill(stack, await stack.enter_async_context(parts.own_valkey()))
        gc.collect()
        for number in range(WARM + rounds):
            for pool in pools:
                await pool.pick()
                if number < WARM:
                    pool.waits.clear()
                    pool.first_waits.clear()
        figures: list[Json] = [
            {
                "volunteers": pool.size,
                "pick_ms": measured(pool.waits),
                "first_pick_ms": measured(pool.first_waits),
                "bytes_per_volunteer": round(pool.bytes_each, 1),
                "filled_in_s": round(pool.filled_in, 1),
            }
            for pool in pools
        ]
    smallest, largest = figures[0], figures[-1]
    return {
        "candidates": figures,
        "ratio": round(largest["pick_ms"]["median"] / smallest["pick_ms"]["median"], 2),
        "first_ratio": round(largest["first_pick_ms"]["median"] / smallest["first_pick_ms"]["median"], 2),
    }


def measured(waits: list[float]) -> Json:
    """The spread of milliseconds, and what 95 of 100 do not exceed."""
    return spread(waits, 3) | {"p95": round(sorted(waits)[len(waits) * 95 // 100], 3)}
