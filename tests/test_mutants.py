"""Every mutant of `mutants.toml` can be made: its text is where it says, once, and its tests exist."""

from __future__ import annotations

import tomllib

from tests.mutants import ROOT, Mutant


def mutants() -> list[Mutant]:
    return [Mutant(**entry) for entry in tomllib.loads((ROOT / "tests" / "mutants.toml").read_text())["mutant"]]


def test_the_text_of_every_mutant_occurs_once() -> None:
    files = {mutant.file: (ROOT / mutant.file).read_text() for mutant in mutants()}
    odd = [
        (each.guard, files[each.file].count(each.text)) for each in mutants() if files[each.file].count(each.text) != 1
    ]
    assert odd == [], "put these right: the guard was moved, or written twice"


def test_every_mutant_changes_something_and_has_tests() -> None:
    for mutant in mutants():
        assert mutant.text != mutant.instead, mutant.guard
        paths = [part.partition("::")[0] for part in mutant.tests.split() if part.startswith("tests/")]
        assert paths, mutant.guard
        assert all((ROOT / path).exists() for path in paths), mutant.guard


def test_no_guard_is_listed_twice() -> None:
    guards = [mutant.guard for mutant in mutants()]
    assert sorted(set(guards)) == sorted(guards)
