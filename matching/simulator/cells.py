"""One cell of the grid: a policy in a world, measured. A run gives the figures of day and night at once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import msgspec
import numpy as np

from matching.settings import MatchingSettings
from matching.simulator.baselines import baseline
from matching.simulator.engine import Engine, Policy, Request, demand
from matching.simulator.town import Town
from matching.simulator.visavis import Memory, Visavis
from matching.simulator.world import World

HOURS = {"day": frozenset(range(8, 22)), "night": frozenset((23, 0, 1, 2, 3, 4, 5))}
LOADS = ("calm", "burst")
WILLING = 0.1
"""A true chance from which somebody counts as willing to help."""
POLICIES = ("visavis", "B1", "B2", "B3", "B4", "B5", "B6")


class Cell(msgspec.Struct, frozen=True):
    """The figures of one cell, as `--json` prints them; seconds, and each per answered call."""

    p: float
    pool: int
    hour: str
    load: str
    seed: int
    policy: str
    requests: int
    answered: float
    p50: float | None
    p95: float | None
    p95_talking: float | None
    """Until the call that connected: a first one may fail."""
    alerts: float | None
    late: float | None
    first_call_30d: float | None
    quiet_rings: int
    over_budget: int


class Cells(msgspec.Struct, frozen=True):
    """What `--json` prints."""

    cells: list[Cell]


class Figures:
    """What many towns of one kind add up to."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.willing = 0
        self.called = 0
        self.over_budget = 0

    def add(self, engine: Engine) -> None:
        """Count a town that has run."""
        self.requests += engine.requests
        willing = np.flatnonzero(engine.town.chance >= WILLING)
        self.willing += len(willing)
        self.called += sum(volunteer in engine.town.called for volunteer in willing.tolist())
        self.over_budget += engine.over_budget_rings

    def cell(self, p: float, pool: int, hour: str, load: str, seed: int, policy: str) -> Cell:
        """The figures of the requests that were asked in these hours."""
        asked = [request for request in self.requests if request.measured and request.hour in HOURS[hour]]
        waits = np.array([request.waited for request in asked])
        answered = sum(request.answered for request in asked)

        def per_call(total: int) -> float | None:
            return round(total / answered, 3) if answered else None

        return Cell(
            p=p,
            pool=pool,
            hour=hour,
            load=load,
            seed=seed,
            policy=policy,
            requests=len(asked),
            answered=round(answered / len(asked), 4) if asked else 0.0,
            p50=round(float(np.median(waits)), 2) if asked else None,
            p95=round(float(np.quantile(waits, 0.95)), 2) if asked else None,
            p95_talking=round(float(np.quantile([request.talked_after for request in asked], 0.95)), 2)
            if asked
            else None,
            alerts=per_call(sum(request.alerts for request in asked)),
            late=per_call(sum(request.late for request in asked)),
            first_call_30d=round(self.called / self.willing, 4) if self.willing else None,
            quiet_rings=sum(request.quiet_rings for request in asked),
            over_budget=self.over_budget,
        )


def towns_needed(world: World, pool: int, load: str, hours: Sequence[str]) -> int:
    """How often a pool must be simulated for enough requests in each of these hours of the day."""
    weights = np.array(world.demand) / sum(world.demand)
    least = min(
        sum(
            weights[hour] * (world.burst if load == "burst" else 1.0)
            for hour in HOURS[name]
            if load == "calm" or hour in world.burst_hours
        )
        for name in hours
    )
    expected = least * world.requests_a_day * pool * world.days
    return max(1, math.ceil(world.requests / max(float(expected), 1e-9)))


def run(
    world: World,
    p: float,
    pool: int,
    load: str,
    seed: int,
    policy: str,
    settings: MatchingSettings,
    hours: Sequence[str] = ("day", "night"),
) -> list[Cell]:
    """The cells of these hours. The same seed gives the same towns and the same callers to every policy."""
    figures = Figures()
    for engine in towns(world, p, pool, load, seed, policy, settings, hours):
        figures.add(engine)
    return [figures.cell(p, pool, hour, load, seed, policy) for hour in hours]


def towns(
    world: World,
    p: float,
    pool: int,
    load: str,
    seed: int,
    policy: str,
    settings: MatchingSettings,
    hours: Sequence[str],
) -> Iterator[Engine]:
    """Each town, after its month."""
    measured = frozenset().union(*(HOURS[hour] for hour in hours))
    memory = Memory(world, p, seed, settings) if policy == "visavis" else None
    for number in range(towns_needed(world, pool, load, hours)):
        town = Town(world, p, pool, (seed, number, pool))
        callers = demand(town, measured, load == "burst")
        engine = Engine(town)
        chosen: Policy = Visavis(engine, settings, seed, memory) if memory else baseline(policy, engine)
        engine.run(callers, chosen)
        yield engine
