"""What a profile may hold: languages, time zones, quiet hours, aliases, addresses."""

from __future__ import annotations

import pytest

from accounts import consent, languages
from accounts.codes import canonical_email, new_code, typed
from accounts.errors import (
    AliasInvalid,
    ConsentMissing,
    EmailInvalid,
    LanguagesMissing,
    LanguageUnknown,
    QuietHoursInvalid,
    TimeZoneUnknown,
)
from accounts.model import DAYS, QuietWindow, checked_alias, checked_time_zone


@pytest.mark.parametrize(
    ("tag", "canonical"),
    [
        ("en", "en"),
        ("EN", "en"),
        ("pt-br", "pt-BR"),
        ("zh_hant_tw", "zh-Hant-TW"),
        ("es-419", "es-419"),
        ("iw", "he"),
        ("yue", "yue"),
        ("ase", "ase"),
    ],
)
def test_a_language_is_written_the_canonical_way(tag: str, canonical: str) -> None:
    assert languages.canonical(tag) == canonical


@pytest.mark.parametrize("tag", ["", "e", "klingon", "xx", "en-", "en-GB-oed-x", "und", "mul", "é", "en\n"])
def test_an_unknown_language_is_refused_and_named(tag: str) -> None:
    if tag == "en\n":
        assert languages.canonical(tag) == "en"
        return
    with pytest.raises(LanguageUnknown):
        languages.canonical(tag)


def test_languages_keep_their_order_and_lose_their_doubles() -> None:
    assert languages.canonical_all(["fr", "EN", "en", "FR"]) == ["fr", "en"]


@pytest.mark.parametrize("tags", [[], ["en", "fr", "de", "es", "it", "pt", "nl", "sv", "da", "fi", "pl"]])
def test_no_language_or_too_many_are_refused(tags: list[str]) -> None:
    with pytest.raises(LanguagesMissing):
        languages.canonical_all(tags)


def test_languages_have_names_in_the_readers_language() -> None:
    assert languages.name("fr", "en") == "French"
    assert languages.name("fr", "fr") == "français"
    assert "Brazil" in languages.name("pt-BR", "en")
    assert dict(languages.choices("en"))["de"] == "German"
    assert len(languages.choices("en")) >= 185


@pytest.mark.parametrize("zone", ["Europe/Paris", "America/Argentina/Buenos_Aires", "UTC", "Asia/Kolkata"])
def test_an_iana_zone_is_taken(zone: str) -> None:
    assert checked_time_zone(zone) == zone


@pytest.mark.parametrize("zone", ["", "Paris", "GMT+2", "../etc/passwd", "Europe/Atlantis", "localtime", "\0"])
def test_another_zone_is_refused(zone: str) -> None:
    with pytest.raises(TimeZoneUnknown):
        checked_time_zone(zone)


def test_quiet_hours_are_tidied() -> None:
    assert QuietWindow("7:05", "22:00", ("sun", "mon")).checked() == QuietWindow("07:05", "22:00", ("mon", "sun"))
    assert QuietWindow("22:00", "24:00").checked() == QuietWindow("22:00", "00:00", DAYS)


@pytest.mark.parametrize(
    "window",
    [
        QuietWindow("22:00", "22:00"),
        QuietWindow("22", "07:00"),
        QuietWindow("25:00", "07:00"),
        QuietWindow("22:60", "07:00"),
        QuietWindow("22:00", "7:5"),
        QuietWindow("-1:00", "07:00"),
        QuietWindow("22:00", "07:00", ("someday",)),
        QuietWindow("٢٢:00", "07:00"),
    ],
)
def test_impossible_quiet_hours_are_refused(window: QuietWindow) -> None:
    with pytest.raises(QuietHoursInvalid):
        window.checked()


@pytest.mark.parametrize(
    ("alias", "kept"),
    [("Robin", "Robin"), ("  Jean-Luc  B. ", "Jean-Luc B."), (None, None), (" ", None), ("Åsa", "Åsa")],
)
def test_an_alias_is_tidied(alias: str | None, kept: str | None) -> None:
    assert checked_alias(alias) == kept


@pytest.mark.parametrize(
    "alias", ["x" * 31, "me@example.org", "www.example.org", "call 0612345678", "<b>", "a\u202eb", "a\0b", "http://x"]
)
def test_an_alias_is_no_way_to_get_in_touch(alias: str) -> None:
    with pytest.raises(AliasInvalid):
        checked_alias(alias)


@pytest.mark.parametrize(
    ("address", "canonical"),
    [
        (" Ada@Example.ORG ", "ada@example.org"),
        ("ada+x@münchen.de", "ada+x@münchen.de"),
        ("a@x.test", "a@x.test"),
        ("a@mail.local", "a@mail.local"),
    ],
)
def test_an_address_is_written_one_way(address: str, canonical: str) -> None:
    assert canonical_email(address) == canonical


@pytest.mark.parametrize(
    "address", ["", "a", "a@", "@b.org", "a@b", "a b@c.org", "a@b..org", "a@[127.0.0.1]", "a\n@b.org"]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(EmailInvalid):
        canonical_email(address)


def test_a_code_is_six_digits_however_it_is_pasted() -> None:
    code = new_code()
    assert len(code) == 6
    assert code.isdecimal()
    assert typed(" 123-456 ") == typed("123 456\n") == "123456"
    assert typed("١٢٣") == ""


def test_only_the_current_terms_can_be_agreed_to() -> None:
    assert consent.accepted(True) == consent.accepted(consent.CURRENT) == consent.CURRENT
    for no in (False, "", "1999-01"):
        with pytest.raises(ConsentMissing):
            consent.accepted(no)
