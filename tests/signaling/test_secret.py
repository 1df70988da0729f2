"""The secret of an installation whose operator has set none."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from accounts.keys import Keyring
from signaling.data_dir import DataDirUnusable, write_private
from signaling.secret import SecretExposed, SecretUnusable, load_secret


def test_it_is_made_once_and_kept(tmp_path: Path) -> None:
    secret = load_secret(tmp_path / "new/var")
    assert load_secret(tmp_path / "new/var") == secret
    assert len(secret) >= 32
    assert len(set(secret)) > 16
    assert load_secret(tmp_path / "other") != secret
    assert Keyring(secret).current.kid == Keyring(load_secret(tmp_path / "new/var")).current.kid
    assert [path.name for path in (tmp_path / "new/var").iterdir()] == ["secret"], "no draft is left"


def test_nobody_else_can_read_it_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        load_secret(tmp_path / "var")
    finally:
        os.umask(before)
    assert (tmp_path / "var/secret").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "var").stat().st_mode & 0o066 == 0


def test_its_text_may_be_moved_to_the_environment(tmp_path: Path) -> None:
    assert (tmp_path / "secret").exists() is False
    secret = load_secret(tmp_path)
    assert (tmp_path / "secret").read_text().strip().encode() == secret
    assert secret.decode().isprintable()


def test_processes_that_start_at_once_agree(tmp_path: Path) -> None:
    """The one who writes it last must not win."""
    ask = (
        "import sys, pathlib, signaling.secret as s; sys.stdout.buffer.write(s.load_secret(pathlib.Path(sys.argv[1])))"
    )

    def process(_: int) -> bytes:
        return subprocess.run([sys.executable, "-c", ask, tmp_path / "var"], capture_output=True, check=True).stdout

    with ThreadPoolExecutor(4) as executor:
        assert len(set(executor.map(process, range(4)))) == 1


def test_a_late_writer_does_not_replace_what_is_there(tmp_path: Path) -> None:
    write_private(tmp_path / "secret", b"first", keep=True)
    write_private(tmp_path / "secret", b"second", keep=True)
    assert (tmp_path / "secret").read_bytes() == b"first"
    write_private(tmp_path / "secret", b"third")
    assert (tmp_path / "secret").read_bytes() == b"third"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_an_exposed_secret_is_refused(tmp_path: Path, mode: int) -> None:
    secret = load_secret(tmp_path)
    (tmp_path / "secret").chmod(mode)
    with pytest.raises(SecretExposed, match=f"mode {mode:o}.*chmod 600") as refused:
        load_secret(tmp_path)
    assert refused.value.code == "secret_exposed"
    assert secret.decode() not in str(refused.value)
    (tmp_path / "secret").chmod(0o600)
    assert load_secret(tmp_path) == secret


@pytest.mark.parametrize("content", [b"", b"\n", b"short"])
def test_a_file_without_a_secret_is_refused(tmp_path: Path, content: bytes) -> None:
    write_private(tmp_path / "secret", content)
    with pytest.raises(SecretUnusable) as refused:
        load_secret(tmp_path)
    assert refused.value.code == "secret_unusable"
    assert refused.value.data["found"] == len(content.strip())


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataDirUnusable, match="Not a directory"):
        load_secret(tmp_path / "file/var")
    (tmp_path / "secret").mkdir()
    with pytest.raises(DataDirUnusable, match="Is a directory"):
        load_secret(tmp_path)
