"""The geometry of the charts on pages: numbers in, paths out. Pure.

A chart is drawn in a square of 100 by 100 that the style sheet stretches; words stand beside it, as text that grows
with the reader's."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import msgspec

SIDE = 100.0
TOPS = (5, 10, 20, 30, 60, 90, 120, 180, 240, 300, 600, 900, 1200, 1800, 3600)
"""Where a scale of seconds may end, so that its middle is a number people know."""
GAP = 0.3
"""Of a bar's place, what is left free."""


class Bar(msgspec.Struct, frozen=True):
    """One bar of a chart."""

    x: float
    y: float
    width: float
    height: float


def top(values: Sequence[float | None]) -> float:
    """The end of the scale for seconds."""
    most = max((value for value in values if value is not None), default=0.0)
    return next((float(end) for end in TOPS if end >= most), most)


def line(values: Sequence[float | None], end: float) -> str:
    """The path through the values, on a scale from 0 to `end`. Where one is missing the line is broken; one that
    stands alone becomes a short stroke."""
    step = SIDE / max(1, len(values))
    pieces = []
    for known, run in groupby(enumerate(values), key=lambda pair: pair[1] is not None):
        if not known:
            continue
        points = [(step * (at + 0.5), SIDE * (1 - (value or 0.0) / end)) for at, value in run]
        if len(points) == 1:
            [(x, y)] = points
            points = [(x - step / 4, y), (x + step / 4, y)]
        pieces.append("M" + "L".join(f"{x:.2f} {y:.2f}" for x, y in points))
    return "".join(pieces)


def bars(values: Sequence[float | None], end: float = 1.0) -> list[Bar]:
    """A bar for every value there is."""
    step = SIDE / max(1, len(values))
    return [
        Bar(
            round(step * (at + GAP / 2), 2),
            round(SIDE * (1 - value / end), 2),
            round(step * (1 - GAP), 2),
            round(SIDE * value / end, 2),
        )
        for at, value in enumerate(values)
        if value is not None
    ]
