"""Pictures of a grid as SVG, without a library: one row for each place, one mark for each policy, on a logarithmic
scale. Every picture has a title and a description for those who do not see it; the table says the same in figures."""

from __future__ import annotations

import math
from xml.sax.saxutils import escape

from matching.simulator.verdict import MINE, NEVER, Place, Summary

PANELS = (
    ("p95", "95th percentile of the wait, seconds"),
    ("alerts", "alerts per answered call"),
    ("late", "late taps per answered call"),
)
COLOURS = {
    MINE: "#0b6e4f", "B1": "#b3261e", "B2": "#7a5195", "B3": "#d98e04", "B4": "#2f6db5", "B5": "#555555",
    "B6": "#9a6a4f",
}  # fmt: skip
ROW, PANEL, LABEL, TOP, GAP = 22, 300, 230, 70, 30
LEAST = {"p95": 5.0, "alerts": 1.0, "late": 0.01}


def svg(found: dict[Place, dict[str, Summary]], title: str) -> str:
    """The whole grid as one picture."""
    places = sorted(found)
    names = list(dict.fromkeys(name for policies in found.values() for name in policies))
    width = LABEL + len(PANELS) * (PANEL + GAP)
    height = TOP + ROW * len(places) + 50
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'aria-labelledby="title description" font-family="sans-serif" font-size="12">',
        f'<title id="title">{escape(title)}</title>',
        f'<desc id="description">{escape(_described(found))}</desc>',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        *_legend(names),
    ]
    for number, place in enumerate(places):
        y = TOP + ROW * number + ROW / 2
        p, pool, hour, load = place
        parts.append(f'<text x="8" y="{y + 4}">p {p:g}, pool {pool:,}, {hour}, {load}</text>')
    for number, (metric, words) in enumerate(PANELS):
        parts += _panel(found, places, names, metric, words, LABEL + number * (PANEL + GAP))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _legend(names: list[str]) -> list[str]:
    parts = []
    for number, name in enumerate(names):
        x = LABEL + number * 90
        parts.append(_mark(name, x, 16) + f'<text x="{x + 10}" y="20">{name}</text>')
    return parts


def _mark(name: str, x: float, y: float) -> str:
    """Told apart by shape as well as by colour."""
    colour = COLOURS.get(name, "#000000")
    if name == MINE:
        return f'<path d="M{x:.1f} {y - 7:.1f} l6 7 -6 7 -6 -7 z" fill="{colour}"/>'
    return f'<text x="{x:.1f}" y="{y + 4:.1f}" text-anchor="middle" font-size="10" fill="{colour}">{name[-1]}</text>'


def _panel(
    found: dict[Place, dict[str, Summary]], places: list[Place], names: list[str], metric: str, words: str, left: int
) -> list[str]:
    values = [each.value(metric) for policies in found.values() for each in policies.values()]
    known = [value for value in values if value not in (NEVER, 0.0)]
    low = max(LEAST[metric], min(known, default=1.0))
    high = max(known, default=10.0) * 1.1
    scale = PANEL / math.log(high / low) if high > low else 0.0

    def x(value: float) -> float:
        return left + (math.log(max(value, low) / low) * scale)

    bottom = TOP + ROW * len(places)
    parts = [f'<text x="{left}" y="{TOP - 24}" font-weight="bold">{escape(words)}</text>']
    for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1):
        for step in (1, 2, 5) if high < 500 * low else (1,):
            tick = step * 10.0**power
            if low <= tick <= high:
                parts.append(
                    f'<line x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{TOP - 4}" y2="{bottom}" stroke="#dddddd"/>'
                    f'<text x="{x(tick):.1f}" y="{TOP - 8}" text-anchor="middle" fill="#555555">{tick:g}</text>'
                )
    for number, place in enumerate(places):
        y = TOP + ROW * number + ROW / 2
        parts.append(f'<line x1="{left}" x2="{left + PANEL}" y1="{y}" y2="{y}" stroke="#eeeeee"/>')
        for name in [*(each for each in names if each != MINE), MINE]:
            each = found[place].get(name)
            if each is not None and each.value(metric) != NEVER:
                parts.append(_mark(name, x(each.value(metric)), y))
    return parts


def _described(found: dict[Place, dict[str, Summary]]) -> str:
    sentences = []
    for (p, pool, hour, load), policies in sorted(found.items()):
        if MINE in policies:
            mine = policies[MINE]
            sentences.append(
                f"p {p:g}, pool {pool}, {hour}, {load}: {mine.p95:.0f} s, {mine.alerts:.1f} alerts, "
                f"{mine.late:.2f} late."
            )
    return "A diamond for visavis, a digit for each baseline. visavis: " + " ".join(sentences)
