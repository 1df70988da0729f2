""" "Tell me when somebody is free": told once, in turn, and only for somebody who could really come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from accounts.model import Standing
from accounts.postgres import Pool
from signaling.barring import set_standing
from tests.client import Client, Refused, new_id
from tests.flows.conftest import Make
from tests.house import Server, serving

QUICK = {"MATCHING_TICK": "0.2", "MATCHING_NOBODY_AFTER": "0.5"}


@pytest.fixture
async def quick(database_url: str, redis_url: str, prefix: str) -> AsyncIterator[Server]:
    """A node that says "nobody" after half a second."""
    async with serving(database_url, redis_url, prefix, **QUICK) as made:
        yield made


async def put_off(asker: Client, **fields: object) -> str:
    """Ask, hear that nobody answers, and wish to be told."""
    request_id = await asker.ask(**fields)
    await asker.expect("help.nobody")
    await asker.command("help.later", request_id=request_id)
    assert (await asker.expect("help.closed"))["reason"] == "later"
    return request_id


async def is_told(asker: Client, within: float = 1) -> bool:
    try:
        await asker.expect("help.free", within=within)
    except AssertionError:
        return False
    return True


async def sweeps(server: Server, count: int = 3) -> None:
    """Wait until the sweeper has looked at everything so many times again."""
    for _ in range(count):
        async with asyncio.timeout(5):
            while not await server.house.sweeper.sweep():  # noqa: ASYNC110 (a database lock decides)
                await asyncio.sleep(0.02)


async def test_told_once_when_somebody_comes(quick: Server, caller: Make, volunteer: Make) -> None:
    asker = await caller(quick.base, "en", "fr")
    request_id = await put_off(asker)
    # A retry is no second wish, and no mistake.
    await asker.command("help.later", request_id=request_id)
    async with await Client(quick.base, asker.email).sign_in() as page:
        await page.connect()
        state = page.welcome["state"]
        assert state["request"] is None
        assert state["later"] == {"request_id": request_id, "languages": ["en", "fr"]}
        assert state["free"] is None
    helper = await volunteer(quick.base)
    free = await asker.expect("help.free")
    assert (free["request_id"], free["languages"]) == (request_id, ["en", "fr"])
    # Nobody is rung for it: the caller decides.
    assert not [event for event in helper.events if event["type"] == "offer.ring"]
    await volunteer(quick.base)
    await sweeps(quick)
    assert not await is_told(asker, within=0.3)
    again = await asker.ask()
    ring = await helper.expect("offer.ring", request_id=again)
    await helper.accept(ring["offer_id"])
    await asker.expect("call.begin")


async def test_a_page_that_was_closed_finds_it_in_its_welcome(quick: Server, caller: Make, volunteer: Make) -> None:
    asker = await caller(quick.base)
    request_id = await put_off(asker)
    await asker.disconnect()
    await volunteer(quick.base)
    await sweeps(quick)
    await asker.connect()
    assert asker.welcome["state"]["free"] == {"request_id": request_id, "languages": ["en"]}
    assert asker.welcome["state"]["later"] is None
    await asker.command("help.cancel", request_id=request_id)
    await asker.connect()
    assert asker.welcome["state"]["free"] is None


async def test_a_closed_page_is_told_by_mail_once(quick: Server, caller: Make, volunteer: Make) -> None:
    asker, other = await caller(quick.base, "en"), await caller(quick.base, "de")
    for each in (asker, other):
        await put_off(each)
    await asker.disconnect()
    await volunteer(quick.base)
    mails: list[dict[str, str]] = []
    async with asyncio.timeout(10):
        while len(mails) < 2:  # the first was the code to sign in
            mails = await asker.call("GET", f"/dev/mail?to={asker.email}")
            await asyncio.sleep(0.05)
    assert mails[0]["subject"] == "Somebody could help you now"
    assert f"{quick.base.replace('127.0.0.1', 'localhost')}/call" in mails[0]["text"]
    await sweeps(quick)
    assert len(await asker.call("GET", f"/dev/mail?to={asker.email}")) == 2
    assert len(await other.call("GET", f"/dev/mail?to={other.email}")) == 1, "whose page is open hears it there"


async def test_also_while_looking(server: Server, caller: Make, pool: Pool) -> None:
    asker = await caller(server.base)
    request_id = await asker.ask(trust="trusted")
    await asker.command("help.later", request_id=request_id)
    assert (await asker.expect("help.closed"))["reason"] == "later"
    assert await pool.fetchval("SELECT trust FROM matching.wish") == "trusted"
    assert await pool.fetchval("SELECT state FROM matching.request") == "unanswered"
    with pytest.raises(Refused, match="request_closed"):
        await asker.command("help.wait", request_id=request_id)


async def test_asking_again_or_stopping_forgets_it(quick: Server, caller: Make, volunteer: Make, pool: Pool) -> None:
    asker = await caller(quick.base)
    request_id = await put_off(asker)
    await asker.command("help.cancel", request_id=request_id)
    assert (await asker.expect("help.closed"))["reason"] == "cancelled"
    assert await pool.fetchval("SELECT count(*) FROM matching.wish") == 0
    await put_off(asker)
    last = await asker.ask()
    assert await pool.fetchval("SELECT count(*) FROM matching.wish") == 0
    await volunteer(quick.base)
    assert not await is_told(asker)
    # A newer wish replaces an older one.
    await asker.command("help.later", request_id=last)
    assert str(await pool.fetchval("SELECT request_id FROM matching.wish")) == last


async def test_a_wish_expires(
    database_url: str, redis_url: str, prefix: str, caller: Make, volunteer: Make, pool: Pool
) -> None:
    async with serving(database_url, redis_url, prefix, **QUICK, MATCHING_LATER_WITHIN="0.3") as server:
        asker = await caller(server.base)
        await put_off(asker)
        await asyncio.sleep(0.4)
        await volunteer(server.base)
        await sweeps(server)
        assert not await is_told(asker, within=0.3)
        assert await pool.fetchval("SELECT count(*) FROM matching.wish") == 0
        await asker.connect()
        assert asker.welcome["state"]["later"] is asker.welcome["state"]["free"] is None


async def test_only_for_somebody_who_could_come(quick: Server, caller: Make, volunteer: Make, pool: Pool) -> None:
    asker = await caller(quick.base)
    await volunteer(quick.base, "fr")
    await volunteer(quick.base, shift=False)
    await volunteer(quick.base, "en", "fr", muted_languages=["en"])
    await volunteer(quick.base, snooze=3)
    windows = [{"start": "00:00", "end": "12:00"}, {"start": "12:00", "end": "00:00"}]
    await volunteer(quick.base, time_zone="UTC", quiet_hours=windows)
    paired = await volunteer(quick.base)
    await pool.execute(
        "INSERT INTO matching.never_again (one, other, set_by) SELECT least(a, b), greatest(a, b), ARRAY[a]"
        " FROM (SELECT $1::text::uuid AS a, $2::text::uuid AS b) AS pair",
        asker.person["id"],
        paired.person["id"],
    )
    busy, other = await volunteer(quick.base, "en", "de"), await caller(quick.base, "de")
    await other.ask()
    await busy.accept((await busy.expect("offer.ring"))["offer_id"])
    request_id = await asker.ask()
    await asker.command("help.later", request_id=request_id)
    await sweeps(quick)
    assert not await is_told(asker, within=0.3)
    await volunteer(quick.base)
    assert await is_told(asker)


async def test_not_who_is_held(quick: Server, caller: Make, volunteer: Make) -> None:
    asker = await caller(quick.base)
    await put_off(asker)
    await set_standing(quick.house, UUID(asker.person["id"]), Standing.HELD, actor="tests", reason="x")
    await volunteer(quick.base)
    await sweeps(quick)
    assert not await is_told(asker, within=0.3)


async def test_one_caller_for_one_volunteer_in_turn(
    database_url: str, redis_url: str, prefix: str, caller: Make, volunteer: Make, pool: Pool
) -> None:
    """Five wait: two volunteers, two of them are told, those who have waited longest; the next after a while."""
    async with serving(database_url, redis_url, prefix, **QUICK, MATCHING_LATER_SPREAD="2") as server:
        askers = [await caller(server.base) for _ in range(5)]
        for asker in askers:
            await asker.command("help.later", request_id=await asker.ask())
        for _ in range(2):
            await volunteer(server.base)
        for asker in askers[:2]:
            await asker.expect("help.free", within=3)
        await sweeps(server)
        assert await pool.fetchval("SELECT count(*) FROM matching.wish WHERE told_at IS NOT NULL") == 2
        for asker in askers[2:4]:
            await asker.expect("help.free", within=5)


async def test_two_sweepers_tell_once(nodes: list[Server], caller: Make, volunteer: Make) -> None:
    asker = await caller(nodes[0].base)
    await asker.command("help.later", request_id=await asker.ask())
    for _ in range(4):
        await volunteer(nodes[1].base)
    for node in nodes:
        # As if the lock of the sweepers had failed: both look at once, each with a volunteer of its own in mind.
        node.house.board.promise = always  # type: ignore[assignment, method-assign]
    told = await asyncio.gather(*(node.house.sweeper._wishes.tell() for node in nodes for _ in range(4)))
    await asker.expect("help.free")
    assert sum(told) <= 1
    assert not await is_told(asker, within=0.3)


async def always(*_: object) -> bool:
    """Every volunteer may be promised to everybody."""
    return True


async def test_a_strangers_wish(server: Server, caller: Make, volunteer: Make) -> None:
    asker, other, helper = await caller(server.base), await caller(server.base), await volunteer(server.base, "fr")
    request_id = await asker.ask()
    for stranger in (other, helper):
        for unknown in (request_id, new_id()):
            with pytest.raises(Refused, match="request_unknown"):
                await stranger.command("help.later", request_id=unknown)
    await asker.command("help.later", request_id=request_id)
    with pytest.raises(Refused, match="request_unknown"):
        await other.command("help.cancel", request_id=request_id)
    assert await asker.command("help.cancel", request_id=request_id)
