"""`python -m tests.mutants [WORD]`: takes the guards out one by one, in a copy of the tree, and sees that a test turns
red. A mutant that survives is a guard that no test holds."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent


class Mutant(NamedTuple):
    """One guard taken out: what it guards, where, the text and what replaces it, and the tests that should see it."""

    guard: str
    file: str
    text: str
    instead: str
    tests: str


def survives(mutant: Mutant, copy: Path) -> bool:
    """Whether the tests stay green without the guard."""
    path = copy / mutant.file
    original = path.read_text()
    if original.count(mutant.text) != 1:
        raise SystemExit(f"“{mutant.guard}”: {mutant.file} has that text {original.count(mutant.text)} times")
    path.write_text(original.replace(mutant.text, mutant.instead))
    try:
        run = subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                "-x",
                "-q",
                "-p",
                "no:cacheprovider",
                "--timeout=60",
                *shlex.split(mutant.tests),
            ],
            cwd=copy,
            env=os.environ | {"PYTHONPATH": str(copy)},
            capture_output=True,
            check=False,
        )
    finally:
        path.write_text(original)
    return run.returncode == 0


def main(arguments: list[str]) -> int:
    with (ROOT / "tests" / "mutants.toml").open("rb") as file:
        mutants = [Mutant(**entry) for entry in tomllib.load(file)["mutant"]]
    chosen = [mutant for mutant in mutants if all(word in mutant.guard + mutant.file for word in arguments)]
    alive = []
    with tempfile.TemporaryDirectory(prefix="visavis-mutants-") as folder:
        Path(folder).chmod(0o755)
        copy = Path(folder) / "tree"
        ignored = shutil.ignore_patterns(
            ".git", ".venv", "var", "node_modules", "__pycache__", ".*_cache", "*.egg-info"
        )
        shutil.copytree(ROOT, copy, ignore=ignored)
        for mutant in chosen:
            started = time.monotonic()
            lives = survives(mutant, copy)
            alive += [mutant.guard] if lives else []
            print(
                f"{'SURVIVED' if lives else 'killed':<9} {time.monotonic() - started:5.1f} s  {mutant.guard}",
                flush=True,
            )
    print(f"{len(chosen) - len(alive)} killed, {len(alive)} survived")
    return 1 if alive else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
