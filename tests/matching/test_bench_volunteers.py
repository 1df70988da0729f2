"""The benchmark's quick writer leaves what the index itself would have left."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlsplit

from matching.candidates import AT_ONCE, CandidateIndex, connect_index
from signaling.embedded.valkey import Valkey
from tests.bench import candidates
from tests.bench.volunteers import entries, filled

COUNT = 5000


async def contents(client: Any, key: bytes) -> dict[bytes, Any]:
    found: dict[bytes, Any] = {}
    async for name in client.scan_iter(match=key + b"*"):
        kind = await client.type(name)
        if kind == b"hash":
            found[name[len(key) :]] = await client.hgetall(name)
        elif kind == b"zset":
            found[name[len(key) :]] = await client.zrange(name, 0, -1, withscores=True)
        else:
            found[name[len(key) :]] = sorted(await client.lrange(name, 0, -1))
    return found


async def test_it_writes_what_placing_writes(flushable_redis: Valkey) -> None:
    client, now = await connect_index(flushable_redis.url), time.time()
    url = urlsplit(flushable_redis.url)
    await filled(("127.0.0.1", url.port or 0), url.password or "", b"quick:{en}:index", COUNT, now)
    index = CandidateIndex(client, "slow:")
    whole = list(entries(COUNT, now))
    for start in range(0, COUNT, AT_ONCE):
        await index._place("en", whole[start : start + AT_ONCE], True)
    quick, slow = await contents(client, b"quick:{en}:index"), await contents(client, b"slow:{en}:index")
    assert quick.keys() == slow.keys()
    assert quick == slow
    await client.aclose()


async def test_the_benchmark_measures() -> None:
    figures = await candidates.run((1000, 20_000), rounds=3)
    assert [figure["volunteers"] for figure in figures["candidates"]] == [1000, 20_000]
    assert all(0 < figure["bytes_per_volunteer"] <= 160 for figure in figures["candidates"])
    assert figures["ratio"] > 0
