"""Words in people's languages: gettext catalogs, read as they are from `locale/LANGUAGE.po`. English is the language of
the source; adding a language is adding one file."""

from __future__ import annotations

import io
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import msgspec
from babel import Locale, UnknownLocaleError
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations

FOLDER = Path(__file__).with_name("locale")
SOURCE = "en"
PLURALS = 200
"""Plural forms are told to the browser as a table of this many counts. Beyond it they repeat with the period 100, as
the rules of all languages with two or more forms do."""


class Words:
    """The catalog of one language."""

    def __init__(self, locale: str) -> None:
        self.locale = locale
        self.direction = Locale.parse(locale, sep="-").text_direction
        self.translations = Translations()
        self._for_browser: dict[str, str | list[str]] = {}
        path = FOLDER / f"{locale}.po"
        if locale != SOURCE and path.exists():
            with path.open("rb") as file:
                catalog = read_po(file, locale=locale.replace("-", "_"))
            compiled = io.BytesIO()
            write_mo(compiled, catalog)
            compiled.seek(0)
            self.translations = Translations(compiled)
            self._for_browser = _of_scripts(catalog)

    @property
    def name(self) -> str:
        """What the language calls itself."""
        return Locale.parse(self.locale, sep="-").get_display_name() or self.locale

    def __call__(self, text: str, data: Mapping[str, object] | None = None) -> str:
        """`text` in this language, with `%(name)s` filled from `data`."""
        translated = self.translations.gettext(text) if text else ""
        return translated % data if data else translated

    def ngettext(self, one: str, many: str, count: int, data: Mapping[str, object] | None = None) -> str:
        """`one` or `many`, as this language counts, with `%(count)s` filled."""
        return self.translations.ngettext(one, many, count) % {"count": count, **(data or {})}

    def catalog(self) -> bytes:
        """What the scripts in the browser need, as JSON: their messages, and which plural form each count takes."""
        plural = self.translations.plural
        table = "".join(str(int(plural(count))) for count in range(PLURALS))
        return msgspec.json.encode({"locale": self.locale, "plurals": table, "messages": self._for_browser})


def _of_scripts(catalog: Catalog) -> dict[str, str | list[str]]:
    """The messages found in a .js file."""
    found: dict[str, str | list[str]] = {}
    for message in catalog:
        if message.id and message.string and any(name.endswith(".js") for name, _ in message.locations):
            if isinstance(message.id, str):
                found[message.id] = str(message.string)
            else:
                found[message.id[0]] = list(message.string)
    return found


@cache
def available() -> tuple[str, ...]:
    """The languages there are catalogs for, English first."""
    return (SOURCE, *sorted(path.stem for path in FOLDER.glob("*.po")))


@cache
def words(locale: str) -> Words:
    """The catalog for a language that is available; English for any other."""
    return Words(locale if locale in available() else SOURCE)


def best(*wishes: str | None) -> str:
    """The first available language among wishes, each a tag or an Accept-Language header (RFC 9110 section 12.5.4)."""
    for wish in wishes:
        for tag in _by_quality(wish or ""):
            try:
                found = Locale.negotiate([tag.replace("-", "_")], [one.replace("-", "_") for one in available()])
            except (ValueError, UnknownLocaleError):
                continue
            if found is not None:
                return str(found).replace("_", "-")
    return SOURCE


def _by_quality(header: str) -> list[str]:
    weighted = []
    for index, part in enumerate(header.split(",")[:20]):
        tag, _, parameter = part.strip().partition(";")
        try:
            quality = float(parameter.strip().removeprefix("q=")) if parameter else 1.0
        except ValueError:
            continue
        if tag and tag != "*" and quality > 0 and len(tag) <= 35:
            weighted.append((-quality, index, tag))
    return [tag for _, _, tag in sorted(weighted)]
