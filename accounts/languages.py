"""Language tags (BCP 47, RFC 5646): checked against CLDR's names, written the canonical way, matched by language."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

from babel import Locale, UnknownLocaleError, localedata
from babel.core import get_global

from accounts.errors import LanguagesMissing, LanguageUnknown, MutedNotSpoken

_TAG = re.compile(r"^([a-zA-Z]{2,3})(?:[-_]([a-zA-Z]{4}))?(?:[-_]([a-zA-Z]{2}|[0-9]{3}))?$")


@cache
def _names() -> dict[str, str]:
    return dict(Locale("en").languages.items())


@cache
def canonical(tag: str) -> str:
    """`tag` as language[-Script][-REGION] in canonical case, deprecated codes replaced (`iw` becomes `he`).
    Raises `LanguageUnknown`."""
    match = _TAG.match(tag.strip())
    if not match:
        raise LanguageUnknown(language=tag[:40])
    language, script, region = match.groups()
    language = language.lower()
    language = get_global("language_aliases").get(language, language).split("_")[0]
    if language not in _names() or language in {"mul", "und", "zxx", "root"}:
        raise LanguageUnknown(language=tag[:40])
    parts = [language]
    if script:
        parts.append(script.title())
    if region:
        parts.append(region.upper())
    return "-".join(parts)


def canonical_all(tags: Iterable[str], at_most: int = 10) -> list[str]:
    """The distinct canonical tags in the order given. Raises `LanguageUnknown`, or `LanguagesMissing` for none or
    more than `at_most`."""
    found = list(dict.fromkeys(canonical(tag) for tag in tags))
    if not 1 <= len(found) <= at_most:
        raise LanguagesMissing()
    return found


def muted(tags: Iterable[str], languages: Iterable[str]) -> list[str]:
    """Those of `languages` that `tags` name, the canonical way. Raises `LanguageUnknown`, `MutedNotSpoken`."""
    spoken_by_them = list(languages)
    named = dict.fromkeys(canonical(tag) for tag in tags)
    for tag in named:
        if tag not in spoken_by_them:
            raise MutedNotSpoken(language=tag)
    return [tag for tag in spoken_by_them if tag in named]


def spoken(tag: str) -> str:
    """The part of a canonical tag by which people are matched: two who speak `pt-BR` and `pt-PT` understand each
    other."""
    return tag.split("-", 1)[0]


@cache
def name(tag: str, locale: str = "en") -> str:
    """What the language is called in `locale` ("French", "français"); the tag itself where CLDR has no name."""
    try:
        called = Locale.parse(tag, sep="-").get_display_name(locale)
    except (ValueError, UnknownLocaleError):
        called = Locale.parse(locale, sep="-").languages.get(spoken(tag))
    return called or tag


@cache
def choices(locale: str) -> list[tuple[str, str]]:
    """(tag, name) of every language with CLDR data, by name in `locale`: what a form offers."""
    here = Locale.parse(locale, sep="-")
    tags = {identifier.split("_")[0] for identifier in localedata.locale_identifiers()} - {"root"}
    named = [(tag, here.languages[tag]) for tag in tags if tag in here.languages and tag in _names()]
    return sorted(named, key=lambda pair: pair[1].casefold())
