"""Processes that serve us: started so that they die with us, and stopped in order."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, NamedTuple

BECOME = Path(__file__).with_name("become.py")
GLANCE = 0.02
"""Seconds between two looks at something that does not report by itself."""


class User(NamedTuple):
    """An unprivileged user."""

    uid: int
    gid: int
    name: str


def _command(user: User | None, argv: Sequence[str], farewell: signal.Signals) -> list[str]:
    uid, gid = (-1, -1) if user is None else (user.uid, user.gid)
    return [sys.executable, "-I", "-S", str(BECOME), str(int(farewell)), str(os.getpid()), str(uid), str(gid), *argv]


def _environment() -> dict[str, str]:
    """Ours holds secrets, and none of them is a service's business."""
    return {"PATH": os.defpath, "LC_ALL": "C"}


def run_as(user: User | None, argv: Sequence[str]) -> subprocess.CompletedProcess[bytes]:
    """Run a program to its end; all it said is in `stdout`."""
    return subprocess.run(  # noqa: S603 (the programs are ours)
        _command(user, argv, signal.SIGTERM),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=_environment(),
        cwd="/",
        start_new_session=True,
        check=False,
    )


class Child:
    """A service that runs. It has a session of its own, so that a Ctrl-C in our terminal reaches only us, and a
    farewell: the signal that the kernel sends it when we die. (When the thread dies that started it, to be exact: so
    start it from the main one.)"""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        user: User | None,
        log: IO[bytes],
        farewell: signal.Signals,
        stdin: bytes = b"",
    ) -> None:
        self._process = subprocess.Popen(  # noqa: S603 (the programs are ours)
            _command(user, argv, farewell),
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=_environment(),
            cwd="/",
            start_new_session=True,
        )
        assert self._process.stdin is not None
        with suppress(BrokenPipeError), self._process.stdin as pipe:  # it may have failed already; its log says why
            pipe.write(stdin)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    async def stop(self, *steps: tuple[signal.Signals, float]) -> None:
        """Send each signal in turn and give the service its seconds to end; at last SIGKILL."""
        for number, patience in (*steps, (signal.SIGKILL, 10.0)):
            if self.returncode is None:
                self._process.send_signal(number)
            if await comes_true(lambda: self.returncode is not None, patience):
                return


async def comes_true(what: Callable[[], bool], patience: float) -> bool:
    """Whether it is true now or becomes true within `patience` seconds."""
    until = time.monotonic() + patience
    while not what():
        if time.monotonic() >= until:
            return False
        await asyncio.sleep(GLANCE)
    return True


def free_port() -> int:
    """A loopback port that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
