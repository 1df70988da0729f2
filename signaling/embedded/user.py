"""As whom the services run. Postgres refuses to be root, and Valkey has no need to be."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

from signaling.embedded.process import User, run_as

NOBODY = 65_534
"""The number of `nobody` where no user has that name: the kernel's overflow uid."""


def servant(data: Path) -> User | None:
    """Who the services run as; None: as we are. Data that belong to somebody keep their owner."""
    if os.geteuid() != 0:
        return None
    owner = data.stat().st_uid if data.exists() else 0
    try:
        entry = pwd.getpwuid(owner) if owner else pwd.getpwnam("nobody")
    except KeyError:
        number = owner or NOBODY
        return User(number, number, str(number))
    return User(entry.pw_uid, entry.pw_gid, entry.pw_name)


def reaches(user: User | None, path: Path) -> bool:
    """Whether the user may enter this folder, or run this program. We ask the kernel as that user: modes are not all
    that counts, there are access lists and mounts as well."""
    return user is None or run_as(user, ["/bin/sh", "-c", 'test -x "$1"', "sh", str(path)]).returncode == 0
