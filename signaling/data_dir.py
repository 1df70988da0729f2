"""The folder where an installation keeps what it must not forget: its secret, and the embedded services' data."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from accounts.errors import VisavisError


class DataDirUnusable(VisavisError):
    """The folder cannot be made, or not be written in."""

    code = "data_dir_unusable"
    detail = (
        "visavis cannot use the folder %(path)s: %(reason)s. Give it to the user who runs visavis, or set DATA_DIR."
    )

    def __init__(self, path: Path, error: OSError) -> None:
        super().__init__(path=error.filename or path, reason=error.strerror or type(error).__name__)


def make(data_dir: Path) -> Path:
    """Make the folder if there is none, and return its absolute path. Raises `DataDirUnusable`.

    Nobody else can list it. When root makes it others may pass through, because the embedded database, which refuses
    to be root, lives in it; every file in it is closed by its own mode."""
    data_dir = data_dir.absolute()
    try:
        if os.geteuid() == 0:
            make_passable(data_dir)
        else:
            data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise DataDirUnusable(data_dir, error) from error
    return data_dir


def make_passable(folder: Path) -> None:
    """Make a folder that others may pass through but not list, whatever the umask. One that is there stays as it is."""
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o711)


def write_private(path: Path, content: bytes, *, keep: bool = False) -> None:
    """Write a file that only we can read; it appears whole or not at all. With `keep` a file that is there already
    stays, whoever was first. Raises `DataDirUnusable`."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600, O_EXCL
        draft = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            if keep:
                _link(draft, path)
            else:
                draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise DataDirUnusable(path.parent, error) from error


def _link(draft: Path, path: Path) -> None:
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        return
