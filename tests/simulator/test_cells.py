"""The simulated town: its baseline gives the published figures, its policy keeps the hard limits, its seed decides."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from matching.settings import MatchingSettings
from matching.simulator import verdict
from matching.simulator.cells import POLICIES, Cell, run
from matching.simulator.grid import PUBLISHED_FIGURES, Asked, cells, check_b1
from matching.simulator.plot import svg
from matching.simulator.town import START, Town
from matching.simulator.world import PUBLISHED, Quiet, World, Zone

PLAIN = MatchingSettings()
SMALL = World(requests=60, days=10)


def one(world: World, policy: str, **place: Any) -> list[Cell]:
    whole: dict[str, Any] = {"p": 0.1, "pool": 300, "load": "calm", "seed": 3} | place
    return run(world, whole["p"], whole["pool"], whole["load"], whole["seed"], policy, PLAIN)


def test_b1_gives_the_published_figures() -> None:
    """Within a tenth of the ranges that an independent run gave for median delays of 8 to 15 seconds."""
    far = []
    for p, delay, cell in check_b1(requests=2_500):
        for name, (low, high) in PUBLISHED_FIGURES[p].items():
            value = getattr(cell, name)
            if not low * 0.9 <= value <= high * 1.1:
                far.append((p, delay, name, value))
    assert far == []


def test_the_check_would_see_a_wrong_b1() -> None:
    slower = msgspec.structs.replace(PUBLISHED, requests=500, unlock_least=12.0, unlock_most=12.0)
    slow = run(slower, 0.2, 1_000, "calm", 1, "B1", PLAIN, ("day",))[0]
    assert slow.p50 is not None
    assert slow.p50 > PUBLISHED_FIGURES[0.2]["p50"][1] * 1.1


@pytest.mark.parametrize("policy", POLICIES)
def test_the_same_seed_is_the_same_town(policy: str) -> None:
    assert one(SMALL, policy) == one(SMALL, policy)
    assert one(SMALL, policy) != one(SMALL, policy, seed=4)


@pytest.mark.parametrize("policy", ["visavis", "B1", "B6"])
def test_every_policy_meets_the_same_callers(policy: str) -> None:
    assert [cell.requests for cell in one(SMALL, policy)] == [cell.requests for cell in one(SMALL, "B2")]


worlds = st.builds(
    World,
    spread=st.sampled_from([0.0, 0.3, 2.0]),
    delay_median=st.floats(2, 30),
    on_page=st.sampled_from([0.0, 0.05]),
    tired_by=st.floats(0, 0.9),
    remembered=st.floats(0, 20),
    newcomers=st.floats(0, 1),
    zones=st.sampled_from([(Zone(1.0, 0),), (Zone(0.5, 9.5), Zone(0.5, -14)), World().zones]),
    quiet=st.sampled_from([(Quiet(1.0, 22, 8),), (Quiet(0.5, 9, 17), Quiet(0.5, 0, 0)), World().quiet]),
    alerts_per_day=st.integers(0, 3),
    requests_a_day=st.floats(0.005, 0.1),
    failure=st.floats(0, 0.5),
    withdraw_push=st.floats(0, 20),
    days=st.just(3),
    requests=st.just(1),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(world=worlds, p=st.floats(0.01, 0.6), pool=st.integers(1, 150), load=st.sampled_from(["calm", "burst"]))
def test_in_no_world_is_anybody_rung_in_quiet_hours_or_over_budget(
    world: World, p: float, pool: int, load: str
) -> None:
    for cell in one(world, "visavis", p=p, pool=pool, load=load):
        assert cell.quiet_rings == 0
        assert cell.over_budget == 0
        assert 0 <= cell.answered <= 1


def test_the_baselines_know_no_quiet_hours() -> None:
    """So the law above can fail: the same count sees what the 2016 server did."""
    night = next(cell for cell in one(SMALL, "B1") if cell.hour == "night")
    assert night.quiet_rings > 0


def test_a_ring_in_bulk_is_a_ring() -> None:
    """`ring_many` is `ring`, faster: the same share taps, after the same time."""
    world = World(rest=0.0)
    bulk, single = (Town(world, 0.3, 4_000, (1,)) for _ in range(2))
    noon = START + 12 * 3600
    taps, delays, _ = bulk.ring_many(bulk.past_rings * 0 + range(4_000), noon)
    alone = [delay for delay, _ in (single.ring(volunteer, noon) for volunteer in range(4_000)) if delay is not None]
    assert len(taps) == pytest.approx(len(alone), rel=0.1)
    assert sorted(delays)[len(taps) // 2] == pytest.approx(sorted(alone)[len(alone) // 2], rel=0.1)


def test_visavis_learns() -> None:
    """Where nothing can be learned from the past, a month teaches something all the same."""
    blank = World(remembered=0.0, requests=400, days=30, requests_a_day=0.02)
    fresh = run(blank, 0.1, 300, "calm", 1, "visavis", PLAIN, ("day",))[0]
    rival = run(blank, 0.1, 300, "calm", 1, "B1", PLAIN, ("day",))[0]
    assert fresh.alerts is not None
    assert rival.alerts is not None
    assert fresh.alerts < rival.alerts
    assert fresh.answered > rival.answered


# --- the verdict


def cell(policy: str, **figures: float) -> Cell:
    whole = {"answered": 1.0, "p50": 10.0, "p95": 30.0, "alerts": 5.0, "late": 0.3, "first_call_30d": 0.5} | figures
    return Cell(
        p=0.05, pool=1_000, hour="day", load="calm", seed=1, policy=policy, requests=100, p95_talking=40.0,
        quiet_rings=int(whole.pop("quiet_rings", 0)), over_budget=0, **whole,
    )  # fmt: skip


def failed(*found: Cell) -> set[str]:
    return {each.goal for each in verdict.findings(verdict.summaries(found)) if not each.holds}


def test_the_goal_can_hold_and_every_part_of_it_can_fail() -> None:
    mine, b1 = cell("visavis"), cell("B1", p95=80, alerts=20, late=0.4, first_call_30d=0.4)
    assert failed(mine, b1) == set()
    assert failed(mine, cell("B1", p95=60, alerts=20, late=0.4, first_call_30d=0.4)) == {"p95 at most 0.4 of B1"}
    assert failed(mine, cell("B1", p95=80, alerts=11, late=0.4, first_call_30d=0.4)) == {"alerts at most 0.4 of B1"}
    assert failed(mine, cell("B1", p95=80, alerts=20, late=0.2, first_call_30d=0.4)) == {"late at most 1.0 of B1"}
    assert failed(mine, b1, cell("B4", first_call_30d=0.6)) == {"more of the willing get a first call"}
    assert failed(mine, b1, cell("B4", p95=29, first_call_30d=0.1)) == {"no baseline is better without being worse"}
    assert failed(mine, b1, cell("B4", p95=29, alerts=5.1, first_call_30d=0.1)) == set()
    assert failed(cell("visavis", quiet_rings=1), b1) == {"nobody is rung in quiet hours"}


def test_the_words_and_the_picture_say_it_all() -> None:
    found = verdict.summaries([cell("visavis"), cell("B1", p95=60)])
    assert "visavis" in verdict.table(found)
    assert "not with p=0.05 pool=1000 day calm: 0.50" in verdict.verdict(verdict.findings(found))
    picture = svg(found, "A & B")
    assert "<title" in picture
    assert "A &amp; B" in picture
    assert "<desc" in picture


def test_a_grid_has_every_cell_once() -> None:
    asked = Asked((0.1,), (50,), ("day", "night"), ("calm",), (1, 2), ("visavis", "B1"))
    seen: list[tuple[int, int]] = []
    found = cells(asked, SMALL, PLAIN, lambda done, of: seen.append((done, of)), jobs=2)
    assert len({(each.hour, each.seed, each.policy) for each in found}) == len(found) == 8
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


# --- the command


def visavis(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "signaling", "simulate", *words],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.fixture
def small_world(tmp_path: Path) -> str:
    path = tmp_path / "small.toml"
    path.write_text("requests = 20\ndays = 5\n")
    return str(path)


def test_the_command_prints_cells_as_json(small_world: str, tmp_path: Path) -> None:
    picture = tmp_path / "picture.svg"
    run = visavis("--p", ".1", "--pool", "100", "--hour", "day", "--load", "burst", "--seed", "7", "--policy",
                  "visavis,B1,B5", "--json", "--world", small_world, "--plot", str(picture))  # fmt: skip
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)["cells"]
    assert [each["policy"] for each in found] == ["visavis", "B1", "B5"]
    assert {"p", "pool", "hour", "load", "seed", "policy", "requests", "answered", "p50", "p95", "alerts", "late",
            "first_call_30d", "quiet_rings"} <= found[0].keys()  # fmt: skip
    assert (found[0]["p"], found[0]["pool"], found[0]["hour"], found[0]["load"]) == (0.1, 100, "day", "burst")
    assert picture.read_text().startswith("<svg")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--p", "2"), "--p cannot be “2”"),
        (("--p", "often"), "--p cannot be “often”"),
        (("--pool", "0"), "--pool"),
        (("--policy", "B9"), "one of visavis, B1"),
        (("--hour", "noon"), "one of day, night"),
        (("--world", "none.json"), "none.json"),
    ],
)
def test_a_wrong_word_is_told_apart(words: tuple[str, ...], says: str) -> None:
    run = visavis(*words)
    assert run.returncode == 1
    assert says in run.stderr
    assert "Traceback" not in run.stderr
