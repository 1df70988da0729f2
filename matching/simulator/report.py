"""The report of a grid as a page in Markdown. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from matching.simulator.verdict import METRICS, NEVER, Finding, Place, Summary

COLUMNS = (
    "p", "pool", "hour", "load", "policy", "requests", "answered", "p50", "p95", "spread", "alerts", "late",
    "first call", "in quiet hours",
)  # fmt: skip


def report(found: dict[Place, dict[str, Summary]], results: Sequence[Finding], picture: str) -> str:
    """The page for people: the picture, where the goal holds and where not, and every cell."""
    lines = [
        "# The simulation report",
        "",
        "Made by `visavis simulate --report`; not edited by hand. Figures are means over the seeds, with the spread of",
        "the 95th percentile; waits in seconds, alerts and late taps for each answered request",
        "([simulator](simulator.md)). **Bold**: the best of the cell, quiet hours and budgets aside, of which the",
        "baselines know nothing.",
        "",
        f"Seeds: {_seeds(found)}. `make simulate` runs five of each, in more than an hour.",
        "",
        "![For each cell three scales, of the 95th percentile of the wait, alerts and late taps for each answered "
        "call, with a diamond for visavis and a digit for each baseline; the table below has the same figures.]"
        f"({picture})",
        "",
        "## The goal of the design",
        "",
        "| part | holds in | not with |",
        "|---|---|---|",
    ]
    by_goal: dict[str, list[Finding]] = defaultdict(list)
    for finding in results:
        by_goal[finding.goal].append(finding)
    for goal, some in by_goal.items():
        lost = "; ".join(f"{_place(finding.place)}: {finding.figure}" for finding in some if not finding.holds)
        lines.append(f"| {goal} | {sum(finding.holds for finding in some)} of {len(some)} | {lost or '-'} |")
    lines += ["", "## Every cell", ""]
    lines += ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    for (p, pool, hour, load), policies in sorted(found.items()):
        best = {metric: min(each.value(metric) for each in policies.values()) for metric in METRICS}
        for each in policies.values():
            figures = [_bold(each.value(metric), best[metric], 2 if metric == "late" else 1) for metric in METRICS]
            first = "-" if each.first_call is None else f"{each.first_call:.3f}"
            spread = f"{each.p95_spread[0]:.0f}-{each.p95_spread[1]:.0f}"
            lines.append(
                f"| {p:g} | {pool:,} | {hour} | {load} | {each.policy} | {each.requests} | {each.answered:.3f} | "
                f"{each.p50:.1f} | {figures[0]} | {spread} | {figures[1]} | {figures[2]} | {first} | "
                f"{each.quiet_rings} |"
            )
    return "\n".join(lines) + "\n"


def _seeds(found: dict[Place, dict[str, Summary]]) -> str:
    by_pool: dict[int, set[int]] = defaultdict(set)
    for (_, pool, _, _), policies in found.items():
        by_pool[pool].update(*(each.seeds for each in policies.values()))
    return "; ".join(
        f"{', '.join(map(str, sorted(seeds)))} for pools of {pool:,}" for pool, seeds in sorted(by_pool.items())
    )


def _place(place: Place) -> str:
    p, pool, hour, load = place
    return f"p {p:g}, {pool:,}, {hour}, {load}"


def _bold(value: float, best: float, digits: int) -> str:
    if value == NEVER:
        return "-"
    return f"**{value:.{digits}f}**" if value == best else f"{value:.{digits}f}"
