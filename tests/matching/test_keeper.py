"""The keeper over a real Postgres and a real Valkey: what changes about a volunteer moves them in the index."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from accounts.errors import Unavailable
from accounts.postgres import Pool
from matching.candidates import CandidateIndex, Client, connect_index
from matching.keeper import BATCH, Keeper
from matching.ledger import candidates
from matching.settings import MatchingSettings
from signaling.embedded.valkey import Valkey
from tests.matching.volunteers import call, offer, person, volunteer


class Clock:
    """The time the index goes by: now, but for what a test adds."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return datetime.now(UTC).timestamp() + self.ahead


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keeper(pool: Pool, client: Client, prefix: str, clock: Clock) -> Keeper:
    settings = MatchingSettings(tick=0.02)
    return Keeper(pool, CandidateIndex(client, prefix, settings, clock), settings)


async def standing(keeper: Keeper, language: str = "en", **how: Any) -> set[uuid.UUID]:
    return {candidate.id for candidate in await keeper.index.pick(language, 1000, **how)}


async def until_standing(keeper: Keeper, expected: set[uuid.UUID], language: str = "en") -> None:
    async with asyncio.timeout(10):
        while await standing(keeper, language) != expected:  # noqa: ASYNC110 (another task works on it)
            await asyncio.sleep(0.02)


async def test_who_can_be_reached_stands_in_their_languages(keeper: Keeper, pool: Pool) -> None:
    both = await volunteer(pool, "pt-BR", "en")
    without_device = await person(pool, "volunteer", "en")
    a_caller = await person(pool, "caller", "en")
    await keeper.refresh([both, without_device, a_caller, uuid.uuid4()])
    assert await standing(keeper) == await standing(keeper, "pt") == {both}
    assert await standing(keeper, "pt-BR") == set()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE accounts.person SET standing = 'held' WHERE id = $1",
        "UPDATE accounts.person SET completed_at = NULL WHERE id = $1",
        "UPDATE accounts.person SET alerts_per_day = 0 WHERE id = $1",
        "UPDATE accounts.person SET muted_languages = '{en-GB}' WHERE id = $1",
        "UPDATE accounts.person SET snoozed_until = now() + interval '1 hour' WHERE id = $1",
        "UPDATE accounts.person SET email = NULL, erased_at = now() WHERE id = $1",
        "DELETE FROM accounts.device WHERE person_id = $1",
        "UPDATE accounts.device SET retry_at = now() + interval '1 hour' WHERE person_id = $1",
    ],
)
async def test_who_may_not_be_rung_any_more_leaves(keeper: Keeper, pool: Pool, change: str) -> None:
    one, other = await volunteer(pool), await volunteer(pool)
    await keeper.refresh([one, other])
    assert await standing(keeper) == {one, other}
    await pool.execute(change, one)
    await keeper.refresh([one])
    assert await standing(keeper) == {other}


async def test_one_of_two_devices_is_enough(keeper: Keeper, pool: Pool) -> None:
    one = await volunteer(pool)
    await pool.execute("UPDATE accounts.device SET retry_at = now() + interval '1 hour' WHERE person_id = $1", one)
    await pool.execute(
        "INSERT INTO accounts.device (id, person_id, kind, address) VALUES ($1, $2, 'fcm', 'x')", uuid.uuid4(), one
    )
    await keeper.refresh([one])
    assert await standing(keeper) == {one}


async def test_the_budget_is_of_pushes_in_any_24_hours(keeper: Keeper, pool: Pool) -> None:
    one = await volunteer(pool)
    await offer(pool, one, "push", hours_ago=23)
    await offer(pool, one, "push", hours_ago=25)
    await offer(pool, one, "socket", hours_ago=1)
    await keeper.refresh([one])
    assert await standing(keeper) == {one}
    await offer(pool, one, "push", hours_ago=2)
    await keeper.refresh([one])
    assert await standing(keeper) == set()


async def test_what_rings_taught_is_known_to_ranking(keeper: Keeper, pool: Pool) -> None:
    one = await volunteer(pool)
    await pool.execute(
        "INSERT INTO matching.response (volunteer_id, channel, yes, exposure, ignored) VALUES"
        " ($1, 'push', 2, 8, 1), ($1, 'socket', 5, 5, 0)",
        one,
    )
    await offer(pool, one, "socket", hours_ago=1)
    await call(pool, one)
    await keeper.refresh([one])
    (found,) = await keeper.index.pick("en", 10)
    assert (round(found.evidence.yes, 1), round(found.evidence.exposure, 1), found.evidence.ignored) == (2, 8, 1)
    assert abs(found.last_rung - (datetime.now(UTC) - timedelta(hours=1)).timestamp()) < 60
    assert found.calls == 1


async def test_in_a_call_is_out_and_comes_back(keeper: Keeper, pool: Pool) -> None:
    one = await volunteer(pool)
    call_id = await call(pool, one, live=True)
    await keeper.refresh([one])
    assert await standing(keeper) == set()
    await pool.execute(
        "UPDATE matching.call SET state = 'ended', ended_at = now(), end_reason = 'done' WHERE id = $1", call_id
    )
    await keeper.refresh([one])
    assert await standing(keeper) == {one}


async def test_who_has_helped_many_for_long_is_trusted(keeper: Keeper, pool: Pool) -> None:
    one, new, narrow, warned = [await volunteer(pool) for _ in range(4)]
    callers = [await person(pool, "caller", "en") for _ in range(30)]
    old = "UPDATE accounts.person SET created_at = now() - interval '61 days' WHERE id = ANY($1)"
    await pool.execute(old, [one, narrow, warned])
    await pool.execute("UPDATE accounts.person SET standing = 'warned' WHERE id = $1", warned)
    for number in range(30):
        for who in (one, new, warned):
            await call(pool, who, callers[number])
        await call(pool, narrow, callers[number % 19])
    await keeper.refresh([one, new, narrow, warned])
    assert await standing(keeper, trusted=True) == {one}
    assert await standing(keeper) == {one, new, narrow, warned}


async def test_languages_of_before_are_left(keeper: Keeper, pool: Pool) -> None:
    one = await volunteer(pool, "fr-CA", "en")
    await keeper.refresh([one])
    await pool.execute("UPDATE accounts.person SET languages = '{en}' WHERE id = $1", one)
    working = asyncio.create_task(keeper.run())
    try:
        keeper.touched([one], ["fr-CA", "en"])
        await until_standing(keeper, set(), "fr")
        assert await standing(keeper) == {one}
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


async def test_a_language_that_nobody_told_of_is_left_at_the_next_turn(
    keeper: Keeper, pool: Pool, clock: Clock
) -> None:
    one = await volunteer(pool, "fr", "en")
    await keeper.refresh([one])
    await pool.execute("UPDATE accounts.person SET languages = '{en}' WHERE id = $1", one)
    clock.ahead = 86_400 + 900
    assert await keeper.take_turns() >= 1  # one in each language, unless the first has moved the other
    clock.ahead = 0
    assert await standing(keeper, "fr") == set()
    assert await standing(keeper) == {one}


async def test_a_profile_that_cannot_be_understood_holds_nobody_up(keeper: Keeper, pool: Pool) -> None:
    one, other, nowhere, atlantis = [await volunteer(pool) for _ in range(4)]
    windows = '[{"start": "soon", "end": "later", "days": ["mon"]}]'
    await pool.execute("UPDATE accounts.person SET quiet_hours = $2::text::jsonb WHERE id = $1", one, windows)
    await pool.execute("UPDATE accounts.person SET time_zone = 'Europe/Atlantis' WHERE id = $1", atlantis)
    await pool.execute("UPDATE accounts.person SET completed_at = NULL, languages = '{}' WHERE id = $1", nowhere)
    await keeper.refresh([one, other, nowhere, atlantis])
    assert await standing(keeper) == {other, atlantis}


# --- windows


def window(minutes_from_now: float, minutes: float) -> str:
    start = datetime.now(UTC) + timedelta(minutes=minutes_from_now)
    end = start + timedelta(minutes=minutes)
    return f'[{{"start": "{start:%H:%M}", "end": "{end:%H:%M}"}}]'


async def test_windows_open_and_close(keeper: Keeper, pool: Pool, clock: Clock) -> None:
    awake, asleep = await volunteer(pool), await volunteer(pool)
    set_quiet = "UPDATE accounts.person SET quiet_hours = $2::text::jsonb WHERE id = $1"
    await pool.execute(set_quiet, awake, window(60, 120))
    await pool.execute(set_quiet, asleep, window(-60, 120))
    await keeper.refresh([awake, asleep])
    assert await standing(keeper) == {awake}
    # Quiet hours begin for one: nobody is picked a minute too long, whether anybody looked or not.
    clock.ahead = 61 * 60
    assert await standing(keeper) == set()
    # They end for the other; the profile says now what the clock will.
    await pool.execute(set_quiet, awake, window(-30, 60))
    await pool.execute(set_quiet, asleep, window(-90, 60))
    clock.ahead = 80 * 60
    assert await keeper.take_turns() == 2
    clock.ahead = 0
    assert await standing(keeper) == {asleep}


async def test_many_windows_that_close_at_once_are_all_looked_at(keeper: Keeper, pool: Pool, clock: Clock) -> None:
    many = [await volunteer(pool) for _ in range(BATCH + 50)]
    await pool.execute("UPDATE accounts.person SET quiet_hours = $1::text::jsonb", window(60, 120))
    await keeper.refresh(many)
    assert await standing(keeper) == set(many)
    await pool.execute("UPDATE accounts.person SET quiet_hours = $1::text::jsonb", window(-10, 120))
    clock.ahead = 80 * 60
    assert await keeper.take_turns() == len(many)
    assert await keeper.take_turns() == 0
    clock.ahead = 0
    assert await standing(keeper) == set()


async def test_a_turn_taken_by_a_node_that_died_is_taken_up_again(
    keeper: Keeper, pool: Pool, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await volunteer(pool)
    await pool.execute("UPDATE accounts.person SET snoozed_until = now() + interval '1 hour'")
    await keeper.refresh([one])
    await pool.execute("UPDATE accounts.person SET snoozed_until = NULL")
    clock.ahead = 80 * 60

    async def die(*_: object) -> None:
        raise Unavailable(retry_after=5)

    with monkeypatch.context() as patch:
        patch.setattr(keeper, "refresh", die)
        with pytest.raises(Unavailable):
            await keeper.take_turns()
    assert await keeper.take_turns() == 0
    clock.ahead += 200
    assert await keeper.take_turns() == 1
    clock.ahead = 0
    assert await standing(keeper) == {one}


# --- rebuilding


async def test_a_rebuild_makes_everything_of_nothing(keeper: Keeper, pool: Pool) -> None:
    everybody = {await volunteer(pool, language) for language in ("en", "fr", "en")}
    await person(pool, "volunteer", "en")
    seen: list[int] = []
    done = await keeper.rebuild(progress=seen.append)
    assert done is not None
    assert (done.volunteers, done.missed, seen) == (3, frozenset(), [3])
    assert await standing(keeper) | await standing(keeper, "fr") == everybody
    assert await keeper.watch() is None


async def test_a_rebuild_finds_who_should_not_be_there_any_more(keeper: Keeper, pool: Pool) -> None:
    one, other, mover = [await volunteer(pool) for _ in range(3)]
    await keeper.refresh([one, other, mover])
    await pool.execute("UPDATE accounts.person SET standing = 'banned' WHERE id = $1", one)
    await pool.execute("UPDATE accounts.person SET languages = '{fr}' WHERE id = $1", mover)
    assert await standing(keeper) == {one, other, mover}  # nobody was told
    await keeper.rebuild()
    assert await standing(keeper) == {other}
    assert await standing(keeper, "fr") == {mover}


async def test_one_rebuild_at_a_time(keeper: Keeper, pool: Pool) -> None:
    async with pool.acquire() as connection:
        assert await connection.fetchval(candidates.TRY_LOCK)
        assert await keeper.rebuild() is None
        await connection.fetchval(candidates.UNLOCK)
    assert await keeper.rebuild() is not None
    assert await keeper.rebuild() is not None  # it lets go of the lock


async def test_a_change_during_a_rebuild_is_not_undone(
    keeper: Keeper, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other, third = [await volunteer(pool) for _ in range(3)]
    read = candidates.facts_after

    async def read_and_then_change(*arguments: Any) -> Any:
        page = await read(*arguments)
        if page:
            await pool.execute("UPDATE accounts.person SET standing = 'banned' WHERE id = $1", one)
            await pool.execute("UPDATE accounts.person SET languages = '{fr}' WHERE id = $1", other)
            await keeper.refresh([one, other], {other: ["en"]})
        return page

    monkeypatch.setattr(candidates, "facts_after", read_and_then_change)
    await keeper.rebuild()
    assert await standing(keeper) == {third}
    assert await standing(keeper, "fr") == {other}


async def test_after_the_cache_has_forgotten_everything_it_is_rebuilt(pool: Pool, flushable_redis: Valkey) -> None:
    client: Any = await connect_index(flushable_redis.url)
    settings = MatchingSettings(tick=0.02)
    keeper = Keeper(pool, CandidateIndex(client, "t:", settings), settings)
    everybody = {await volunteer(pool) for _ in range(5)}
    working = asyncio.create_task(keeper.run())
    try:
        await until_standing(keeper, everybody)
        await client.flushall()
        await until_standing(keeper, everybody)
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        await client.aclose()


async def test_a_flush_in_the_middle_of_a_rebuild_is_noticed(
    pool: Pool, flushable_redis: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    client: Any = await connect_index(flushable_redis.url)
    keeper = Keeper(pool, CandidateIndex(client, "t:"), MatchingSettings())
    everybody = {await volunteer(pool) for _ in range(5)}
    read, pages = candidates.facts_after, 0

    async def read_and_flush(*arguments: Any) -> Any:
        nonlocal pages
        pages += 1
        if pages == 2:
            await client.flushall()
        return await read(*arguments)

    monkeypatch.setattr(candidates, "facts_after", read_and_flush)
    await keeper.rebuild()
    assert await standing(keeper) == set()
    await keeper.watch()
    assert await standing(keeper) == everybody
    await client.aclose()


async def test_a_language_that_was_forgotten_is_rebuilt_alone(
    keeper: Keeper, pool: Pool, client: Any, prefix: str
) -> None:
    english, french = await volunteer(pool, "en"), await volunteer(pool, "fr-BE")
    await keeper.rebuild()
    async for name in client.scan_iter(match=f"{prefix}{{fr}}*"):
        await client.delete(name)
    assert await standing(keeper, "fr") == set()
    await keeper.take_turns()
    done = await keeper.watch()
    assert done is not None
    assert done.volunteers == 1
    assert await standing(keeper, "fr") == {french}
    assert await standing(keeper) == {english}
    await keeper.take_turns()
    assert await keeper.watch() is None


async def test_what_was_told_while_the_cache_was_away_is_done_later(pool: Pool, flushable_redis: Valkey) -> None:
    client = await connect_index(flushable_redis.url, patience=0.3)
    keeper = Keeper(pool, CandidateIndex(client, "t:"), MatchingSettings())
    one, other = await volunteer(pool, "fr"), await volunteer(pool)
    await flushable_redis.stop()
    keeper.touched([one, other])
    await keeper.drain()  # never raises
    with pytest.raises(Unavailable):
        await keeper.refresh([one])
    await flushable_redis.start()
    await keeper.drain()
    assert await standing(keeper) == {other}
    assert await standing(keeper, "fr") == {one}
    await client.aclose()
