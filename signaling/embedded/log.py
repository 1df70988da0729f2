"""The files the services log into: begun anew when large, and quoted when a service fails."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO

LARGE = 10 * 1024 * 1024


def open_log(path: Path) -> IO[bytes]:
    """A log only we can read, opened at its end. A large one becomes `NAME.1` and a new one begins."""
    if path.exists() and path.stat().st_size > LARGE:
        path.replace(path.with_name(f"{path.name}.1"))
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600), "ab")


def last_lines(log: Path, lines: int = 12, within: int = 16_384) -> str:
    """The end of a log file; a sentence in its place if it cannot be read."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - within))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
    except OSError as error:
        return f"(no log at {log}: {error.strerror})"
