"""Whoever is cancelled stops, whatever the cache's client does with it."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from accounts import cancellation
from matching.board import Board, connect


async def swallow(done: asyncio.Event) -> None:
    """What `asyncio.wait_for` does before Python 3.12 if it is cancelled as its awaitable ends."""
    try:
        await done.wait()
    except asyncio.CancelledError:
        return


async def test_a_swallowed_cancellation_is_raised_at_the_end_of_the_block() -> None:
    begun = asyncio.Event()

    async def work() -> str:
        with cancellation.kept():
            begun.set()
            await swallow(asyncio.Event())
        return "went on"

    task = asyncio.create_task(work())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_what_a_cancelled_task_does_to_clean_up_is_done() -> None:
    begun = asyncio.Event()

    async def work() -> str:
        try:
            begun.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            with cancellation.kept():
                await asyncio.sleep(0)
        return "cleaned up"

    task = asyncio.create_task(work())
    await begun.wait()
    task.cancel()
    assert await task == "cleaned up"


async def test_the_board_keeps_every_cancellation(redis_url: str, prefix: str) -> None:
    client = await connect(redis_url)
    board = Board(client, "node", prefix)
    people = [uuid4(), uuid4()]

    async def work() -> None:
        while True:
            await board.nodes()
            await board.present(people)
            await board.silent_nodes(5)

    for step in range(100):
        task = asyncio.create_task(work())
        for _ in range(step):
            await asyncio.sleep(0)
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=5)
        assert done, f"cancelled at step {step}, it works on"
    await client.aclose()
