"""World files: every figure can be set, and what cannot be is refused with a word on why."""

from __future__ import annotations

from pathlib import Path

import pytest

from matching.simulator.world import World, WorldInvalid, Zone, load


def written(folder: Path, text: str, name: str = "world.json") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_what_a_file_does_not_name_has_its_default(tmp_path: Path) -> None:
    assert load(written(tmp_path, "{}")) == World()
    assert load(written(tmp_path, '{"delay_median": 8}')) == World(delay_median=8.0)
    toml = "patient = true\nzones = [{share = 1, ahead = 5.5}]\n"
    assert load(written(tmp_path, toml, "world.toml")) == World(patient=True, zones=(Zone(1.0, 5.5),))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"delay_medain": 8}', "unknown field `delay_medain`"),
        ('{"delay_median": 0}', "delay_median"),
        ('{"delay_median": -3}', "delay_median"),
        ('{"delay_median": "soon"}', "delay_median"),
        ('{"delay_median": 1e400}', "delay_median"),
        ('{"failure": 1.5}', "failure"),
        ('{"hours": [1, 2, 3]}', "hours"),
        ('{"zones": []}', "zones"),
        ('{"zones": [{"share": 0.5, "ahead": 0}]}', "add up to 1"),
        ('{"zones": [{"share": 1, "ahead": 99}]}', "ahead"),
        ('{"quiet": [{"share": 1, "start": 24, "end": 8}]}', "start"),
        ('{"unlock_least": 9, "unlock_most": 3}', "unlock_least"),
        ('{"demand": [' + ", ".join(["0"] * 24) + "]}", "nobody ever calls"),
        ('{"days": 0}', "days"),
        ("{", "cannot be read"),
        ("[]", "object"),
        ("", "cannot be read"),
    ],
)
def test_an_impossible_world_is_refused(text: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(WorldInvalid) as refused:
        load(written(tmp_path, text))
    assert why in str(refused.value)
    assert "world.json" in str(refused.value)
    assert refused.value.code == "world_invalid"


@pytest.mark.parametrize("text", ["x = ", "delay_median = nan", "delay_median = inf"])
def test_an_impossible_toml_too(text: str, tmp_path: Path) -> None:
    with pytest.raises(WorldInvalid):
        load(written(tmp_path, text, "world.toml"))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(WorldInvalid, match="cannot be read"):
        load(tmp_path / "none.json")
    with pytest.raises(WorldInvalid, match="cannot be read"):
        load(tmp_path)
