"""Somebody is free also where no page is open: whoever is likely to answer a push, and may be pushed to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from accounts.errors import Unavailable
from accounts.postgres import Pool
from matching.candidates import CandidateIndex
from matching.model import Candidate
from matching.responses import Population
from tests.matching import volunteers
from tests.matching.stage import Stage, stage
from tests.matching.test_dispatch import LIMITS


@pytest.fixture
async def node(pool: Pool, redis_url: str, prefix: str) -> AsyncIterator[Stage]:
    async with stage(pool, redis_url, prefix) as made:
        made.learner.population = Population(hours=(1.0,) * 24)
        yield made


async def wish(node: Stage, *languages: str, trust: str = "any") -> UUID:
    """A caller who wishes to be told; the request that nobody answered."""
    request = await node.asks(*languages)
    await node.pool.execute(
        "UPDATE matching.request SET state = 'unanswered', closed_at = now(), trust = $2 WHERE id = $1", request, trust
    )
    await node.pool.execute(
        "INSERT INTO matching.wish (caller_id, request_id, languages, trust, expires_at)"
        " SELECT caller_id, id, languages, trust, now() + interval '1 hour' FROM matching.request WHERE id = $1",
        request,
    )
    return request


async def likely(node: Stage, *languages: str, yes: float = 9.0, exposure: float = 12.0) -> UUID:
    """A sleeping volunteer who answers three rings of four."""
    made = await volunteers.volunteer(node.pool, *languages)
    await node.pool.execute("INSERT INTO matching.response VALUES ($1, 'push', $2, $3, 0)", made, yes, exposure)
    await node.keeper.refresh([made])
    return made


async def test_who_would_probably_answer_counts_as_free(node: Stage) -> None:
    first, second = await wish(node), await wish(node)
    await node.sleeping()  # hardly anything is known of this one
    await likely(node, yes=1.0)
    await likely(node, "fr")
    assert await node.wishes().tell() == 0
    volunteer = await likely(node)
    assert await node.wishes().tell() == 1, "one caller for one volunteer"
    assert await node.wishes().tell() == 0
    assert await node.board.promised([volunteer]) == [True]
    told = await node.pool.fetch("SELECT request_id FROM matching.wish WHERE told_at IS NOT NULL")
    assert [row[0] for row in told] == [first]
    await likely(node)
    assert await node.wishes().tell() == 1
    assert await node.pool.fetchval("SELECT told_at FROM matching.wish WHERE request_id = $1", second)
    assert node.edge.rang == [], "nobody is rung for it"


async def test_an_open_page_is_promised_before_a_sleeping_device(node: Stage) -> None:
    await wish(node)
    asleep, page = await likely(node), await node.page()
    assert await node.wishes().tell() == 1
    assert await node.board.promised([asleep, page]) == [False, True]


@pytest.mark.parametrize("limit", LIMITS)
async def test_who_may_not_be_rung_is_not_free(node: Stage, limit: str) -> None:
    """Whatever the index believes; and who was rung for it before did not answer."""
    request = await wish(node)
    volunteer, allowed = await likely(node), await node.sleeping()
    await LIMITS[limit](node, volunteer, request)
    assert {each.id for each in await node.index.pick("en", 10)} == {volunteer, allowed}
    assert await node.wishes().tell() == 0
    assert await node.board.promised([volunteer]) == [False]


async def test_postgres_has_the_last_word_on_how_likely_it_is(node: Stage) -> None:
    await wish(node)
    await likely(node)
    await node.pool.execute("UPDATE matching.response SET exposure = 100")
    assert await node.wishes().tell() == 0


async def test_at_an_hour_when_hardly_anybody_answers_nobody_is_free(node: Stage) -> None:
    node.learner.population = Population(hours=(0.05,) * 24)
    await wish(node)
    await likely(node)
    assert await node.wishes().tell() == 0


async def test_whose_phone_rings_is_not_free(node: Stage) -> None:
    await wish(node)
    volunteer = await likely(node)
    await node.look(await node.asks())
    assert [one for one, *_ in node.edge.rang] == [volunteer]
    assert await node.wishes().tell() == 0


async def test_of_the_trusted_only_if_asked_for(node: Stage) -> None:
    await wish(node, trust="trusted")
    plain, page = await likely(node), await node.page()
    assert await node.wishes().tell() == 0
    callers = [await volunteers.person(node.pool, "caller") for _ in range(20)]
    for one in (page, plain):
        for count in range(30):
            await volunteers.call(node.pool, one, callers[count % 20])
        await node.alter(one, created_at=datetime.now(UTC) - timedelta(days=61))
        await node.keeper.refresh([one])
        assert await node.wishes().tell() == 1
        await wish(node, trust="trusted")


async def test_without_the_index_pages_are_free(node: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: object, **__: object) -> list[Candidate]:
        raise Unavailable(retry_after=5)

    monkeypatch.setattr(CandidateIndex, "pick", away)
    await wish(node)
    await likely(node)
    assert await node.wishes().tell() == 0
    await node.page()
    assert await node.wishes().tell() == 1
