"""`python -m matching.simulator.search`: chooses the numbers of the policy on training worlds, which are none of those
that are reported. Each world is drawn at random around the figures of the field; a choice is judged by how far it stays
from the goal in the worst of its figures, averaged over worlds. Random search first, then small steps from the best."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from random import Random

import msgspec

from matching.settings import MatchingSettings
from matching.simulator.cells import Cell, run
from matching.simulator.world import World, Zone

Choice = dict[str, float]

RANGES: dict[str, tuple[float, float]] = {
    "hope_at_first": (0.8, 2.6),
    "hope_rise": (0.0, 0.15),
    "hope_at_most": (2.0, 6.0),
    "hope_in_front": (0.0, 4.0),
    "hope_step": (0.1, 0.4),
    "explore": (0.0, 0.6),
    "spare_rung": (0.0, 0.8),
    "spare_called": (0.0, 0.9),
    "ring_time": (25.0, 60.0),
}
CHANCES = (0.02, 0.05, 0.1, 0.2)
POOL = 1_000
TRAINING_SEED = 90_000
"""Reported cells have small seeds; no town of theirs is met in training."""


def training_worlds(how_many: int, requests: int) -> list[tuple[World, float]]:
    """Worlds around the figures of the field, each with a mean chance."""
    random = Random(TRAINING_SEED)
    worlds = []
    for number in range(how_many):
        home = random.uniform(0.4, 1.0)
        worlds.append(
            (
                World(
                    spread=random.uniform(0.4, 0.8),
                    delay_median=random.uniform(8, 15),
                    failure=random.uniform(0.03, 0.1),
                    tired_by=random.uniform(0.2, 0.5),
                    tired_half_life=random.uniform(12, 36) * 3600,
                    remembered=random.uniform(4, 15),
                    newcomers=random.uniform(0.1, 0.4),
                    requests_a_day=random.choice((0.001, 0.002, 0.004)),
                    patience_median=random.uniform(70, 120),
                    zones=(Zone(home, 0), Zone(1 - home, random.choice((-8, -5, 7, 9)))),
                    requests=requests,
                ),
                CHANCES[number % len(CHANCES)],
            )
        )
    return worlds


def excess(mine: Cell, rivals: Sequence[Cell]) -> float:
    """How far the worst figure is from the goal of matching.md: 0 where all of it holds."""
    first = rivals[0]
    assert first.p95
    if not (mine.p95 and mine.alerts and mine.late is not None and first.alerts and first.late):
        return 4.0
    called = max(rival.first_call_30d or 0.0 for rival in rivals) / max(mine.first_call_30d or 0.0, 1e-6)
    ratios = (mine.p95 / first.p95 / 0.4, mine.alerts / first.alerts / 0.4, mine.late / first.late, called)
    return sum(max(0.0, ratio - 0.97) ** 2 for ratio in ratios) + 0.02 * sum(ratios)


class Search:
    """Judges choices on the training worlds."""

    def __init__(self, worlds: list[tuple[World, float]]) -> None:
        self._worlds = worlds
        plain = MatchingSettings()
        self._rivals = [
            [run(world, p, POOL, "calm", TRAINING_SEED + n, name, plain, ("day",))[0] for name in ("B1", "B3")]
            for n, (world, p) in enumerate(worlds)
        ]

    def judge(self, choice: Choice, give_up_at: float = float("inf")) -> float:
        """The mean excess; stops early when it is sure to be more than `give_up_at`."""
        settings = msgspec.structs.replace(MatchingSettings(), **choice)
        total = 0.0
        for n, (world, p) in enumerate(self._worlds):
            cell = run(world, p, POOL, "calm", TRAINING_SEED + n, "visavis", settings, ("day",))[0]
            total += excess(cell, self._rivals[n])
            if total / len(self._worlds) > give_up_at:
                return float("inf")
        return total / len(self._worlds)


def main() -> None:
    """Search and print the best choice as JSON, and each better one on the way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=12)
    parser.add_argument("--requests", type=int, default=400)
    parser.add_argument("--tries", type=int, default=120)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    random = Random(arguments.seed)
    search = Search(training_worlds(arguments.worlds, arguments.requests))
    best: Choice = {name: float(getattr(MatchingSettings(), name)) for name in RANGES}
    least = search.judge(best)
    print(json.dumps({"excess": round(least, 4), "choice": best}), flush=True)
    for number in range(arguments.tries):
        if number < arguments.tries // 3:
            choice = {name: random.uniform(*limits) for name, limits in RANGES.items()}
        else:
            choice = dict(best)
            for name in random.sample(sorted(RANGES), 3):
                low, high = RANGES[name]
                choice[name] = min(high, max(low, best[name] + random.gauss(0, 0.12) * (high - low)))
        found = search.judge(choice, least)
        if found < least:
            best, least = choice, found
            rounded = {name: round(value, 3) for name, value in best.items()}
            print(json.dumps({"try": number, "excess": round(least, 4), "choice": rounded}), flush=True)


if __name__ == "__main__":
    main()
