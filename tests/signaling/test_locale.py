"""Every word of the source is in every catalog, and means the same there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from babel.messages import Catalog, Message

from signaling import i18n
from signaling.i18n import FOLDER
from tests.signaling import catalog as catalogs

LANGUAGES = sorted(path.stem for path in FOLDER.glob("*.po"))
PLACEHOLDER = re.compile(r"%\((\w+)\)([a-z])|%%")
NAMES = {"ready", "off", "live", "page", "front", "wide", "figures"}
"""Names of screens and kinds of page that one template gives to another."""
Key = str | tuple[str, ...]


def key(message: Message) -> Key:
    return tuple(message.id) if isinstance(message.id, list | tuple) else str(message.id)


def texts(value: object) -> list[str]:
    return [str(text) for text in value] if isinstance(value, list | tuple) else [str(value)]


def by_key(catalog: Catalog) -> dict[Key, Message]:
    return {key(message): message for message in catalog if message.id}


@pytest.fixture(scope="module")
def source() -> dict[Key, Message]:
    return by_key(catalogs.template())


@pytest.fixture(scope="module", params=LANGUAGES)
def translated(request: pytest.FixtureRequest) -> dict[Key, Message]:
    return by_key(catalogs.read(FOLDER / f"{request.param}.po"))


def test_the_extraction_finds_every_kind_of_source(source: dict[Key, Message]) -> None:
    """One known message of each kind; without them, the tests below would be pleased by an empty catalog."""
    assert "Call a volunteer" in source  # a template
    assert "The connection is back." in source  # a script
    assert ("You earned %(count)s point.", "You earned %(count)s points.") in source  # a script's plural
    assert ("There is a problem", "There are %(count)s problems") in source  # a template's plural
    assert "Type the six digits from the mail." in source  # the server
    assert "Your code to sign in to visavis:" in source  # a mail
    assert "You have no such call." in source  # an error
    assert len(source) > 300


def test_nothing_is_missing(source: dict[Key, Message], translated: dict[Key, Message]) -> None:
    missing = [name for name in source if name not in translated or not all(texts(translated[name].string or ""))]
    assert not missing, "update the catalogs: python -m tests.signaling.catalog"


def test_nothing_is_fuzzy(translated: dict[Key, Message]) -> None:
    assert not [name for name, message in translated.items() if message.fuzzy]


def test_nothing_is_unused(source: dict[Key, Message], translated: dict[Key, Message]) -> None:
    assert not [name for name in translated if name not in source]


def test_placeholders_are_the_same(translated: dict[Key, Message]) -> None:
    """A plural form may leave its count out ("Once"), but no form may ask for what the source does not give."""
    for name, message in translated.items():
        given = {match.group(0) for text in texts(message.id) for match in PLACEHOLDER.finditer(text)}
        for text in texts(message.string):
            asked = {match.group(0) for match in PLACEHOLDER.finditer(text)}
            assert asked <= given, name
            assert given - asked <= {"%(count)s"} if isinstance(name, tuple) else asked == given, name


def test_no_translation_has_lost_its_ends(translated: dict[Key, Message]) -> None:
    """A sentence stays a sentence, a label a label."""
    for name, message in translated.items():
        for text, ours in zip(texts(message.id), texts(message.string), strict=False):
            assert ours == ours.strip(), name
            assert text.rstrip()[-1] in ".!?:" or ours[-1] not in "!?:", name


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_source_counts_as_the_catalog_says(language: str) -> None:
    """The browser's table of plural forms agrees with gettext's rule, also beyond its end."""
    words = i18n.words(language)
    table = json.loads(words.catalog())["plurals"]
    assert len(table) == i18n.PLURALS
    for count in (*range(i18n.PLURALS), 200, 201, 211, 1000, 1001):
        index = count if count < i18n.PLURALS else 100 + count % 100
        assert int(table[index]) == int(words.translations.plural(count))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_browser_gets_what_its_scripts_say(language: str) -> None:
    catalog = json.loads(i18n.words(language).catalog())
    assert catalog["locale"] == language
    scripts = [key(m) for m in catalogs.template() if any(name.endswith(".js") for name, _ in m.locations)]
    assert set(catalog["messages"]) == {name if isinstance(name, str) else name[0] for name in scripts}
    assert "Staff" not in catalog["messages"]


def test_words_are_filled() -> None:
    french = i18n.words("fr")
    assert french("%(code)s is your visavis code", {"code": "123456"}) == "123456 est votre code visavis"
    assert french.ngettext("point", "points", 0) == "point"
    assert french.ngettext("point", "points", 2) == "points"
    assert i18n.words("en").ngettext("point", "points", 0) == "points"
    assert i18n.words("xx").locale == "en"


def test_the_language_asked_for() -> None:
    assert i18n.best("fr-CA") == "fr"
    assert i18n.best(None, "de, fr;q=0.8, en;q=0.9") == "en"
    assert i18n.best("tlh", "nonsense;q=x", "") == "en"


def test_templates_have_no_words_outside_the_catalog() -> None:
    """Text between tags stands in `_()`: what is left after taking out tags, statements and expressions is nothing."""
    folder = Path(i18n.__file__).with_name("templates")
    for path in set(folder.glob("*.html")) - {folder / "docs.html"}:  # for programmers, in English and marked as such
        text = re.sub(r"{#.*?#}|{%.*?%}|{{.*?}}|<!--.*?-->", " ", path.read_text(), flags=re.DOTALL)
        text = re.sub(r'<[^>]*>|\baria-\w+="[^"]*"', " ", text)
        words = set(re.findall(r"[A-Za-z]{2,}", text)) - {"visavis", "UTC"} - NAMES
        assert not words, path.name
        assert not re.search(r'\b(aria-label|alt|title|placeholder)="[^"{]*[A-Za-z]', path.read_text()), path.name
