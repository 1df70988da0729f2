"""Who is rung: whoever shares a language and is awake, in the board's order."""

from __future__ import annotations

from datetime import UTC, datetime

from accounts.model import QuietWindow
from matching import ranking
from matching.waves import Tier
from tests.matching.makers import request, volunteer

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_languages_are_matched_by_what_is_spoken() -> None:
    asked = request(languages=("pt-BR", "en"))
    assert ranking.shared(asked, volunteer("pt-PT")) == ("pt-BR",)
    assert ranking.shared(asked, volunteer("en-GB", "pt")) == ("pt-BR", "en")
    assert ranking.shared(asked, volunteer("fr")) == ()


def test_the_first_tier_is_the_first_language() -> None:
    asked = request(languages=("pt-BR", "en", "en-GB", "fr"))
    assert ranking.keys(asked, Tier.FIRST) == ("pt",)
    assert ranking.keys(asked, Tier.SECOND) == ("en", "fr")


def test_the_order_is_kept_and_cut() -> None:
    people = [volunteer(), volunteer(), volunteer()]
    assert ranking.choose(request(), people, 2, NOON) == people[:2]


def test_who_sleeps_or_speaks_another_language_falls_out() -> None:
    asleep = volunteer(time_zone="Asia/Tokyo", quiet=(QuietWindow("20:00", "07:00"),))
    awake, french = volunteer(), volunteer("fr")
    assert ranking.choose(request(), [asleep, french, awake], 5, NOON) == [awake]
