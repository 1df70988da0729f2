"""What `visavis doctor` says about push."""

from __future__ import annotations

from pathlib import Path

from signaling.doctor import _push
from signaling.settings import read

GOOD = {"PUBLIC_URL": "https://visavis.example", "SECRET_KEY": "s" * 40}


def test_the_key_is_tried(tmp_path: Path) -> None:
    assert _push(read(GOOD)).state == "good"
    assert _push(read(GOOD | {"MAIL_FROM": "us@localhost"})).state == "note"
    assert _push(read({"SECRET_KEY": "s" * 40}, development=True)).state == "note"


def test_nothing_is_made_by_looking(tmp_path: Path) -> None:
    settings = read({"DATA_DIR": str(tmp_path / "var")}, development=True)
    assert _push(settings).state == "note"
    assert not (tmp_path / "var").exists()
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "secret").write_text("short")
    assert _push(settings).state == "bad"
