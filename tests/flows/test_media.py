"""Calls with real media between two peers: through one node, through two, and through the death of a node."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator

import pytest

from accounts.postgres import Pool
from tests.flows.conftest import Make
from tests.flows.test_one_call import matched
from tests.house import Server
from tests.peers import connect, on_loopback
from tests.processes import server_process


@pytest.fixture(autouse=True)
def loopback() -> Iterator[None]:
    with on_loopback():
        yield


async def test_video_one_way_and_audio_both(nodes: list[Server], caller: Make, volunteer: Make) -> None:
    asker, helper = await caller(nodes[0].base), await volunteer(nodes[1].base)
    call_id = await matched(asker, helper)
    seen, seeing = await connect(asker, helper, call_id)
    try:
        assert seen.frames["video"] == 0
        await asker.command("call.end", call_id=call_id)
        await helper.expect("call.ended")
    finally:
        await seen.close()
        await seeing.close()


async def test_a_server_killed_in_mid_call_while_video_goes_on(
    database_url: str, redis_url: str, prefix: str, pool: Pool, caller: Make, volunteer: Make
) -> None:
    async with (
        server_process(database_url, redis_url, prefix) as first,
        server_process(database_url, redis_url, prefix) as second,
    ):
        asker, helper = await caller(first.base), await volunteer(first.base)
        call_id = await matched(asker, helper)
        seen, seeing = await connect(asker, helper, call_id)
        try:
            await first.kill()
            assert await asker.closed(5) is not None
            await seeing.receives("video", 10)
            for side in (asker, helper):
                side.base = second.base
                await side.connect(resume=True)
                assert side.welcome["state"]["call"]["call_id"] == call_id
            assert helper.welcome["state"]["shift"] is True
            await seeing.receives("video", 10)
            await helper.command("call.text", call_id=call_id, text="still here")
            assert (await asker.expect("call.text"))["text"] == "still here"
            # The dead node is buried, and nobody is taken for gone with it.
            await asyncio.sleep(7)
            assert await pool.fetchval("SELECT state FROM matching.call") == "connected"
            await asker.command("call.end", call_id=call_id)
            assert (await helper.expect("call.ended"))["reason"] == "done"
        finally:
            await seen.close()
            await seeing.close()
        other = await caller(second.base)
        await other.ask()
        await helper.expect("offer.ring")


async def test_a_server_ends_in_good_order(database_url: str, redis_url: str, prefix: str, caller: Make) -> None:
    async with server_process(database_url, redis_url, prefix) as only:
        asker = await caller(only.base)
        only.signal(signal.SIGTERM)
        assert (await asker.expect("bye"))["action"] == "resume"
        assert await asker.closed() == 1012
        assert await only.ended() == 0
        assert "Traceback" not in only.log()
