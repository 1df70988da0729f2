"""The public figures: what they say, what they hide, how rarely they are read; and what Prometheus gets of them."""

from __future__ import annotations

import asyncio
import csv
import io
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from accounts.errors import Unavailable
from accounts.postgres import Pool, borrowed, close_pool
from matching.responses import Population
from matching.stats import FRESH, SHARE, Statistics, Stats, read
from tests.client import Client
from tests.flows.conftest import Make
from tests.flows.test_after_call import finished
from tests.house import Server
from tests.matching.months import DAY, asked, crowd, evidence

Answer = dict[str, Any]


async def fetched(server: Server) -> Answer:
    """`/v1/stats` as somebody gets it who is not signed in."""
    async with Client(server.base) as anybody:
        found: Answer = await anybody.call("GET", "/v1/stats")
        return found


async def now(pool: Pool) -> Stats:
    """The figures as they are."""
    async with borrowed(pool) as connection:
        return await read(connection, Population())


async def test_nothing_is_told_of_a_few(server: Server, caller: Make, volunteer: Make, pool: Pool) -> None:
    asker, helper = await caller(server.base), await volunteer(server.base)
    await finished(asker, helper, pool)
    found = await fetched(server)
    assert found["people"] == {"callers": None, "volunteers": None, "languages": []}
    assert found["calls"] == {"total": None, "last_30_days": None}
    assert found["windows"] == [
        {"window": name, "all": None, "languages": [], "channels": []} for name in ("24h", "7d", "30d")
    ]
    assert len(found["days"]) == 30
    assert {each["p50_wait"] for each in found["days"]} == {None}
    assert found["first_calls"] == {
        "willing": None,
        "had_call_share": None,
        "within_30_days_share": None,
        "languages": [],
    }


async def test_what_the_figures_say(server: Server, pool: Pool) -> None:
    callers, helpers = await crowd(pool, "caller", 6), await crowd(pool, "volunteer", 6)
    for at, asker in enumerate(callers):
        # Each rings three: one answers, one is late for every second caller, one stays silent.
        rung = (helpers * 2)[at : at + 3]
        await asked(pool, asker, *rung, waited=10.0 * (at + 1), late=at % 2, channel="socket")
    await asked(pool, callers[0], *helpers[3:], waited=200.0, answered=False)
    await asked(pool, callers[0], *helpers[3:], waited=1.0, ago=20 * DAY)
    found = await fetched(server)
    assert found["people"] == {"callers": 6, "volunteers": 6, "languages": ["en"]}
    assert found["calls"] == {"total": 7, "last_30_days": 7}
    day, _, month = found["windows"]
    assert day["all"] == {
        "requests": 7,
        "answered_share": 0.857,
        "p50_wait": 40,
        "p95_wait": 158,  # between 60 s and the 200 s of the one who gave up
        "alerts_per_call": 3.5,  # 21 rings, 6 calls: those for nothing count too
        "late_taps_per_call": 0.5,
    }
    assert day["channels"] == [
        {"channel": "socket", "alerts_per_call": 3.0, "late_taps_per_call": 0.5},
        {"channel": "push", "alerts_per_call": 0.5, "late_taps_per_call": 0.0},
    ]
    assert [(each["language"], each["waiting"]["requests"]) for each in day["languages"]] == [("en", 7)]
    assert month["all"]["requests"] == 8


async def test_a_call_that_was_given_back_answered_nobody(pool: Pool) -> None:
    callers, helpers = await crowd(pool, "caller", 6), await crowd(pool, "volunteer", 6)
    request = [await asked(pool, asker, *helpers, waited=10.0) for asker in callers][-1]
    await pool.execute("UPDATE matching.call SET given_back = true WHERE request_id = $1", request)
    await pool.execute(
        "UPDATE matching.request SET state = 'cancelled', waited_before = 10, opened_at = asked_at + interval '20 s',"
        " closed_at = asked_at + interval '110 s' WHERE id = $1",
        request,
    )
    every = (await now(pool)).windows[0].all
    assert every is not None
    assert every.answered_share == pytest.approx(5 / 6, abs=0.001)
    assert every.p95_wait == 78  # the sixth waited 10 and then 90 seconds more
    await pool.execute("UPDATE matching.request SET state = 'open', closed_at = NULL WHERE id = $1", request)
    every = (await now(pool)).windows[0].all
    assert every is not None
    assert every.requests == 5  # who is still waiting is in no figure yet


async def test_small_languages_are_told_of_together(pool: Pool) -> None:
    sizes = {"en": 9, "fr": 6, "sw": 2}
    for language, many in sizes.items():
        callers, helpers = await crowd(pool, "caller", many), await crowd(pool, "volunteer", many)
        for asker in callers:
            await asked(pool, asker, *helpers, language=f"{language}-CA", waited=float(many))
    window = (await now(pool)).windows[0]
    assert window.all is not None
    # The two of Swahili would be all less the others: French goes with them.
    named = {each.language: each.waiting.requests for each in window.languages}
    assert named == {"en": 9, "other": 8}
    for asker in await crowd(pool, "caller", 3):
        await asked(pool, asker, *await crowd(pool, "volunteer", 3), language="yo")
    window = (await now(pool)).windows[0]
    assert {each.language: each.waiting.requests for each in window.languages} == {"en": 9, "fr": 6, "other": 5}


async def test_few_volunteers_are_hidden_too(pool: Pool) -> None:
    helpers = await crowd(pool, "volunteer", 4)
    for asker in await crowd(pool, "caller", 9):
        await asked(pool, asker, *helpers)
    assert (await now(pool)).windows[0].all is None


async def test_who_asks_in_two_languages_is_one_person(pool: Pool) -> None:
    """Three ask in English and in French, and two in French: five callers, of whom no more than two are French."""
    helpers = await crowd(pool, "volunteer", 20)
    both, others = await crowd(pool, "caller", 3), await crowd(pool, "caller", 2)
    for at, asker in enumerate([*both, *both, *both, *others, *await crowd(pool, "caller", 6)]):
        french = 6 <= at < 11
        rung = helpers[10:] if french else helpers[:10]
        await asked(pool, asker, *rung, language="fr" if french else "en")
    languages = (await now(pool)).windows[0].languages
    assert [each.language for each in languages] == []


async def test_a_gauge_goes_with_its_figure(server: Server, pool: Pool) -> None:
    statistics, clock = server.house.statistics, Clock()
    statistics._clock = clock
    helpers = await crowd(pool, "volunteer", 5)
    for asker in await crowd(pool, "caller", 5):
        await asked(pool, asker, *helpers, language="yo")
    async with Client(server.base) as anybody:
        assert ("visavis_answered_share", {"language": "yo"}) in await labels(anybody)
        await pool.execute("UPDATE matching.request SET asked_at = asked_at - interval '2 days'")
        clock.now += FRESH
        assert not GAUGES & {sample for sample, _ in await labels(anybody)}


async def test_a_day_of_few_is_hidden(pool: Pool) -> None:
    helpers = await crowd(pool, "volunteer", 5)
    noon = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    for ago, many in ((1, 5), (2, 4), (30, 6), (31, 9), (0, 7)):
        past = (datetime.now(UTC) - (noon - timedelta(days=ago))).total_seconds()
        for at, asker in enumerate(await crowd(pool, "caller", many)):
            await asked(pool, asker, *helpers, waited=20.0 + at, ago=past)
    days = (await now(pool)).days
    assert [day.day for day in days] == [(noon - timedelta(days=ago)).date() for ago in range(30, 0, -1)]
    assert {(noon.date() - day.day).days: day.p50_wait for day in days if day.p50_wait} == {1: 22, 30: 22}
    assert days[-1].answered_share == 1.0


async def test_first_calls(pool: Pool) -> None:
    helpers = await crowd(pool, "volunteer", 12, "fr")
    for who in helpers[:4]:
        await evidence(pool, who, yes=1, exposure=20)  # has answered
    await evidence(pool, helpers[4], 0, 3, "socket")  # 1.5 of 7 by the prior for pages
    await evidence(pool, helpers[5], 0, 3, "push")  # .5 of 13 by the one for pushes: not willing
    await evidence(pool, helpers[6], 0, 0.5, "socket")  # too little is known
    others = await crowd(pool, "volunteer", 7, "en")
    for who in others:
        await evidence(pool, who, yes=2, exposure=2)
    [asker] = await crowd(pool, "caller", 1)
    await asked(pool, asker, helpers[0], ago=31 * DAY)
    await asked(pool, asker, others[0], ago=31 * DAY)
    await asked(pool, asker, others[1], ago=DAY)
    await pool.execute("UPDATE accounts.person SET completed_at = now() - interval '50 days' WHERE role = 'volunteer'")
    await pool.execute("UPDATE accounts.person SET completed_at = now() WHERE id = $1", helpers[11])
    found = (await now(pool)).first_calls
    assert found.willing == 12
    assert found.had_call_share == 0.25
    assert found.within_30_days_share == pytest.approx(2 / 18, abs=0.001)  # others[1] had to wait 49 days
    assert [(each.language, each.willing) for each in found.languages] == [("en", 7), ("fr", 5)]
    await pool.execute("DELETE FROM matching.response WHERE volunteer_id = $1", helpers[4])
    # Four are willing in French: English alone would be told of, and French would be the rest.
    assert (await now(pool)).first_calls.languages == ()


class Clock:
    """A clock to be set."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_read_once_for_all_and_kept_for_a_minute(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, reads = Clock(), 0

    async def counted(connection: Any, population: Population) -> Stats:
        nonlocal reads
        reads += 1
        clock.now += took
        return await read(connection, population)

    monkeypatch.setattr("matching.stats.read", counted)
    took = 0.0
    statistics = Statistics(pool, Population, clock)
    many = await asyncio.gather(*(statistics.get() for _ in range(20)))
    assert reads == 1
    assert all(each is many[0] for each in many)
    clock.now += FRESH - 1
    await statistics.get()
    assert reads == 1
    clock.now += 1
    took = 10.0  # of a large database
    await statistics.get()
    assert reads == 2
    clock.now += took * SHARE - 1
    await statistics.get()
    assert reads == 2
    await statistics.close()


async def test_who_goes_does_not_stop_the_reading(pool: Pool) -> None:
    statistics = Statistics(pool, Population)
    hasty = asyncio.create_task(statistics.get())
    await asyncio.sleep(0)
    patient = asyncio.create_task(statistics.get())
    await asyncio.sleep(0)
    hasty.cancel()
    assert len((await patient).days) == 30
    await statistics.close()


async def test_old_figures_are_better_than_none(pool: Pool) -> None:
    clock = Clock()
    statistics, late = Statistics(pool, Population, clock), Statistics(pool, Population, clock)
    known = await statistics.get()
    await close_pool(pool)
    clock.now += FRESH
    assert await statistics.get() == known
    with pytest.raises(Unavailable):
        await late.get()


async def test_these_answers_may_be_kept_by_anybody(server: Server) -> None:
    async with Client(server.base) as anybody:
        for path, kept in (("/v1/stats", True), ("/stats.csv", True), ("/stats", False)):
            async with anybody.http.get(server.base + path) as response:
                assert response.status == 200
                assert response.headers["Cache-Control"] == ("public, max-age=60" if kept else "no-store")
                assert "Set-Cookie" not in response.headers


async def test_the_table_to_download(server: Server, pool: Pool) -> None:
    callers, helpers = await crowd(pool, "caller", 5), await crowd(pool, "volunteer", 5)
    for asker in callers:
        await asked(pool, asker, *helpers, waited=12.0, ago=20 * DAY)
    async with Client(server.base) as anybody, anybody.http.get(server.base + "/stats.csv") as response:
        assert response.content_type == "text/csv"
        rows = list(csv.DictReader(io.StringIO(await response.text())))
    assert len(rows) == 3 + 1 + 30
    assert rows[0]["requests"] == rows[0]["p50_wait"] == ""
    assert rows[2] == {
        "period": "30d",
        "language": "all",
        "requests": "5",
        "answered_share": "1.0",
        "p50_wait": "12",
        "p95_wait": "12",
        "alerts_per_call": "5.0",
        "late_taps_per_call": "0.0",
    }
    assert rows[3]["language"] == "en"
    assert [row["p50_wait"] for row in rows[4:]].count("12") == 1


GAUGES = {
    "visavis_wait_p50_seconds", "visavis_wait_p95_seconds", "visavis_answered_share", "visavis_alerts_per_call",
    "visavis_late_taps_per_call",
}  # fmt: skip
NAMES = {
    "channel", "code", "figure", "generation", "implementation", "kind", "language", "le", "major", "method", "minor",
    "outcome", "patchlevel", "reason", "role", "route", "status", "type", "version",
}  # fmt: skip
"""Every label there is: a new one has to be thought about here."""
ABOUT_SOMEBODY = re.compile(
    r"[0-9a-f]{8}-?[0-9a-f]{4}|@|\d+\.\d+\.\d+\.\d+|[0-9a-f]*:[0-9a-f]*:[0-9a-f:]*", re.IGNORECASE
)


async def labels(client: Client) -> list[tuple[str, dict[str, str]]]:
    """(sample, labels) of everything Prometheus gets."""
    async with client.http.get(client.base + "/metrics") as response:
        families = text_string_to_metric_families(await response.text())
        return [(sample.name, dict(sample.labels)) for family in families for sample in family.samples]


async def test_no_label_is_about_somebody(server: Server, caller: Make, volunteer: Make, pool: Pool) -> None:
    asker, helper = await caller(server.base, "yo"), await volunteer(server.base, "yo")
    call_id = await finished(asker, helper, pool)
    await asker.call("GET", "/v1/me/calls")
    await asker.call("PUT", f"/v1/calls/{call_id}/rating", {"comment": "thanks"})
    for path in (f"/nowhere/{call_id}", f"/{asker.email}", f"/history/{call_id}", "/stats", "/v1/stats"):
        async with asker.http.get(server.base + path, headers={"User-Agent": asker.email}):
            pass
    found = await labels(asker)
    assert {name for _, each in found for name in each} <= NAMES
    values = {value for sample, each in found if sample != "python_info" for value in each.values()}
    assert not [value for value in values if ABOUT_SOMEBODY.search(value)]
    assert not {call_id, asker.email, asker.person["id"], helper.person["id"], "yo"} & values
    assert not GAUGES & {sample for sample, _ in found}


async def test_gauges_are_the_public_figures(server: Server, pool: Pool) -> None:
    sizes = {"en": 9, "fr": 6, "sw": 2, "yo": 3}
    for language, many in sizes.items():
        helpers = await crowd(pool, "volunteer", many)
        for asker in await crowd(pool, "caller", many):
            await asked(pool, asker, *helpers, language=language, waited=30.0)
    async with Client(server.base) as anybody:
        found = await labels(anybody)
    for gauge in GAUGES:
        assert {each["language"] for sample, each in found if sample == gauge} == {"all", "en", "fr", "other"}
