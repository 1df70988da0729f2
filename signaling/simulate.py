"""`visavis simulate`: the production policy and its rivals in a simulated town."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import msgspec
from cyclopts import Parameter

from accounts.errors import VisavisError
from matching.settings import MatchingSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from matching.simulator.cells import Cell
    from matching.simulator.grid import Asked
    from matching.simulator.world import World

N = TypeVar("N", int, float)


class NumpyMissing(VisavisError):
    """The simulator's only dependency of its own."""

    code = "numpy_missing"
    detail = "The simulator needs numpy. Install it with: pip install 'visavis[simulate]'"


class CellImpossible(VisavisError):
    """A figure on the command line that no town can have."""

    code = "cell_impossible"
    detail = "%(name)s cannot be “%(value)s”: %(why)s."


def simulate(
    *,
    p: str = "0.05",
    pool: str = "1000",
    hour: str = "day,night",
    load: str = "calm,burst",
    seed: str = "1",
    policy: str = "visavis,B1,B2,B3,B4,B5,B6",
    world: Path | None = None,
    grid: bool = False,
    check: bool = False,
    json: bool = False,
    plot: Path | None = None,
    report: Path | None = None,
    cells: Annotated[
        list[Path] | None, Parameter(help="Read what --json printed before, and simulate nothing.")
    ] = None,
    jobs: Annotated[int, Parameter(help="Processes; by default one for each core.")] = 0,
    matching: Literal["environment", "defaults"] = "environment",
) -> None:
    """Try the matching policy against its rivals in a simulated town of callers and volunteers.

    Several values are separated by commas. Every choice of people comes from the seed, every choice of the policy from
    the code that rings real volunteers.

    Parameters
    ----------
    p
        Mean chance that a volunteer accepts a ring: .02, .05, .1, .2 …
    pool
        Volunteers who speak the language.
    hour
        day, night: when the callers whose waits are counted ask.
    load
        calm, burst.
    seed
        Whole numbers; each is another town.
    policy
        visavis, B1 to B6.
    world
        A JSON or TOML file with other figures for the world; see docs/explanation/simulator.md.
    grid
        The whole grid of the design, which takes more than an hour on two cores.
    check
        First see that B1 gives the figures an independent run of it gave.
    json
        Print one JSON object.
    plot
        Write a picture of the figures to this SVG file.
    report
        Write a page with the picture, the verdict and every cell to this Markdown file; the picture lies beside it.
    matching
        Whether MATCHING_… variables count, or the defaults only.
    """
    try:
        import matching.simulator.grid as grids
        from matching.simulator import verdict
        from matching.simulator.world import World
        from matching.simulator.world import load as load_world
    except ModuleNotFoundError as error:
        raise NumpyMissing() from error
    here = load_world(world) if world else World()
    asked = grids.Asked() if grid else _asked(p, pool, hour, load, seed, policy)
    settings = _settings(matching)
    if check and not json:
        _print_check(grids.check_b1())
    simulated = _read(cells) if cells else _run(grids.cells, asked, here, settings, jobs)
    found = verdict.summaries(simulated)
    if plot:
        from matching.simulator.plot import svg

        plot.write_text(svg(found, "visavis and its rivals in simulated towns"), encoding="utf-8")
    if report:
        from matching.simulator.plot import svg
        from matching.simulator.report import report as written

        picture = report.with_suffix(".svg")
        picture.write_text(svg(found, "visavis and its rivals in simulated towns"), encoding="utf-8")
        report.write_text(written(found, verdict.findings(found), picture.name), encoding="utf-8")
    if json:
        from matching.simulator.cells import Cells

        print(msgspec.json.encode(Cells(simulated)).decode())
        return
    print(verdict.table(found))
    print()
    print(verdict.verdict(verdict.findings(found)))


def _read(paths: list[Path]) -> list[Cell]:
    """The cells of files that `--json` printed. Raises `WorldInvalid` for anything else."""
    from matching.simulator.cells import Cells
    from matching.simulator.world import WorldInvalid

    found: list[Cell] = []
    for path in paths:
        try:
            found += msgspec.json.decode(path.read_bytes(), type=Cells).cells
        except (msgspec.DecodeError, OSError) as error:
            raise WorldInvalid(file=path.name, why=f"it holds no cells ({error})") from error
    return found


def _settings(matching: str) -> MatchingSettings:
    from signaling.settings import read

    return MatchingSettings() if matching == "defaults" else read(development=True).matching


def _asked(p: str, pool: str, hour: str, load: str, seed: str, policy: str) -> Asked:
    from matching.simulator.cells import HOURS, LOADS, POLICIES
    from matching.simulator.grid import Asked

    return Asked(
        ps=tuple(_number("--p", text, float, 0.0001, 1.0) for text in p.split(",")),
        pools=tuple(_number("--pool", text, int, 1, 10_000_000) for text in pool.split(",")),
        hours=tuple(_one_of("--hour", text, tuple(HOURS)) for text in hour.split(",")),
        loads=tuple(_one_of("--load", text, LOADS) for text in load.split(",")),
        seeds=tuple(_number("--seed", text, int, 0, 2**31) for text in seed.split(",")),
        policies=tuple(_one_of("--policy", text, POLICIES) for text in policy.split(",")),
    )


def _number(name: str, text: str, kind: type[N], least: N, most: N) -> N:
    try:
        value = kind(text)
    except ValueError:
        raise CellImpossible(name=name, value=text, why=f"it is a number from {least} to {most}") from None
    if not least <= value <= most:
        raise CellImpossible(name=name, value=text, why=f"it is from {least} to {most}")
    return value


def _one_of(name: str, text: str, known: tuple[str, ...]) -> str:
    if text not in known:
        raise CellImpossible(name=name, value=text, why=f"it is one of {', '.join(known)}")
    return text


def _run(
    work: Callable[..., list[Cell]], asked: Asked, world: World, settings: MatchingSettings, jobs: int
) -> list[Cell]:
    """The cells, with a bar on standard error where somebody watches."""
    if not sys.stderr.isatty():
        return work(asked, world, settings, jobs=jobs or None)
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("simulating", total=len(asked.runs))
        return work(asked, world, settings, lambda done, of: bar.update(task, completed=done), jobs or None)


def _print_check(found: list[tuple[float, float, Cell]]) -> None:
    """B1 beside the published figures; a figure outside its range by more than a tenth is marked."""
    from matching.simulator.grid import PUBLISHED_FIGURES

    print("B1, everybody alike, for ever patient; published figures in brackets")
    for p, delay, cell in found:
        parts = []
        for name, (low, high) in PUBLISHED_FIGURES[p].items():
            value = getattr(cell, name)
            parts.append(f"{name} {value:.1f} ({low:g}-{high:g}){'' if low * 0.9 <= value <= high * 1.1 else ' FAR'}")
        print(f"  p {p:g}, median delay {delay:g} s: " + ", ".join(parts))
    print()
