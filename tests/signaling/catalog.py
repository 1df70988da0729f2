"""Finds every message of the source and brings the catalogs up to date: `python -m tests.signaling.catalog`.

Messages stand in templates and scripts as `_("…")` and `ngettext("…", "…", count)`, in Python also as `words("…")` and
`language("…")`, and as the `detail` of each error that the edge tells people. Errors that only an operator reads in a
terminal are in English."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from babel.messages import Catalog
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po

from signaling.i18n import FOLDER
from signaling.problems import STATUS

ROOT = Path(__file__).parents[2]
FLOORS = ("accounts", "matching", "rating", "signaling")
KEYWORDS: dict[str, tuple[int, ...] | None] = {
    "_": None,
    "words": None,
    "language": None,
    "translate": None,
    "ngettext": (1, 2),
}
METHODS = {
    ".py": "python",
    ".html": "jinja2.ext:babel_extract",
    ".txt": "jinja2.ext:babel_extract",
    ".js": "javascript",
}
OPTIONS = {"jinja2.ext:babel_extract": {"silent": "false"}, "javascript": {"template_string": "false"}}

Found = tuple[str, int, str | tuple[str, ...]]


def found() -> Iterator[Found]:
    """(file, line, message) of every message in the source."""
    for floor in FLOORS:
        for path in sorted((ROOT / floor).rglob("*")):
            method = METHODS.get(path.suffix)
            if method is None or "migrations" in path.parts:
                continue
            name = path.relative_to(ROOT).as_posix()
            source = path.read_bytes()
            for line, message, _, _ in extract(
                method, io.BytesIO(source), keywords=KEYWORDS, options=OPTIONS.get(method, {})
            ):
                if message and all(message):
                    yield name, line, message
    for error in STATUS:
        source_file = sys.modules[error.__module__].__file__
        assert source_file is not None
        yield Path(source_file).relative_to(ROOT).as_posix(), 1, error.detail


def template() -> Catalog:
    """A catalog with every message and no translation."""
    catalog = Catalog(project="visavis", copyright_holder="the visavis authors", fuzzy=False)
    for name, line, message in found():
        catalog.add(message, locations=[(name, line)], flags=["python-format"] if "%(" in str(message) else [])
    return catalog


def begun(language: str) -> Catalog:
    """The catalog of a language that has none yet."""
    return Catalog(
        locale=language.replace("-", "_"),
        header_comment="# The words of visavis. How to work with this file: docs/how-to/add-a-language.md",
        project="visavis",
        version="1",
        msgid_bugs_address="the issues of this repository",
        last_translator="the visavis authors",
        language_team=language,
        revision_date=datetime.now(UTC),
        fuzzy=False,
    )


def read(path: Path) -> Catalog:
    """The catalog of a language."""
    with path.open("rb") as file:
        return read_po(file, locale=path.stem.replace("-", "_"))


def write(path: Path, catalog: Catalog) -> None:
    """Sorted by where messages stand, without line numbers: a diff shows what changed in words."""
    with path.open("wb") as file:
        write_po(file, catalog, width=110, include_lineno=False, omit_header=False, ignore_obsolete=True)


def main() -> None:
    """Bring the catalogs up to date, or begin those of the languages that are named."""
    fresh = template()
    wanted = {FOLDER / f"{language}.po" for language in sys.argv[1:]}
    for path in sorted(wanted | set(FOLDER.glob("*.po"))):
        catalog = read(path) if path.exists() else begun(path.stem)
        fresh.creation_date = catalog.creation_date  # or every update would be a change
        catalog.update(fresh, no_fuzzy_matching=True)
        write(path, catalog)
        empty = sum(1 for message in catalog if message.id and not all(message.string or [""]))
        print(f"{path.stem}: {len(catalog)} messages, {empty} to translate")


if __name__ == "__main__":
    main()
