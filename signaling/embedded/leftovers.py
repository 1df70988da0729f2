"""What a crash leaves running: found, proved to be ours, and ended before anything new begins."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

from signaling.embedded.process import comes_true

PROC = Path("/proc")


def born(pid: int) -> int | None:
    """When the process began (in ticks since the machine did), which tells it from a later one with the same number;
    0 where the system does not say. None if there is no such process, or only its zombie."""
    if not PROC.joinpath("self").exists():
        return 0 if _exists(pid) else None
    try:
        state, *fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if state in "ZX" else int(fields[18])


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it does, and is somebody else's
    return True


async def end(pid: int, birth: int) -> None:
    """End this very process, if it still lives."""
    for number, patience in ((signal.SIGTERM, 5), (signal.SIGKILL, 5)):
        if born(pid) != birth:
            return
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        await comes_true(lambda: born(pid) != birth, patience)


def postgres_of(data: Path) -> list[int]:
    """Every Postgres process of this data folder. All of them work in it, which /proc shows; elsewhere we find the
    first of them, whom its pid file names."""
    if not PROC.joinpath("self").exists():
        master = _postmaster(data)
        return [master] if master is not None and _is_postgres(master) else []
    try:
        wanted = data.stat()
    except FileNotFoundError:
        return []
    found = []
    for folder in PROC.glob("[0-9]*"):
        with suppress(OSError):  # ended meanwhile, or not ours to look at
            if (folder / "comm").read_text() != "postgres\n":
                continue
            place = (folder / "cwd").stat()
            if (place.st_dev, place.st_ino) == (wanted.st_dev, wanted.st_ino):
                found.append(int(folder.name))
    return found


def _postmaster(data: Path) -> int | None:
    try:
        return int(data.joinpath("postmaster.pid").read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None


def _is_postgres(pid: int) -> bool:
    listed = subprocess.run(["ps", "-o", "comm=", "-p", str(pid)], capture_output=True, check=False)  # noqa: S603, S607
    return Path(listed.stdout.decode().strip()).name == "postgres"


async def end_postgres(data: Path) -> list[int]:
    """End a Postgres that still serves this data folder, and take away the pid file of a dead one: the number in it may
    be somebody else's by now, and Postgres would refuse to start. Returns the pids that were found running."""
    found = postgres_of(data)
    master = _postmaster(data)
    # SIGINT means “shut down fast” to the first process only: to its children it means something else.
    gently = [(signal.SIGINT, 15)] if master in found else []
    for number, patience in (*gently, (signal.SIGQUIT, 5), (signal.SIGKILL, 10)):
        for pid in postgres_of(data):
            if number != signal.SIGINT or pid == master:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
        if await comes_true(lambda: not postgres_of(data), patience):
            data.joinpath("postmaster.pid").unlink(missing_ok=True)
            break
    return found
