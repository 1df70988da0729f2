"""Cancellation that a library has swallowed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def kept() -> Iterator[None]:
    """Raises `CancelledError` at the end of the block if this task was cancelled within it and goes on nevertheless.

    Before Python 3.12 `asyncio.wait_for` drops a cancellation that comes in the moment when its awaitable is done, and
    redis-py waits with it at every write. A loop that is told to stop just then would work on for ever."""
    task = asyncio.current_task()
    before = task.cancelling() if task else 0
    try:
        yield
    finally:
        if task is not None and task.cancelling() > before:
            raise asyncio.CancelledError
