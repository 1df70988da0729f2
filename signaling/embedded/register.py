"""`DATA_DIR/services.json`: what runs for this DATA_DIR and where, so that a second process finds it (`visavis` in
another terminal) and the next start can end what a crash has left."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from signaling.data_dir import DataDirUnusable, write_private
from signaling.embedded.leftovers import born, end

FILE = "services.json"


class ServiceUrls(msgspec.Struct, frozen=True):
    """Where the embedded services answer; None for one that is not embedded here."""

    database_url: str | None
    redis_url: str | None


class Process(msgspec.Struct, frozen=True):
    """A process, told from a later one with the same number by when it began."""

    pid: int
    born: int

    @property
    def alive(self) -> bool:
        return born(self.pid) == self.born


class Register(msgspec.Struct, frozen=True):
    """What the file says."""

    server: Process
    services: dict[str, Process]
    urls: ServiceUrls


def process(pid: int) -> Process:
    """A process that runs."""
    return Process(pid, born(pid) or 0)


def write(data_dir: Path, services: dict[str, Process], urls: ServiceUrls) -> None:
    """Say what runs. Only we can read it: the URLs hold passwords."""
    entry = Register(process(os.getpid()), services, urls)
    write_private(data_dir / FILE, msgspec.json.encode(entry))


def erase(data_dir: Path) -> None:
    """Nothing runs any more."""
    (data_dir / FILE).unlink(missing_ok=True)


def _read(data_dir: Path) -> Register | None:
    try:
        return msgspec.json.decode((data_dir / FILE).read_bytes(), type=Register)
    except (FileNotFoundError, NotADirectoryError, msgspec.MsgspecError):
        return None
    except OSError as error:
        raise DataDirUnusable(data_dir, error) from error


def running_services(data_dir: Path) -> ServiceUrls | None:
    """The services of a server that runs now with this DATA_DIR; None if none does, or one of its services has died.
    Raises `DataDirUnusable` if they are another user's."""
    entry = _read(data_dir)
    if entry is None or not entry.server.alive or not all(service.alive for service in entry.services.values()):
        return None
    return entry.urls


async def end_leftovers(data_dir: Path) -> None:
    """End services whose server is gone. Call it only while no server runs here."""
    entry = _read(data_dir)
    for service in entry.services.values() if entry else ():
        await end(service.pid, service.born)
    erase(data_dir)
