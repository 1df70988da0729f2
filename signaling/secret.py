"""The master secret of an installation whose operator has set none."""

from __future__ import annotations

import secrets
from pathlib import Path

from accounts.errors import VisavisError
from signaling.data_dir import DataDirUnusable, make, write_private

FILE = "secret"
BYTES = 48
LEAST = 32


class SecretExposed(VisavisError):
    """Somebody else on this machine can read the secret, and may have."""

    code = "secret_exposed"
    detail = (
        "Other users of this machine can read %(path)s (mode %(mode)s), from which all keys are made. Run “chmod 600 "
        "%(path)s”. If somebody may have read it, delete the file instead: everybody then has to sign in again."
    )


class SecretUnusable(VisavisError):
    """The file is there, but no secret in it."""

    code = "secret_unusable"
    detail = (
        "%(path)s holds %(found)s bytes instead of %(least)s or more. Bring the file back from a backup, or delete it: "
        "a new secret is then made and everybody has to sign in again."
    )


def load_secret(data_dir: Path) -> bytes:
    """The secret in DATA_DIR, made at the first call; the same for every process that asks. Its text may be moved to
    SECRET_KEY as it is. Raises `SecretExposed`, `SecretUnusable` and `DataDirUnusable`."""
    path = make(data_dir) / FILE
    try:
        if not path.exists():
            write_private(path, secrets.token_urlsafe(BYTES).encode() + b"\n", keep=True)
        mode = path.stat().st_mode & 0o777
        secret = path.read_bytes().strip()
    except OSError as error:
        raise DataDirUnusable(data_dir, error) from error
    if mode & 0o077:
        raise SecretExposed(path=path, mode=f"{mode:o}")
    if len(secret) < LEAST:
        raise SecretUnusable(path=path, found=len(secret), least=LEAST)
    return secret
