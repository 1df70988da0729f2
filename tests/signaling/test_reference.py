"""The reference pages are what the code says today."""

from __future__ import annotations

from pathlib import Path

import pytest

from signaling.reference import pages

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reference"


@pytest.mark.parametrize("name", pages())
def test_a_page_is_current(name: str) -> None:
    assert (FOLDER / name).read_text() == pages()[name], "run: make reference"


def test_every_number_of_a_floor_has_its_line() -> None:
    settings = (FOLDER / "settings.md").read_text()
    for name in (
        "MATCHING_RING_TIME",
        "SESSION_HEARTBEAT",
        "RATING_AWARDS_A_DAY",
        "ACCOUNTS_CODE_TRIES",
        "DATABASE_URL",
    ):
        assert f"`{name}`" in settings
