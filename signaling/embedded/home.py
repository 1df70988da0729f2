"""Where the embedded database lives: in DATA_DIR, or where the user it runs as can get at it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import structlog

from signaling.data_dir import make_passable
from signaling.embedded import wheels
from signaling.embedded.errors import DatabaseGone, OutOfReach
from signaling.embedded.process import User
from signaling.embedded.user import reaches

log = structlog.get_logger()


def at_hand(data_dir: Path) -> Path:
    """The usual place; or a link to `elsewhere`."""
    return data_dir / "postgres"


def elsewhere(data_dir: Path) -> Path:
    """The place for a DATA_DIR that is closed to others, such as one in root's own checkout (mode 700)."""
    return wheels.SYSTEM_HOME / hashlib.sha256(os.fsencode(data_dir.resolve())).hexdigest()[:12]


def settle(data_dir: Path, user: User | None) -> Path:
    """The folder of the database, made if need be. Nobody's folders are opened for it. Raises `OutOfReach`,
    `DatabaseGone` or OSError."""
    here = at_hand(data_dir)
    if here.is_symlink():
        if not here.exists():
            raise DatabaseGone(link=here, path=os.readlink(here))
        return here.resolve()
    if user is None or reaches(user, data_dir):
        make_passable(here)
    elif not here.exists():
        return _settle_elsewhere(data_dir, user)
    if user is not None and not reaches(user, here):
        raise OutOfReach(path=here, user=user.name)
    return here


def _settle_elsewhere(data_dir: Path, user: User) -> Path:
    home = elsewhere(data_dir)
    make_passable(wheels.SYSTEM_HOME)
    if home.exists():
        _set_aside(home)
    make_passable(home)
    at_hand(data_dir).symlink_to(home)
    log.warning("embedded.database_elsewhere", path=str(home), why=f"{user.name} cannot enter {data_dir}")
    return home


def _set_aside(home: Path) -> None:
    """The DATA_DIR it belonged to was deleted. Whoever did that wants an empty database, and may be wrong."""
    count = 1
    while (aside := home.with_name(f"{home.name}.{count}")).exists():
        count += 1
    home.rename(aside)
    log.warning("embedded.database_set_aside", path=str(aside), why="its DATA_DIR is gone")
