"""The dispatcher, the chooser and the ledger of offers over a real Postgres and a real Valkey: who is rung, and who
never is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from redis.asyncio import connection

from accounts.errors import Unavailable
from accounts.postgres import Pool, close_pool, open_pool
from matching.candidates import CandidateIndex
from matching.ledger import offers, requests
from matching.ledger.offers import NewOffer
from matching.model import Candidate, Channel
from matching.responses import Population
from matching.settings import MatchingSettings
from tests.matching import volunteers
from tests.matching.stage import Stage, stage

NIGHT = [{"start": "00:00", "end": "12:00"}, {"start": "12:00", "end": "00:00"}]
"""Always night, by two windows: one from midnight to midnight would be none."""


@pytest.fixture
async def node(pool: Pool, redis_url: str, prefix: str) -> AsyncIterator[Stage]:
    async with stage(pool, redis_url, prefix) as made:
        yield made


# --- nobody is rung who may not be


Forbid = Callable[[Stage, UUID, UUID], Awaitable[object]]


def row(**columns: Any) -> Forbid:
    return lambda node, volunteer, request: node.alter(volunteer, **columns)


def sql(statement: str) -> Forbid:
    """$1 is the volunteer, $2 the request."""

    async def forbid(node: Stage, volunteer: UUID, request: UUID) -> None:
        await node.pool.execute(statement, volunteer, request)

    return forbid


def pushed(times: int, hours_ago: float, budget: int) -> Forbid:
    async def forbid(node: Stage, volunteer: UUID, request: UUID) -> None:
        await node.alter(volunteer, alerts_per_day=budget)
        for _ in range(times):
            await volunteers.offer(node.pool, volunteer, "push", hours_ago)

    return forbid


def night_in(zone: str) -> Forbid:
    """From an hour ago until in an hour, by the clock on their wall; that of the others is half a day behind."""

    async def forbid(node: Stage, volunteer: UUID, request: UUID) -> None:
        here = datetime.now(ZoneInfo(zone))
        start, end = (f"{(here + timedelta(hours=away)):%H:%M}" for away in (-1, 1))
        window = [{"start": start, "end": end}]
        await node.alter(volunteer, time_zone=zone, quiet_hours=window)
        others = "UPDATE accounts.person SET quiet_hours = $1 WHERE time_zone = 'UTC' AND role = 'volunteer'"
        await node.pool.execute(others, window)

    return forbid


async def in_call(node: Stage, volunteer: UUID, request: UUID) -> None:
    await volunteers.call(node.pool, volunteer, live=True)


LIMITS: dict[str, Forbid] = {
    "quiet hours": row(quiet_hours=NIGHT),
    "night where they live": night_in("Pacific/Auckland"),
    "snoozed": row(snoozed_until=datetime.now(UTC) + timedelta(hours=1)),
    "muted language": row(languages=["en", "fr"], muted_languages=["en"]),
    "another language": row(languages=["fr"]),
    "no alerts at all": pushed(0, 0, 0),
    "one alert a day, spent": pushed(1, 23.9, 1),
    "two alerts a day, spent": pushed(2, 1, 2),
    "held": row(standing="held"),
    "banned": row(standing="banned"),
    "restricted": row(standing="restricted"),
    "erased": sql("UPDATE accounts.person SET erased_at = now(), email = NULL WHERE id = $1 AND $2::uuid <> id"),
    "no complete profile": row(completed_at=None),
    "never again": sql(
        "INSERT INTO matching.never_again (one, other, set_by) SELECT least($1, r.caller_id),"
        " greatest($1, r.caller_id), ARRAY[r.caller_id] FROM matching.request r WHERE r.id = $2"
    ),
    "in a call": in_call,
    "rung before for this request": sql(
        "INSERT INTO matching.offer (id, request_id, volunteer_id, channel, outcome, answered_at)"
        " VALUES (gen_random_uuid(), $2, $1, 'push', 'declined', now())"
    ),
    "a device that is left alone": sql(
        "UPDATE accounts.device SET retry_at = now() + interval '1 minute' WHERE person_id = $1 AND $2::uuid <> id"
    ),
    "no device any more": sql("DELETE FROM accounts.device WHERE person_id = $1 AND $2::uuid <> id"),
}


@pytest.mark.parametrize("limit", LIMITS)
async def test_who_may_not_be_rung_never_is(node: Stage, limit: str) -> None:
    """Whatever the index says: it still believes all of them to be awake."""
    request = await node.asks()
    *forbidden, allowed = [await node.sleeping() for _ in range(4)]
    for volunteer in forbidden:
        await LIMITS[limit](node, volunteer, request)
    assert {each.id for each in await node.index.pick("en", 100)} == {*forbidden, allowed}
    assert await node.look(request) == [allowed]
    assert await node.look(request) == []
    assert [channel for *_, channel in node.edge.rang] == [Channel.PUSH]


@pytest.mark.parametrize(
    ("budget", "spent"), [(1, [(1, 24.1)]), (2, [(1, 1.0)]), (3, [(2, 1.0)]), (2, [(5, 25.0), (1, 1.0)])]
)
async def test_within_the_budget_of_24_hours(node: Stage, budget: int, spent: list[tuple[int, float]]) -> None:
    volunteer = await node.sleeping()
    request = await node.asks()
    for times, hours_ago in spent:
        await pushed(times, hours_ago, budget)(node, volunteer, request)
    assert await node.look(request) == [volunteer]


async def test_a_page_has_no_budget_but_quiet_hours(node: Stage) -> None:
    request = await node.asks()
    without = await node.page(alerts_per_day=0)
    await node.page(quiet_hours=NIGHT)
    await node.page(snoozed_until=datetime.now(UTC) + timedelta(hours=1))
    await node.page("fr")
    assert await node.look(request) == [without]


async def test_of_the_trusted_only_if_asked_for(node: Stage) -> None:
    plain, trusted = await node.sleeping(), await node.sleeping()
    page = await node.page()
    caller = await volunteers.person(node.pool, "caller")
    callers = [caller, *[await volunteers.person(node.pool, "caller") for _ in range(19)]]
    for count in range(30):
        await volunteers.call(node.pool, trusted, callers[count % 20])
    await node.alter(trusted, created_at=datetime.now(UTC) - timedelta(days=61))
    await node.keeper.refresh([trusted, plain])
    assert await node.look(await node.asks(trust="trusted")) == [trusted]
    assert set(await node.look(await node.asks())) == {plain, page}, "the other rings already"


async def test_a_page_that_is_open_rings_in_the_page_once(node: Stage) -> None:
    volunteer = await node.sleeping("en", "fr")
    await node.open_page(volunteer, "en", "fr")
    request = await node.asks("en", "fr", opened_at=datetime.now(UTC) - timedelta(seconds=60))
    assert await node.look(request) == [volunteer]
    assert [(who, channel) for who, _, channel in node.edge.rang] == [(volunteer, Channel.SOCKET)]
    assert await node.pool.fetchval("SELECT count(*) FROM matching.offer") == 1


async def test_one_phone_rings_for_one_request(node: Stage) -> None:
    volunteer = await node.sleeping()
    first, second = await node.asks(), await node.asks()
    assert await node.look(first) == [volunteer]
    assert await node.look(second) == []


async def test_one_phone_rings_for_one_of_two_who_found_it_silent(node: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    await node.sleeping()
    first, second = await node.asks(), await node.asks()

    async def silent(ids: list[UUID]) -> list[UUID]:
        return ids

    monkeypatch.setattr(node.chooser, "_silent", silent)
    await node.look(first)
    await node.look(second)
    assert len(node.edge.rang) == 1


async def test_those_who_ring_do_not_hide_the_others(node: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """More phones that ring than Postgres is asked about: the silent one is found all the same."""
    busy = [await node.sleeping() for _ in range(30)]
    await node.board.begin_rings([(volunteer, uuid4()) for volunteer in busy], 60)
    silent = await node.sleeping()
    picked = [Candidate(id=each, channel=Channel.PUSH) for each in [*busy, silent]]

    async def pick(*_: object, **__: object) -> list[Candidate]:
        return picked

    monkeypatch.setattr(CandidateIndex, "pick", pick)
    monkeypatch.setattr("matching.choosing.SPARE", -2 * 30 + 2)
    assert await node.look(await node.asks()) == [silent]


# --- what an offer says of itself


async def test_an_offer_keeps_why_it_was_made(node: Stage) -> None:
    volunteer = await node.sleeping(time_zone="Europe/Paris")
    request = await node.asks()
    await node.look(request)
    (found,) = await node.pool.fetch("SELECT * FROM matching.offer WHERE volunteer_id = $1", volunteer)
    assert (found["channel"], found["outcome"], found["learned"]) == ("push", None, None)
    why = found["why"]
    assert why.keys() == {
        *("chance", "drawn", "hour", "tired", "since", "ignored", "answers", "exposure", "calls", "rested"),
        *("uncalled", "fits", "score", "place", "among", "hope", "target", "waited"),
    }
    assert (why["place"], why["among"], why["hope"], why["since"]) == (1, 1, 0.0, None)
    assert why["chance"] == pytest.approx(found["chance"], abs=1e-3)
    assert found["exposure"] == pytest.approx(why["hour"] * why["tired"], abs=1e-3)


# --- the budget holds whatever happens


async def test_two_requests_at_once_spend_one_alert(node: Stage, database_url: str) -> None:
    """With the cache's lock out of the way, on connections of their own, again and again."""
    pools = [await open_pool(database_url, size=1) for _ in range(2)]
    try:
        for _ in range(10):
            volunteer = await volunteers.volunteer(node.pool)
            await node.alter(volunteer, alerts_per_day=1)
            asked = [await node.asks() for _ in range(2)]

            async def add(pool: Pool, request: UUID, volunteer: UUID = volunteer) -> set[UUID]:
                async with pool.acquire() as connection:
                    return await offers.add_offers(connection, request, [push(volunteer)])

            made = await asyncio.gather(*map(add, pools, asked))
            assert sorted(map(len, made)) == [0, 1]
    finally:
        for pool in pools:
            await close_pool(pool)


def push(volunteer: UUID) -> NewOffer:
    return NewOffer(uuid4(), volunteer, Channel.PUSH, 0.1, 1.0, {})


async def test_a_push_waits_for_another_one_to_be_written(node: Stage, pool: Pool) -> None:
    """The race, step by step: the first is written and not yet committed when the second counts."""
    volunteer = await volunteers.volunteer(pool)
    await node.alter(volunteer, alerts_per_day=1)
    first, second = await node.asks(), await node.asks()
    async with pool.acquire() as one, pool.acquire() as other:
        async with one.transaction():
            assert len(await offers.add_offers(one, first, [push(volunteer)])) == 1
            later = asyncio.create_task(offers.add_offers(other, second, [push(volunteer)]))
            await waits(pool, other.get_server_pid(), later)
        assert await later == set()


async def waits(pool: Pool, process: int, task: asyncio.Task[Any]) -> None:
    """Until that connection waits for a lock, or its task is done without."""
    async with asyncio.timeout(10):
        while not task.done() and not await pool.fetchval("SELECT cardinality(pg_blocking_pids($1)) > 0", process):  # noqa: ASYNC110 (Postgres tells nobody)
            await asyncio.sleep(0.01)


async def test_two_nodes_that_choose_at_once_ring_once(
    node: Stage, pool: Pool, redis_url: str, prefix: str, database_url: str
) -> None:
    """Also if the cache forgets in between that the phone rings."""
    volunteer = await node.sleeping(alerts_per_day=1)
    async with stage(await open_pool(database_url), redis_url, prefix) as other:
        try:
            both: asyncio.Barrier = asyncio.Barrier(2)
            for each in (node, other):
                ring = each.board.begin_rings

                async def begin(rings: Any, ring_time: float, each: Stage = each, ring: Any = ring) -> set[UUID]:
                    await both.wait()
                    return {offer for _, offer in rings}

                each.board.begin_rings = begin  # type: ignore[method-assign]
            asked = [await node.asks(), await node.asks()]
            for request in asked:
                await node.board.forget(request)
            rung = await asyncio.gather(
                *(ring_for(each, request) for each, request in zip((node, other), asked, strict=True))
            )
            assert sorted(map(len, rung)) == [0, 1]
        finally:
            await close_pool(other.pool)
    assert [dict(row) for row in await pool.fetch("SELECT volunteer_id, channel FROM matching.offer")] == [
        {"volunteer_id": volunteer, "channel": "push"}
    ]


async def ring_for(node: Stage, request: UUID) -> list[UUID]:
    async with node.pool.acquire() as connection:
        (found,) = await requests.requests(connection, [request])
    await node.dispatcher._look(found, [])
    return [volunteer for volunteer, event, _ in node.edge.rang if event.request_id == request]


async def test_nobody_is_rung_twice_for_one_request(node: Stage, pool: Pool) -> None:
    volunteer, request = await volunteers.volunteer(pool), await node.asks()
    async with pool.acquire() as one, pool.acquire() as other:
        made = await asyncio.gather(*(offers.add_offers(each, request, [push(volunteer)]) for each in (one, other)))
    assert sorted(map(len, made)) == [0, 1]


# --- what ends


async def test_what_was_rung_in_the_moment_of_the_end_falls_silent(node: Stage, pool: Pool) -> None:
    """The request was closed while a wave was being written: those who closed it did not see these rings."""
    volunteer, request = await node.sleeping(), await node.asks()
    assert await node.look(request) == [volunteer]
    await pool.execute("UPDATE matching.request SET state = 'cancelled', closed_at = now() WHERE id = $1", request)
    await node.look(request)
    assert await node.outcome(request, volunteer) == "withdrawn"
    ((who, event, channel),) = node.edge.gone
    assert (who, event.reason, channel) == (volunteer, "cancelled", Channel.PUSH)
    assert await node.board.ringing([volunteer]) == [False]
    assert await node.board.take_due(10, 1) == [], "and is not looked at again"


async def test_a_ring_that_expires_is_quietened_on_its_channel(node: Stage, pool: Pool) -> None:
    volunteer, request = await node.sleeping(), await node.asks()
    await node.look(request)
    await pool.execute(
        "UPDATE matching.offer SET rung_at = rung_at - make_interval(secs => $1)", MatchingSettings().ring_time + 1
    )
    replacement = await node.sleeping()
    assert await node.look(request) == [replacement]
    assert await node.outcome(request, volunteer) == "ignored"
    ((who, event, channel),) = node.edge.gone
    assert (who, event.reason, channel) == (volunteer, "expired", Channel.PUSH)
    assert await node.board.ringing([volunteer]) == [False]


async def test_a_request_that_cannot_be_understood_holds_up_nobody(
    node: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd, request = await node.asks(front=True), await node.asks()
    volunteer = await node.sleeping()
    look = node.dispatcher._look

    async def stumble(found: Any, made: Any) -> None:
        if found.id == odd:
            raise KeyError("odd")
        await look(found, made)

    monkeypatch.setattr(node.dispatcher, "_look", stumble)
    assert await node.look(request) == [volunteer]


# --- languages


async def test_second_languages_join_where_the_first_bring_no_hope(node: Stage) -> None:
    second = await node.sleeping("fr")
    request = await node.asks("en", "fr")
    assert await node.look(request) == [second]


async def test_second_languages_join_later_and_after_the_first(node: Stage) -> None:
    first, second = await node.sleeping("en"), await node.sleeping("fr")
    request = await node.asks("en", "fr")
    assert await node.look(request) == [first]
    assert await node.look(request) == [], "somebody of the first rings"
    await node.alter(first)
    await node.pool.execute("UPDATE matching.request SET opened_at = opened_at - interval '20 s'")
    another = await node.sleeping("en")
    assert await node.look(request) == [another, second]


async def test_what_the_first_language_brings_is_priced_before_the_second_joins(
    pool: Pool, redis_url: str, prefix: str
) -> None:
    """Where people seldom answer less hope is bought, by both languages together."""
    async with stage(pool, redis_url, prefix, hope_at_first=1.3, hope_rise=0.0) as node:
        node.learner.population = Population(hours=(1.0,) * 24)
        for _ in range(20):
            await node.sleeping("en")
        second = await node.sleeping("fr")
        request = await node.asks("en", "fr", opened_at=datetime.now(UTC) - timedelta(seconds=60))
        rung = await node.look(request)
        assert 15 < len(rung) < 20
        assert second not in rung
        whys = await pool.fetch("SELECT why->'target' AS target FROM matching.offer")
        assert {row["target"] for row in whys} == {0.919}


async def test_a_third_language_is_nobodys_business(node: Stage) -> None:
    await node.sleeping("de")
    assert await node.look(await node.asks("en", "fr")) == []


# --- the index


async def test_without_the_index_pages_ring(node: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    await node.sleeping()
    page, asked = await node.page(), 0

    async def away(*_: object, **__: object) -> list[Candidate]:
        nonlocal asked
        asked += 1
        raise Unavailable(retry_after=5)

    monkeypatch.setattr(CandidateIndex, "pick", away)
    assert await node.look(await node.asks()) == [page]
    await node.look(await node.asks())
    assert asked == 1, "a cache that hangs is not waited for by every request"


# --- what a wave costs


async def test_a_wave_costs_the_same_however_many_ring(node: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Round trips to the cache: those of a wave of eight are those of a wave of one."""
    asked: list[object] = []
    send = connection.AbstractConnection.send_packed_command

    async def count(self: Any, *args: Any, **kwargs: Any) -> None:
        asked.append(args)
        await send(self, *args, **kwargs)

    monkeypatch.setattr(connection.AbstractConnection, "send_packed_command", count)
    costs = []
    for size in (1, 1, 8):  # the first time scripts are loaded
        for _ in range(size):
            await node.sleeping("en", "fr")
        request = await node.asks()
        asked.clear()
        assert len(await node.look(request)) == size
        costs.append(len(asked))
        await node.pool.execute("DELETE FROM accounts.device")
    assert costs[1] == costs[2]
    assert costs[2] < 16
