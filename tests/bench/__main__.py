"""`python -m tests.bench [NAME …] [--json]`: all of them by default."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

from tests.bench import candidates, connections, match, setup

BENCHMARKS: dict[str, Callable[[], Coroutine[Any, Any, dict[str, Any]]]] = {
    "candidates": candidates.run,
    "match": match.run,
    "connections": connections.run,
    "setup": setup.run,
}


def main(arguments: list[str]) -> int:
    names = [argument for argument in arguments if argument != "--json"] or list(BENCHMARKS)
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"There is no benchmark {unknown[0]}. There are: {', '.join(BENCHMARKS)}.", file=sys.stderr)
        return 2
    results: dict[str, Any] = {}
    for name in names:
        figures = asyncio.run(BENCHMARKS[name]())
        results |= figures if name in figures else {name: figures}
    if "--json" in arguments:
        print(msgspec.json.encode(results).decode())
        return 0
    for name, figures in results.items():
        if not isinstance(figures, dict):
            print(name, *(figures if isinstance(figures, list) else [figures]), sep="\n  ")
            continue
        print(name)
        for figure, value in figures.items():
            shown = f"{value['min']} / {value['median']} / {value['max']}" if isinstance(value, dict) else value
            print(f"  {figure:<26} {shown}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
