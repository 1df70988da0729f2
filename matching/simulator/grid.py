"""Many cells at once: every combination of what was asked for, over the cores of this machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import product

import msgspec

from matching.settings import MatchingSettings
from matching.simulator.cells import HOURS, LOADS, POLICIES, Cell, run
from matching.simulator.world import PUBLISHED, World


class Asked(msgspec.Struct, frozen=True):
    """A grid. The defaults are the one that is reported."""

    ps: tuple[float, ...] = (0.02, 0.05, 0.1, 0.2)
    pools: tuple[int, ...] = (10, 1_000, 100_000)
    hours: tuple[str, ...] = tuple(HOURS)
    loads: tuple[str, ...] = LOADS
    seeds: tuple[int, ...] = (1, 2, 3, 4, 5)
    policies: tuple[str, ...] = POLICIES

    @property
    def runs(self) -> list[tuple[float, int, str, int, str]]:
        """What has to be run, the longest first, so that no core waits for the last one."""
        every = list(product(self.ps, self.pools, self.loads, self.seeds, self.policies))
        return sorted(every, key=lambda each: (-each[1], each[4] != "visavis"))


def cells(
    asked: Asked,
    world: World,
    settings: MatchingSettings,
    progress: Callable[[int, int], None] = lambda done, of: None,
    jobs: int | None = None,
) -> list[Cell]:
    """The cells, in the order of the grid. `progress` hears how many runs of how many are done."""
    runs = asked.runs
    jobs = min(jobs or os.cpu_count() or 1, len(runs))
    found: list[Cell] = []
    for done, some in enumerate(_results(runs, asked.hours, world, settings, jobs), 1):
        found += some
        progress(done, len(runs))
    order = {each: place for place, each in enumerate(asked.policies)}
    return sorted(found, key=lambda cell: (cell.p, cell.pool, cell.hour, cell.load, cell.seed, order[cell.policy]))


def _results(
    runs: Sequence[tuple[float, int, str, int, str]],
    hours: Sequence[str],
    world: World,
    settings: MatchingSettings,
    jobs: int,
) -> Iterator[list[Cell]]:
    if jobs <= 1:
        for each in runs:
            yield run(world, *each, settings, hours)
        return
    with ProcessPoolExecutor(jobs) as pool:
        for future in as_completed([pool.submit(run, world, *each, settings, hours) for each in runs]):
            yield future.result()


PUBLISHED_FIGURES = {
    0.02: {"p50": (58, 65), "p95": (112, 120), "alerts": (66, 78), "late": (0.3, 0.6)},
    0.05: {"p50": (38, 45), "p95": (74, 81), "alerts": (30, 39), "late": (0.5, 0.9)},
    0.1: {"p50": (28, 34), "p95": (53, 60), "alerts": (16, 22), "late": (0.6, 1.2)},
    0.2: {"p50": (20, 26), "p95": (39, 46), "alerts": (9, 13), "late": (0.8, 1.6)},
}
"""B1 as an independent run saw it, for median delays of 8 to 15 seconds."""


def check_b1(requests: int = 4_000, seed: int = 1) -> list[tuple[float, float, Cell]]:
    """(p, median delay, cell) of B1 in the world of the published figures."""
    found = []
    for p in PUBLISHED_FIGURES:
        for delay in (8.0, 11.0, 15.0):
            world = msgspec.structs.replace(PUBLISHED, delay_median=delay, requests=requests)
            found.append((p, delay, run(world, p, 1_000, "calm", seed, "B1", MatchingSettings(), ("day",))[0]))
    return found
