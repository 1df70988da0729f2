"""The search for the policy's numbers: on worlds of its own, judged by the goal."""

from __future__ import annotations

import json

import msgspec
import pytest

from matching.settings import MatchingSettings
from matching.simulator import search
from matching.simulator.search import RANGES, excess, training_worlds
from matching.simulator.world import World
from tests.simulator.test_cells import cell


def test_training_worlds_are_alike_for_everybody_and_none_is_reported() -> None:
    worlds = training_worlds(8, 100)
    assert worlds == training_worlds(8, 100)
    assert all(world.checked("drawn") != World() for world, _ in worlds)
    assert {p for _, p in worlds} == set(search.CHANCES)


def test_every_number_of_the_search_is_a_setting() -> None:
    assert RANGES.keys() <= set(MatchingSettings.__struct_fields__)
    assert all(low <= getattr(MatchingSettings(), name) <= high for name, (low, high) in RANGES.items())


def test_only_what_misses_the_goal_counts_much() -> None:
    rival = cell("B1", p95=100, alerts=20, late=0.5, first_call_30d=0.3)
    good = cell("visavis", p95=35, alerts=6, late=0.4, first_call_30d=0.4)
    assert excess(good, [rival]) < 0.1
    for worse in ({"p95": 60.0}, {"alerts": 12.0}, {"late": 0.9}, {"first_call_30d": 0.15}):
        assert excess(msgspec.structs.replace(good, **worse), [rival]) > 0.15


def test_it_prints_each_better_choice(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(search, "POOL", 60)
    monkeypatch.setattr("sys.argv", ["search", "--worlds", "1", "--requests", "20", "--tries", "3"])
    search.main()
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert found[0]["choice"].keys() == RANGES.keys()
    assert [each["excess"] for each in found] == sorted((each["excess"] for each in found), reverse=True)
