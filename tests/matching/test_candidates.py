"""The candidate index on a real Valkey: who is picked, in which order, when their time is over, and who wins when two
nodes place the same volunteer."""

from __future__ import annotations

import random
import time
import uuid
from typing import Any

import pytest

from accounts.errors import Unavailable
from matching.candidates import CandidateIndex, Client, connect_index
from matching.model import Evidence
from matching.placement import SHARES, Band, Place
from matching.settings import MatchingSettings
from signaling.embedded.valkey import Valkey

NOW = 1_800_000_000.0


class Clock:
    """The time the scripts go by."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def index(client: Client, prefix: str, clock: Clock) -> CandidateIndex:
    return CandidateIndex(client, prefix, MatchingSettings(), clock)


def stands(*languages: str, **changes: Any) -> Place:
    whole: dict[str, Any] = {
        "id": uuid.uuid4(),
        "stands": frozenset(languages or ("en",)),
        "look_at": NOW + 3600,
        "until": NOW + 3600,
    }
    return Place(**(whole | changes))


def waits(id_: uuid.UUID, look_at: float = NOW + 3600) -> Place:
    return Place(id=id_, waits=frozenset({"en"}), look_at=look_at)


def gone(id_: uuid.UUID) -> Place:
    return Place(id=id_, leaves=frozenset({"en"}))


async def picked(index: CandidateIndex, at_most: int = 128, language: str = "en", **how: Any) -> list[uuid.UUID]:
    return [candidate.id for candidate in await index.pick(language, at_most, **how)]


async def test_what_is_placed_is_picked_as_it_was(index: CandidateIndex) -> None:
    volunteer = stands(
        band=Band.SOME,
        evidence=Evidence(1.5, 12.25, 3),
        last_rung=NOW - 1000,
        calls=7,
        offset=-12_600,
    )
    await index.place([volunteer], NOW)
    (found,) = await index.pick("en", 10)
    assert (found.id, found.evidence, found.last_rung) == (volunteer.id, Evidence(1.5, 12.25, 3), NOW - 1000)
    assert (found.calls, found.offset, found.channel) == (7, -12_600, "push")


async def test_what_is_too_large_for_a_record_is_cut(index: CandidateIndex) -> None:
    await index.place([stands(evidence=Evidence(1e9, 1e9, 70_000), calls=100_000, until=1e12, last_rung=-5)], NOW)
    (found,) = await index.pick("en", 10)
    assert (found.calls, found.evidence.ignored, found.last_rung) == (255, 255, 0)


async def test_least_recently_rung_first(index: CandidateIndex) -> None:
    volunteers = [stands(last_rung=NOW - number) for number in range(50)]
    await index.place(volunteers, NOW)
    assert await picked(index, 20) == [volunteer.id for volunteer in reversed(volunteers[30:])]


async def test_whoever_was_looked_at_makes_room(index: CandidateIndex) -> None:
    """Or those who are seldom the right ones, at night or tired, would stand in front for every request."""
    volunteers = [stands(last_rung=NOW - 1 - number) for number in range(60)]
    await index.place(volunteers, NOW)
    looked_at = [volunteer for _ in range(3) for volunteer in await picked(index, 20)]
    assert looked_at == [volunteer.id for volunteer in reversed(volunteers)]
    await index.place([gone(volunteers[59].id)], NOW + 1)
    assert volunteers[59].id not in await picked(index, 60)


async def test_each_band_has_its_share_and_makes_up_for_the_others(index: CandidateIndex) -> None:
    lines = {band: [stands(band=band, last_rung=NOW - n) for n in range(100)] for band in Band}
    await index.place([volunteer for line in lines.values() for volunteer in line], NOW)
    found = set(await picked(index, 128))
    count = {band: len(found & {volunteer.id for volunteer in line}) for band, line in lines.items()}
    assert count == SHARES
    await index.place([gone(volunteer.id) for band in (Band.OFTEN, Band.SOME) for volunteer in lines[band]], NOW + 1)
    found = set(await picked(index, 128))
    assert len(found) == 128
    better = [volunteer for band in set(Band) - {Band.RARE} for volunteer in lines[band]]
    await index.place([gone(volunteer.id) for volunteer in better], NOW + 1)
    assert set(await picked(index, 128)) == {volunteer.id for volunteer in lines[Band.RARE]}


async def test_the_trusted_have_a_line_of_their_own_too(index: CandidateIndex) -> None:
    trusted, other = stands(trusted=True), stands()
    await index.place([trusted, other], NOW)
    assert await picked(index, trusted=True) == [trusted.id]
    assert set(await picked(index)) == {trusted.id, other.id}
    await index.place([stands(id=trusted.id)], NOW + 1)
    assert await picked(index, trusted=True) == []
    assert trusted.id in await picked(index)


async def test_nobody_is_picked_twice_after_their_band_changed(index: CandidateIndex) -> None:
    volunteer = stands(band=Band.NEW)
    for number, band in enumerate(Band):
        await index.place([stands(id=volunteer.id, band=band)], NOW + number)
        assert await picked(index) == [volunteer.id]


async def test_who_waits_or_is_gone_is_not_picked(index: CandidateIndex) -> None:
    one, two = stands(trusted=True), stands("en", "fr", trusted=True)
    await index.place([one, two], NOW)
    await index.place([waits(one.id), gone(two.id)], NOW + 1)
    assert await picked(index) == await picked(index, trusted=True) == []
    assert await picked(index, language="fr") == [two.id]


async def test_whose_time_is_over_is_passed_over_and_the_next_takes_the_place(
    index: CandidateIndex, clock: Clock
) -> None:
    over = [stands(until=NOW + 60, last_rung=1) for _ in range(100)]
    others = [stands(last_rung=2) for _ in range(20)]
    await index.place(over + others, NOW)
    clock.now = NOW + 60
    assert set(await picked(index, 20)) <= {volunteer.id for volunteer in others}
    for _ in range(2):  # each pick reads so much and no more; what it has passed over does not come again
        await picked(index, 20)
    assert set(await picked(index, 20)) == {volunteer.id for volunteer in others}


async def test_a_pick_reads_a_bounded_number(index: CandidateIndex, client: Any, flushable_redis: Valkey) -> None:
    alone = await connect_index(flushable_redis.url)
    try:
        own: Any = alone
        index = CandidateIndex(alone, "t:")
        now = time.time()
        await index.place([stands(until=now + 1, look_at=now + 900, last_rung=n) for n in range(5000)], now)
        index = CandidateIndex(alone, "t:", clock=lambda: now + 2)  # all of them are over
        await own.config_resetstat()
        assert await index.pick("en", 32) == []
        stats = await own.info("commandstats")
        assert stats["cmdstat_hget"]["calls"] <= 4 * 40
    finally:
        await alone.aclose()


async def test_what_was_known_later_stays(index: CandidateIndex) -> None:
    volunteer = stands()
    await index.place([waits(volunteer.id)], NOW + 1)
    await index.place([volunteer], NOW)
    assert await picked(index) == []
    await index.place([volunteer], NOW + 2)
    assert await picked(index) == [volunteer.id]
    await index.place([gone(volunteer.id)], NOW + 1)
    assert await picked(index) == [volunteer.id]


async def test_who_is_gone_is_not_brought_back_by_what_is_older(index: CandidateIndex) -> None:
    volunteer = stands()
    await index.place([gone(volunteer.id)], NOW + 1)  # never seen before
    await index.place([volunteer], NOW)
    assert await picked(index) == []


async def test_when_the_clock_of_postgres_is_put_back_it_is_believed(index: CandidateIndex) -> None:
    volunteer = stands()
    await index.place([volunteer], NOW)
    await index.place([waits(volunteer.id)], NOW - 3600)
    assert await picked(index) == []


# --- turns


async def all_turns(index: CandidateIndex, language: str = "en") -> list[uuid.UUID]:
    found: list[uuid.UUID] = []
    while True:
        taken = await index.take(language, 7)
        found += taken.volunteers
        if not taken.more:
            return found


async def test_a_turn_comes_once_when_its_minute_comes(index: CandidateIndex, clock: Clock) -> None:
    volunteers = [waits(uuid.uuid4(), NOW + 900) for _ in range(20)]
    await index.place(volunteers, NOW)
    assert await all_turns(index) == []
    clock.now = NOW + 900
    assert sorted(await all_turns(index)) == sorted(volunteer.id for volunteer in volunteers)
    assert await all_turns(index) == []


async def test_a_turn_that_was_taken_and_not_done_comes_again(index: CandidateIndex, clock: Clock) -> None:
    one, other = stands(look_at=NOW + 900), stands(look_at=NOW + 900)
    await index.place([one, other], NOW)
    clock.now = NOW + 900
    assert len(await all_turns(index)) == 2
    await index.place([stands(id=one.id, look_at=NOW + 90_000)], NOW + 900)
    clock.now += MatchingSettings().index_lease + 60
    assert await all_turns(index) == [other.id]


async def test_a_volunteer_has_one_turn_however_often_it_moves(
    index: CandidateIndex, clock: Clock, client: Any, prefix: str
) -> None:
    volunteer = uuid.uuid4()
    for number in range(40):
        await index.place([waits(volunteer, NOW + 900 * (1 + number % 4))], NOW + number)
    clock.now = NOW + 3600
    assert await all_turns(index) == [volunteer]
    for number in range(40):  # the same again and again adds nothing
        await index.place([waits(volunteer, NOW + 9000)], NOW + 100 + number)
    slot = int((NOW + 9000) // 60)
    assert await client.llen(f"{prefix}{{en}}:index:turns:{slot}") == 1


async def test_a_turn_that_is_past_already_is_not_taken_without_end(index: CandidateIndex, clock: Clock) -> None:
    volunteer = uuid.uuid4()  # the cache's clock is ahead of that of Postgres
    for number in range(3):
        await index.place([waits(volunteer, NOW - 3600)], NOW + number)
        assert await all_turns(index) == []
    clock.now += MatchingSettings().index_lease + 60
    assert await all_turns(index) == [volunteer]


async def test_a_clock_that_is_put_back_makes_turns_late_and_loses_none(index: CandidateIndex, clock: Clock) -> None:
    volunteers = [waits(uuid.uuid4(), NOW + 900) for _ in range(5)]
    await index.place(volunteers, NOW)
    clock.now = NOW - 86_400
    assert await all_turns(index) == []
    clock.now = NOW + 900
    assert len(await all_turns(index)) == 5


async def test_who_is_gone_is_forgotten_at_their_turn(index: CandidateIndex, clock: Clock) -> None:
    volunteers = [stands() for _ in range(30)]
    await index.place(volunteers, NOW)
    await index.place([gone(volunteer.id) for volunteer in volunteers], NOW + 1)
    clock.now += 7200
    assert await all_turns(index) == []
    line = await index.status("en")
    assert (line.records, sum(line.stand.values())) == (0, 0)


# --- many


async def test_many_come_and_go_and_are_what_a_simple_model_says(index: CandidateIndex) -> None:
    chance = random.Random(7)
    everybody = [uuid.uuid4() for _ in range(1500)]
    model: dict[uuid.UUID, Place] = {}
    last, line = list[Place](), await index.status("en")
    for step in range(12):
        places = []
        for volunteer in chance.sample(everybody, 700):
            places.append(
                chance.choice(
                    (
                        stands(id=volunteer, band=chance.choice(list(Band)), last_rung=float(chance.randrange(10**9))),
                        waits(volunteer),
                        gone(volunteer),
                    )
                )
            )
        await index.place(places, NOW + step)
        model |= {each.id: each for each in places}
        last, line = places, await index.status("en")
        for band in Band:
            assert line.stand[band.name.lower()] == sum(bool(p.stands) and p.band is band for p in model.values())
    found = {candidate.id: candidate for candidate in await index.pick("en", 4 * len(everybody))}
    assert found.keys() == {each.id for each in model.values() if each.stands}
    assert all(candidate.last_rung == model[id_].last_rung for id_, candidate in found.items())
    assert line.records == len(model)
    older = [id_ async for some in index.older("en", NOW + 11) for id_ in some]
    assert not set(older) & {each.id for each in last}
    assert len(older) == len(set(older)) > 0


async def test_no_bucket_grows_beyond_what_the_cache_keeps_small(
    index: CandidateIndex, client: Any, prefix: str
) -> None:
    await index.place([stands() for _ in range(4000)], NOW)
    buckets = int(await client.hget(f"{prefix}{{en}}:index", "buckets"))
    assert buckets == 125
    sizes = [await client.hlen(f"{prefix}{{en}}:index:{number}") for number in range(buckets)]
    assert sum(sizes) == 4000
    assert max(sizes) < 128
    assert await client.object("ENCODING", f"{prefix}{{en}}:index:0") == b"listpack"


async def test_a_cache_that_is_away_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        await connect_index("redis://127.0.0.1:1/0", patience=0.5)


async def test_a_cache_that_goes_is_unavailable_and_place_says_what_it_missed(flushable_redis: Valkey) -> None:
    client = await connect_index(flushable_redis.url, patience=0.5)
    index = CandidateIndex(client, "t:")
    await index.place([stands("en", "fr")], NOW)
    await flushable_redis.stop()
    with pytest.raises(Unavailable):
        await index.pick("en", 10)
    assert await index.place([stands("en", "fr")], NOW) == {"en", "fr"}
    await client.aclose()
