"""The rivals: how others ring, or did. None of them knows anything of a volunteer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from matching.simulator.engine import Engine, Request, Ring


class Baseline:
    """Rings whoever a rule says, drawn at random among those who are not in a call. Rings do not end by themselves."""

    reserves = False
    ring_time: float | None = None

    def __init__(self, engine: Engine, rule: Callable[[int], tuple[int, float | None]]) -> None:
        self._engine = engine
        self._rule = rule

    def look(self, request: Request, now: float) -> float | None:
        how_many, again = self._rule(request.asks)
        request.asks += 1
        self._draw(request, how_many, now)
        return again

    def _draw(self, request: Request, how_many: int, now: float) -> None:
        """Ring so many more volunteers, each once."""
        town = self._engine.town
        left = town.pool - len(request.rung)
        how_many = min(how_many, left)
        if how_many <= 0:
            return
        if how_many == town.pool:
            self._engine.ring_many(request, np.flatnonzero(town.busy_until <= now), now, remember=False)
            return
        if how_many > left // 3:
            free = np.setdiff1d(np.arange(town.pool), np.fromiter(request.rung, dtype=np.int64), assume_unique=True)
            chosen = town.rng.permutation(free)[:how_many]
        else:
            seen: dict[int, None] = {}
            while len(seen) < how_many:
                for volunteer in town.rng.integers(town.pool, size=how_many - len(seen)).tolist():
                    if volunteer not in request.rung:
                        seen[volunteer] = None
            chosen = np.fromiter(seen, dtype=np.int64)
        chosen = chosen[town.busy_until[chosen] <= now]
        self._engine.ring_many(request, chosen, now)

    def over(self, ring: Ring, now: float, outcome: str) -> None:
        """Nothing is learned."""

    def reopened(self, request: Request) -> None:
        """The caller has to ask anew, and everybody may be rung again."""
        request.asks = 0
        request.rung.clear()


class Replacing(Baseline):
    """Keeps so many rings out; whoever refuses or lets it ring for `ring_time` is replaced at once."""

    ring_time = 30.0

    def __init__(self, engine: Engine, outstanding: int) -> None:
        super().__init__(engine, lambda _: (outstanding, None))

    def over(self, ring: Ring, now: float, outcome: str) -> None:
        if outcome in ("refused", "ignored") and not ring.request.closed and ring.request.reserved is None:
            self._draw(ring.request, 1, now)


def b1(wave: int) -> tuple[int, float | None]:
    """The 2016 server: every 4 s min(max(i // 2, 1), 10), up to 500 waves."""
    return min(max(wave // 2, 1), 10), 4.0 if wave < 499 else None


def b2(wave: int) -> tuple[int, float | None]:
    """Launch day: 1 every 18 s."""
    return 1, 18.0


def b3(wave: int) -> tuple[int, float | None]:
    """20 every 20 s."""
    return 20, 20.0


def b4(wave: int) -> tuple[int, float | None]:
    """10 at once, 10 more each 20 s."""
    return 10, 20.0


def b6(wave: int) -> tuple[int, float | None]:
    """Everybody."""
    return 1_000_000_000, None


def baseline(name: str, engine: Engine) -> Baseline:
    """The baseline of that name."""
    if name == "B5":
        return Replacing(engine, 7)
    return Baseline(engine, {"B1": b1, "B2": b2, "B3": b3, "B4": b4, "B6": b6}[name])


NAMES = ("B1", "B2", "B3", "B4", "B5", "B6")
