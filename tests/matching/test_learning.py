"""What rings have taught ends in Postgres as the pure functions say, once for each ring, whoever else is at it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from accounts.postgres import Pool, close_pool, open_pool
from matching import fitting, learning
from matching.learning import Learner
from matching.ledger import learning as ledger
from matching.model import Channel, Evidence, Outcome
from matching.responses import Population, Prior, learned, lesson
from matching.settings import MatchingSettings
from tests.matching import volunteers


class Told:
    """Hears of whom something was learned."""

    def __init__(self) -> None:
        self.people: set[UUID] = set()

    def touched(self, people: Iterable[UUID], languages: Iterable[str] = ()) -> None:
        self.people |= set(people)


def learner(pool: Pool) -> Learner:
    return Learner(pool, Told(), MatchingSettings())


async def ring(
    pool: Pool,
    volunteer: UUID,
    outcome: Outcome | None,
    *,
    channel: Channel = Channel.PUSH,
    exposure: float = 0.75,
    rang: float = 8.0,
    ago: float = 60.0,
    **columns: Any,
) -> UUID:
    """An offer that ended `ago` seconds ago."""
    id_, caller = uuid4(), await volunteers.person(pool, "caller")
    await pool.execute(
        "INSERT INTO matching.offer (id, request_id, volunteer_id, channel, rung_at, outcome, answered_at, exposure,"
        " chance) VALUES ($1, $2, $3, $4, now() - make_interval(secs => $6), $7,"
        " CASE WHEN $7::text IS NOT NULL THEN now() - make_interval(secs => $5) END, $8, 0.1)",
        id_,
        await volunteers.request(pool, caller),
        volunteer,
        channel,
        ago,
        ago + rang,
        outcome,
        exposure,
    )
    for name, value in columns.items():
        await pool.execute(f"UPDATE matching.offer SET {name} = $2 WHERE id = $1", id_, value)
    return id_


async def evidence(pool: Pool, volunteer: UUID, channel: Channel = Channel.PUSH) -> Evidence:
    row = await pool.fetchrow(
        "SELECT yes, exposure, ignored FROM matching.response WHERE volunteer_id = $1 AND channel = $2",
        volunteer,
        channel,
    )
    return Evidence(*row.values()) if row else Evidence()


def about(expected: Evidence) -> object:
    return pytest.approx(msgspec.structs.astuple(expected), rel=1e-4)


async def is_learned(pool: Pool) -> bool:
    return not await pool.fetchval(
        "SELECT count(*) FROM matching.offer WHERE outcome IS NOT NULL AND learned IS DISTINCT FROM outcome"
    )


@pytest.mark.parametrize("channel", Channel)
@pytest.mark.parametrize("outcome", Outcome)
async def test_an_outcome_teaches_what_the_pure_function_says(pool: Pool, outcome: Outcome, channel: Channel) -> None:
    volunteer, one = await volunteers.volunteer(pool), learner(pool)
    before = Evidence(1.5, 4.0, 2)
    await pool.execute(
        "INSERT INTO matching.response VALUES ($1, $2, $3, $4, $5, now() - interval '90 days')",
        volunteer,
        channel,
        *msgspec.structs.astuple(before),
    )
    await ring(pool, volunteer, outcome, channel=channel)
    assert await one.learn() == 1
    taught = lesson(outcome, 0.75, 8.0, Population().delay(channel))
    assert msgspec.structs.astuple(await evidence(pool, volunteer, channel)) == about(
        learned(before, taught, 90 * 86_400)
    )
    other = Channel.SOCKET if channel is Channel.PUSH else Channel.PUSH
    assert await evidence(pool, volunteer, other) == Evidence()
    assert await is_learned(pool)
    assert await one.learn() == 0, "once"
    assert one._touched.people == {volunteer}  # type: ignore[attr-defined]


async def test_what_still_rings_teaches_nothing(pool: Pool) -> None:
    await ring(pool, await volunteers.volunteer(pool), None)
    assert await learner(pool).learn() == 0


@pytest.mark.parametrize("first", [Outcome.IGNORED, Outcome.WITHDRAWN, Outcome.FAILED])
@pytest.mark.parametrize("then", [Outcome.LATE, Outcome.ACCEPTED, Outcome.DECLINED, Outcome.IGNORED])
async def test_an_answer_after_all_is_the_same_ring(pool: Pool, first: Outcome, then: Outcome) -> None:
    """A notification may be opened, and an offer taken, after it had ended: that it rang is counted once. A push that
    had failed had not been counted at all."""
    volunteer, one = await volunteers.volunteer(pool), learner(pool)
    offer = await ring(pool, volunteer, first, rang=30.0)
    await one.learn()
    silent = await evidence(pool, volunteer)
    await pool.execute("UPDATE matching.offer SET outcome = $2, answered_at = now() WHERE id = $1", offer, then)
    await one.learn()
    found = await evidence(pool, volunteer)
    again = 0.75 if first is Outcome.FAILED else 0.0
    assert found.exposure == pytest.approx(silent.exposure + again, rel=1e-4)
    assert found.exposure <= 0.7501
    assert found.yes == (1.0 if then in (Outcome.LATE, Outcome.ACCEPTED) else 0.0)
    assert await is_learned(pool)


async def test_several_rings_of_one_volunteer_in_their_order(pool: Pool) -> None:
    volunteer = await volunteers.volunteer(pool)
    outcomes = [Outcome.IGNORED, Outcome.ACCEPTED, Outcome.IGNORED, Outcome.IGNORED, Outcome.WITHDRAWN]
    for place, outcome in enumerate(outcomes):
        await ring(pool, volunteer, outcome, ago=1000.0 - place)
    assert await learner(pool).learn() == len(outcomes)
    expected = Evidence()
    for outcome in outcomes:
        expected = learned(expected, lesson(outcome, 0.75, 8.0, Population().push_delay), 0)
    assert msgspec.structs.astuple(await evidence(pool, volunteer)) == about(expected)
    assert expected.ignored == 2


async def test_two_learners_at_once_learn_each_ring_once(
    pool: Pool, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learning, "BATCH", 7)
    people = [await volunteers.volunteer(pool) for _ in range(3)]
    for place in range(60):
        await ring(pool, people[place % 3], Outcome.DECLINED, exposure=1.0, ago=1000.0 - place)
    other = await open_pool(database_url)
    try:

        async def all_of_it(one: Learner) -> int:
            total = 0
            while not await is_learned(pool):
                total += await one.learn()
            return total

        assert sum(await asyncio.gather(all_of_it(learner(pool)), all_of_it(learner(other)))) == 60
    finally:
        await close_pool(other)
    for volunteer in people:
        assert (await evidence(pool, volunteer)).exposure == pytest.approx(20.0, rel=1e-3)


async def test_what_another_node_learns_from_is_left_to_it(pool: Pool, database_url: str) -> None:
    """Nobody waits for it, and if it dies, everything is as before."""
    volunteer = await volunteers.volunteer(pool)
    await ring(pool, volunteer, Outcome.ACCEPTED)
    other = await open_pool(database_url)
    connection = await other.acquire()
    await connection.execute("BEGIN")
    assert len(await ledger.take_ended(connection, 10)) == 1
    assert await learner(pool).learn() == 0
    connection.terminate()
    await close_pool(other)
    async with asyncio.timeout(10):
        while not await learner(pool).learn():  # noqa: ASYNC110 (the server has to notice that it died)
            await asyncio.sleep(0.02)
    assert (await evidence(pool, volunteer)).yes == 1.0


async def test_a_node_that_dies_before_it_has_marked_a_ring_has_learned_nothing(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    volunteer = await volunteers.volunteer(pool)
    await ring(pool, volunteer, Outcome.ACCEPTED)

    async def die(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(ledger, "write_evidence", die)
        with pytest.raises(ZeroDivisionError):
            await learner(pool).learn()
    assert await evidence(pool, volunteer) == Evidence()
    assert await learner(pool).learn() == 1
    assert (await evidence(pool, volunteer)).yes == 1.0


# --- the population


async def fits(pool: Pool) -> int:
    return int(await pool.fetchval("SELECT count(*) FROM matching.population"))


async def history(pool: Pool) -> None:
    """Everybody answers every ring, by push, within two seconds."""
    for _ in range(25):
        volunteer = await volunteers.volunteer(pool)
        for ago in (9e5, 6e5):
            await ring(pool, volunteer, Outcome.ACCEPTED, rang=2.0, ago=ago)


async def test_a_fit_is_made_when_it_is_due_and_taken_over(pool: Pool, database_url: str) -> None:
    await history(pool)
    one, other_pool = learner(pool), await open_pool(database_url)
    other = learner(other_pool)
    try:
        while await one.learn():
            pass
        assert await one.fit()
        assert one.population.push.mean > 2 * Population().push.mean
        assert one.population.push_delay.survival(5) < Population().push_delay.survival(5)
        assert one.population.socket == Population().socket
        assert not await other.fit(), "not due"
        assert other.population == Population()
        await other.look()
        assert other.population == one.population
        await pool.execute("UPDATE matching.population SET fitted_at = now() - interval '7 hours'")
        assert await other.fit()
        assert await fits(pool) == 2
        assert await pool.fetchval("SELECT max(rings) FROM matching.population") == 50
    finally:
        await close_pool(other_pool)


async def test_two_nodes_make_one_fit(pool: Pool, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And while it is made, nothing waits: not the loop, not a transaction."""
    began, go_on = threading.Event(), threading.Event()
    plain = fitting.fit

    def slow(*arguments: Any) -> Population:
        assert threading.current_thread() is not threading.main_thread()
        began.set()
        assert go_on.wait(30)
        return plain(*arguments)

    monkeypatch.setattr(learning, "fit", slow)
    other = await open_pool(database_url)
    try:
        first = asyncio.create_task(learner(pool).fit())
        async with asyncio.timeout(10):
            while not began.is_set():  # noqa: ASYNC110 (a thread sets it)
                await asyncio.sleep(0.01)
        assert not await learner(other).fit()
        states = await other.fetch(
            "SELECT state FROM pg_stat_activity WHERE datname = current_database() AND xact_start IS NOT NULL"
            " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
        assert states == []
        go_on.set()
        assert await first
        assert await fits(pool) == 1
        await pool.execute("UPDATE matching.population SET fitted_at = now() - interval '7 hours'")
        assert await learner(other).fit(), "the lock was given back"
    finally:
        go_on.set()
        await close_pool(other)


GOOD = msgspec.to_builtins(Population())


@pytest.mark.parametrize(
    "model",
    [
        {"push": "of another version"},
        [1, 2, 3],
        "text",
        GOOD | {"hours": GOOD["hours"][:3]},
        GOOD | {"push": {"a": 0.0, "b": 1.0}},
        GOOD | {"push_delay": {"hazards": [0.1]}},
        GOOD | {"hours": [-1.0] * 24},
    ],
)
async def test_a_fit_of_another_version_is_survived(pool: Pool, model: object) -> None:
    one = learner(pool)
    one.population = known = Population(push=Prior(0.7, 9.0))
    await pool.execute("INSERT INTO matching.population (rings, model) VALUES (1, $1)", model)
    await one.look()
    assert one.population == known
    await pool.execute("UPDATE matching.population SET fitted_at = now() - interval '7 hours'")
    assert await one.fit()
    assert one.population == Population(), "there is no history"


async def test_more_fields_than_we_know_are_no_harm(pool: Pool) -> None:
    one = learner(pool)
    await pool.execute(
        "INSERT INTO matching.population (rings, model) VALUES (1, $1)",
        GOOD | {"push": {"a": 0.6, "b": 9.0, "more": 1}, "new": {}},
    )
    await one.look()
    assert one.population == Population(push=Prior(0.6, 9.0))


async def test_a_ring_whose_reasons_are_not_understood_counts_without_them(pool: Pool) -> None:
    reasons: tuple[object, ...] = ({"since": "long ago"}, {}, [], "text", {"callback": True})
    for why in reasons:
        await ring(pool, await volunteers.volunteer(pool), Outcome.ACCEPTED, why=why)
    one = learner(pool)
    assert await one.fit()
    assert await pool.fetchval("SELECT rings FROM matching.population") == 5


async def test_only_those_who_were_rung_are_fitted_to(pool: Pool) -> None:
    """The evidence of the latest rings, once for each person and channel."""
    rung, silent = await volunteers.volunteer(pool), await volunteers.volunteer(pool)
    for _ in range(3):
        await ring(pool, rung, Outcome.DECLINED)
    await ring(pool, rung, Outcome.ACCEPTED, channel=Channel.SOCKET)
    while await learner(pool).learn():
        pass
    await pool.execute("INSERT INTO matching.response VALUES ($1, 'push', 3, 3, 0)", silent)
    async with pool.acquire() as connection:
        found = await ledger.some_evidence(connection, 100)
    assert sorted((channel, each.yes) for channel, each in found) == [("push", 0.0), ("socket", 1.0)]
