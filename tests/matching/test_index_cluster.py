"""The candidate index over a real cluster of three: languages live on different nodes, and one that is down takes only
its own along."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator

import pytest

from accounts.errors import Unavailable
from accounts.postgres import Pool
from matching.candidates import CandidateIndex, close_index, connect_index
from matching.keeper import Keeper
from matching.settings import MatchingSettings
from tests.cluster import Cluster, cluster
from tests.matching.volunteers import volunteer

LANGUAGES = ("ar", "de", "en", "es", "fr", "it", "pl", "pt", "ru", "tr")


@pytest.fixture
async def three() -> AsyncIterator[Cluster]:
    async with cluster() as made:
        yield made


@pytest.fixture
async def keeper(three: Cluster, pool: Pool) -> AsyncIterator[Keeper]:
    client = await connect_index(three.url)
    yield Keeper(pool, CandidateIndex(client, "t:"), MatchingSettings())
    await close_index(client)


async def standing(keeper: Keeper, language: str) -> set[uuid.UUID]:
    return {candidate.id for candidate in await keeper.index.pick(language, 100)}


async def test_languages_live_on_all_nodes_and_outlive_one(three: Cluster, keeper: Keeper, pool: Pool) -> None:
    # {index}, which all languages share, must not be on the node that goes.
    down = next(node for node in three.nodes[1:] if not node.has("index"))
    lost = {language for language in LANGUAGES if down.has(language)}
    kept = set(LANGUAGES) - lost
    assert all(any(node.has(language) for language in LANGUAGES) for node in three.nodes)
    speaks = {language: await volunteer(pool, language) for language in LANGUAGES}
    one, other = sorted(lost)[0], sorted(kept)[0]
    both = await volunteer(pool, one, other)

    done = await keeper.rebuild()
    assert done is not None
    assert (done.volunteers, done.missed) == (len(LANGUAGES) + 1, frozenset())
    for language, who in speaks.items():
        assert who in await standing(keeper, language)
        assert await three.of(language).client.exists(f"t:{{{language}}}:index")
        assert (await keeper.index.status(language)).built

    await down.stop()
    for language in lost:
        with pytest.raises(Unavailable):
            await standing(keeper, language)
    await pool.execute("UPDATE accounts.person SET snoozed_until = now() + interval '1 hour' WHERE id = $1", both)
    with pytest.raises(Unavailable):
        await keeper.refresh([both])
    for language in kept:
        assert await standing(keeper, language) == {speaks[language]}
    # Turns are taken language by language: one that cannot be reached holds up none that comes after it.
    last = max(kept)
    assert last > min(lost)
    await pool.execute("DELETE FROM accounts.device WHERE person_id = $1", speaks[last])
    later = CandidateIndex(keeper.index._redis, "t:", clock=lambda: time.time() + 2 * 86_400)
    with pytest.raises(Unavailable):
        await Keeper(pool, later, MatchingSettings()).take_turns()
    assert await standing(keeper, last) == set()
    partly = await keeper.rebuild()
    assert partly is not None
    assert partly.missed == lost


async def test_a_node_that_comes_back_empty_is_filled_again(three: Cluster, keeper: Keeper, pool: Pool) -> None:
    speaks = {language: await volunteer(pool, language) for language in LANGUAGES}
    await keeper.rebuild()
    emptied = next(node for node in three.nodes if not node.has("index"))
    await emptied.client.flushall()
    for _ in range(2):
        await keeper.take_turns()
        await keeper.watch()
    for language, who in speaks.items():
        assert await standing(keeper, language) == {who}


async def test_without_the_node_that_has_the_list_the_others_are_looked_after(
    three: Cluster, keeper: Keeper, pool: Pool
) -> None:
    down = three.of("index")
    lost = {language for language in LANGUAGES if down.has(language)}
    one = sorted(set(LANGUAGES) - lost)[0]
    who, both = await volunteer(pool, one), await volunteer(pool, one, sorted(lost)[0])
    await keeper.rebuild()
    assert await standing(keeper, one) == {who, both}
    await down.stop()
    await pool.execute("DELETE FROM accounts.device WHERE person_id = ANY($1)", [who, both])
    await keeper.refresh([who])
    with pytest.raises(Unavailable):
        await keeper.refresh([both])
    assert await standing(keeper, one) == set()
    with pytest.raises(Unavailable):
        await keeper.take_turns()
