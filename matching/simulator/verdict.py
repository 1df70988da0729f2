"""Where the goal of the design holds, and where it does not. Pure: cells in, findings out.

Figures of one cell over several seeds are means; the spread beside them is the least and the most."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from matching.simulator.cells import Cell

METRICS = ("p95", "alerts", "late")
MINE = "visavis"
AT_MOST = 0.4
"""Of B1's 95th percentile and of its alerts, in pools of `LARGE` and more."""
LARGE = 1_000

Place = tuple[float, int, str, str]


class Summary(msgspec.Struct, frozen=True):
    """One policy in one place of the grid, over its seeds."""

    place: Place
    policy: str
    seeds: tuple[int, ...]
    requests: int
    answered: float
    p50: float
    p95: float
    alerts: float
    late: float
    first_call: float | None
    quiet_rings: int
    over_budget: int
    p95_spread: tuple[float, float]

    def value(self, metric: str) -> float:
        return float(getattr(self, metric))


NEVER = float("inf")


def _mean(values: Iterable[float | None]) -> float:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else NEVER


def summaries(cells: Iterable[Cell]) -> dict[Place, dict[str, Summary]]:
    """By place and policy."""
    grouped: dict[tuple[Place, str], list[Cell]] = defaultdict(list)
    for cell in cells:
        if cell.requests:
            grouped[(cell.p, cell.pool, cell.hour, cell.load), cell.policy].append(cell)
    found: dict[Place, dict[str, Summary]] = defaultdict(dict)
    for (place, policy), some in grouped.items():
        p95s = [cell.p95 for cell in some if cell.p95 is not None]
        first = [cell.first_call_30d for cell in some if cell.first_call_30d is not None]
        found[place][policy] = Summary(
            place=place,
            policy=policy,
            seeds=tuple(sorted({cell.seed for cell in some})),
            requests=sum(cell.requests for cell in some),
            answered=_mean(cell.answered for cell in some),
            p50=_mean(cell.p50 for cell in some),
            p95=_mean(p95s),
            alerts=_mean(cell.alerts for cell in some),
            late=_mean(cell.late for cell in some),
            first_call=_mean(first) if first else None,
            quiet_rings=sum(cell.quiet_rings for cell in some),
            over_budget=sum(cell.over_budget for cell in some),
            p95_spread=(min(p95s, default=0.0), max(p95s, default=0.0)),
        )
    return dict(found)


class Finding(msgspec.Struct, frozen=True):
    """Whether one part of the goal holds in one place, and by how much."""

    place: Place
    goal: str
    holds: bool
    figure: str


def findings(found: dict[Place, dict[str, Summary]]) -> list[Finding]:
    """Every part of the goal in every place that has what it takes to judge it."""
    results: list[Finding] = []
    for place, policies in sorted(found.items()):
        if MINE in policies:
            mine = policies[MINE]
            rivals = [each for name, each in policies.items() if name != MINE]
            results += _of_place(place, mine, rivals, policies.get("B1"))
    return results


def _of_place(place: Place, mine: Summary, rivals: Sequence[Summary], b1: Summary | None) -> list[Finding]:
    results = [
        Finding(place, "nobody is rung in quiet hours", mine.quiet_rings == 0, f"{mine.quiet_rings} rings"),
        Finding(place, "nobody is rung over budget", mine.over_budget == 0, f"{mine.over_budget} rings"),
    ]
    beaten_by = [rival.policy for rival in rivals if dominates(rival, mine)]
    if rivals:
        results.append(Finding(place, "no baseline is better without being worse", not beaten_by, ", ".join(beaten_by)))
        called = [rival for rival in rivals if rival.first_call is not None]
        if mine.first_call is not None and called:
            best = max(called, key=lambda rival: rival.first_call or 0.0)
            results.append(
                Finding(
                    place,
                    "more of the willing get a first call",
                    mine.first_call > (best.first_call or 0.0),
                    f"{mine.first_call:.3f} against {best.first_call:.3f} of {best.policy}",
                )
            )
    if b1 is not None and place[1] >= LARGE:
        for metric, limit in (("p95", AT_MOST), ("alerts", AT_MOST), ("late", 1.0)):
            theirs = b1.value(metric)
            ratio = mine.value(metric) / theirs if theirs else NEVER
            results.append(Finding(place, f"{metric} at most {limit} of B1", ratio <= limit, f"{ratio:.2f}"))
    return results


def dominates(rival: Summary, mine: Summary) -> bool:
    """Better on one of the three figures and worse on none."""
    pairs = [(rival.value(metric), mine.value(metric)) for metric in METRICS]
    return all(theirs <= ours for theirs, ours in pairs) and any(theirs < ours for theirs, ours in pairs)


# --- for people

COLUMNS = (
    "p      pool     hour   load   policy    requests  answered     p50     p95   (least-most)   alerts    late   first"
)


def table(found: dict[Place, dict[str, Summary]]) -> str:
    """Every place and policy, a line each."""
    lines = [COLUMNS]
    for (p, pool, hour, load), policies in sorted(found.items()):
        for each in policies.values():
            first = "-" if each.first_call is None else f"{each.first_call:.3f}"
            spread = f"({each.p95_spread[0]:.0f}-{each.p95_spread[1]:.0f})"
            lines.append(
                f"{p:<6g} {pool:<8d} {hour:<6s} {load:<6s} {each.policy:<9s} {each.requests:>8d}  {each.answered:>8.3f}"
                f"  {_number(each.p50)}  {_number(each.p95)}  {spread:>12s}  {_number(each.alerts)}  {each.late:>6.2f}"
                f"  {first:>6s}"
            )
    return "\n".join(lines)


def _number(value: float) -> str:
    return f"{value:>7.1f}" if value != NEVER else "      -"


def verdict(results: Sequence[Finding]) -> str:
    """Each part of the goal: in how many places it holds, and every place where it does not."""
    by_goal: dict[str, list[Finding]] = defaultdict(list)
    for finding in results:
        by_goal[finding.goal].append(finding)
    lines = []
    for goal, some in by_goal.items():
        lines.append(f"{goal}: holds in {sum(finding.holds for finding in some)} of {len(some)} places")
        for finding in some:
            if not finding.holds:
                p, pool, hour, load = finding.place
                lines.append(f"    not with p={p:g} pool={pool} {hour} {load}: {finding.figure}")
    return "\n".join(lines)
