"""Where a volunteer stands in the index, and when somebody looks again."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.model import QuietWindow
from matching.model import Evidence
from matching.placement import IN_CALL, QUARTER, Band, Facts, Place, band, place
from matching.responses import Population
from tests.matching.test_quiet import NIGHT

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
DAY = 86_400.0
PRIOR = Population().push


def put(also: tuple[str, ...] = (), **changes: Any) -> Place:
    whole: dict[str, Any] = {"id": uuid.uuid4(), "now": NOW, "may_meet": True, "languages": ("en",)}
    return place(Facts(**(whole | changes)), PRIOR, DAY, also)


def hours(number: float) -> datetime:
    return NOW + timedelta(hours=number)


def test_somebody_free_stands_in_every_language() -> None:
    found = put(languages=("pt-BR", "en"), evidence=Evidence(2, 8, 1), last_rung=hours(-30), calls=3, trusted=True)
    assert found.stands == {"pt", "en"}
    assert found.waits == found.leaves == frozenset()
    assert (found.evidence, found.calls, found.trusted) == (Evidence(2, 8, 1), 3, True)
    assert found.last_rung == hours(-30).timestamp()
    assert found.until > found.look_at > NOW.timestamp()


@pytest.mark.parametrize(
    "never",
    [
        {"may_meet": False},
        {"device": False},
        {"alerts_per_day": 0},
        {"languages": ()},
        {"languages": ("fr", "fr-CA"), "muted": ("fr",)},
    ],
)
def test_whoever_may_not_be_rung_stands_nowhere_and_waits_for_nothing(never: dict[str, Any]) -> None:
    found = put(("en",), **never)
    assert found.stands == found.waits == frozenset()
    assert "en" in found.leaves or "fr" in found.leaves


def test_a_muted_language_is_left_and_the_others_stay() -> None:
    found = put(languages=("fr", "en"), muted=("fr-FR",))
    assert found.stands == {"en"}
    assert found.leaves == {"fr"}


def test_a_language_that_is_not_spoken_any_more_is_left() -> None:
    found = put(("de-AT", "en"))
    assert found.stands == {"en"}
    assert found.leaves == {"de"}


@pytest.mark.parametrize(
    ("reason", "until"),
    [
        ({"snoozed_until": hours(3)}, hours(3)),
        ({"device_from": hours(0.5)}, hours(0.5)),
        ({"quiet_hours": (QuietWindow("11:00", "14:00"),)}, hours(2)),
        ({"pushes": (hours(-20), hours(-2))}, hours(4)),
        ({"pushes": (hours(-20), hours(-2), hours(-1))}, hours(22)),
        ({"pushes": (hours(-1),), "alerts_per_day": 1}, hours(23)),
        ({"in_call": True}, NOW + IN_CALL),
        ({"snoozed_until": hours(3), "pushes": (hours(-19), hours(-2))}, hours(5)),
        ({"snoozed_until": hours(3) + timedelta(minutes=1)}, hours(3.25)),
    ],
)
def test_whoever_has_to_wait_is_looked_at_when_that_is_over(reason: dict[str, Any], until: datetime) -> None:
    found = put(**reason)
    assert found.waits == {"en"}
    assert found.stands == frozenset()
    assert found.look_at == min(until.timestamp(), put(id=found.id).look_at)


@pytest.mark.parametrize(
    "over", [{"snoozed_until": hours(-1)}, {"device_from": hours(-1)}, {"pushes": (hours(-24), hours(-2))}]
)
def test_what_is_over_forbids_nothing(over: dict[str, Any]) -> None:
    assert put(**over).stands == {"en"}


def test_it_stands_until_the_window_opens() -> None:
    found = put(quiet_hours=NIGHT, time_zone="Europe/Paris")
    assert found.until == found.look_at == hours(9).timestamp()
    assert found.offset == 3600


def test_a_window_that_opens_at_an_odd_minute_is_kept_to_the_minute() -> None:
    found = put(quiet_hours=(QuietWindow("13:37", "15:00"),))
    assert found.until == NOW.replace(hour=13, minute=37).timestamp()
    assert found.look_at == NOW.replace(hour=13, minute=45).timestamp()


def test_quiet_all_week_waits() -> None:
    found = put(quiet_hours=(QuietWindow("00:00", "12:00"), QuietWindow("12:00", "00:00")))
    assert found.waits == {"en"}
    assert found.look_at <= NOW.timestamp() + DAY + QUARTER


def test_a_zone_that_vanished_is_taken_for_utc() -> None:
    found = put(quiet_hours=NIGHT, time_zone="Europe/Atlantis")
    assert (found.until, found.offset) == (hours(10).timestamp(), 0)


@given(st.uuids(), st.floats(0, 40), st.floats(0, 40))
def test_everybody_is_looked_at_within_a_day(id_: uuid.UUID, snooze: float, push: float) -> None:
    found = put(id=id_, snoozed_until=hours(snooze), pushes=(hours(-push), hours(-push / 2)))
    assert NOW.timestamp() <= found.look_at <= NOW.timestamp() + DAY + QUARTER
    assert found.look_at % QUARTER == 0


def test_old_evidence_counts_for_less() -> None:
    found = put(evidence=Evidence(4, 8, 2), evidence_at=NOW - timedelta(days=180))
    assert found.evidence == Evidence(2, 4, 2)


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        (Evidence(), Band.NEW),
        (Evidence(0, 2.9, 2), Band.NEW),
        (Evidence(1, 2, 0), Band.OFTEN),
        (Evidence(0, 12, 12), Band.RARE),
        (Evidence(1, 12, 3), Band.SOME),
        (Evidence(8, 30, 0), Band.MOSTLY),
        (Evidence(8, 12, 0), Band.ALWAYS),
    ],
)
def test_bands(evidence: Evidence, expected: Band) -> None:
    assert band(evidence, PRIOR) is expected
