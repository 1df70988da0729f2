"""I7: no call starts after a ban commits, and a live one ends at once, whatever the interleaving."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator

import pytest

from accounts import service as accounts
from accounts.model import Standing, new_id
from accounts.postgres import Connection, Pool, transaction
from matching.ledger import calls
from signaling import barring
from tests.client import Client, Closed, Refused
from tests.flows.conftest import Make
from tests.flows.test_one_call import connected
from tests.house import SECRET, Server, serving

INTERLEAVINGS = 100


class Pair:
    """A caller with an open request, and a volunteer with an offer for it, straight in the database."""

    def __init__(self) -> None:
        self.caller, self.volunteer, self.request, self.offer = (new_id() for _ in range(4))

    async def make(self, pool: Pool) -> None:
        async with transaction(pool) as connection:
            for person, role in ((self.caller, "caller"), (self.volunteer, "volunteer")):
                await connection.execute(
                    "INSERT INTO accounts.person (id, email, role, languages, adult, consent, completed_at)"
                    " VALUES ($1, $2, $3, '{en}', true, 'x', now())",
                    person,
                    f"{person}@visavis.test",
                    role,
                )
            await connection.execute(
                "INSERT INTO matching.request (id, caller_id, languages) VALUES ($1, $2, '{en}')",
                self.request,
                self.caller,
            )
            await connection.execute(
                "INSERT INTO matching.offer (id, request_id, volunteer_id, channel) VALUES ($1, $2, $3, 'socket')",
                self.offer,
                self.request,
                self.volunteer,
            )


@pytest.fixture
async def server(database_url: str, redis_url: str, prefix: str) -> AsyncIterator[Server]:
    async with serving(database_url, redis_url, prefix, DATABASE_CONNECTIONS="20") as made:
        yield made


async def live_calls(pool: Pool, person: uuid.UUID) -> int:
    return int(
        await pool.fetchval(
            "SELECT count(*) FROM matching.call WHERE (caller_id = $1 OR volunteer_id = $1) AND state <> 'ended'",
            person,
        )
    )


async def claim(connection: Connection, pair: Pair) -> object:
    return await calls.claim(connection, pair.offer, pair.volunteer, "a", new_id(), new_id())


async def test_a_hundred_forced_interleavings_of_ban_and_accept(server: Server, pool: Pool) -> None:
    """The ban is stopped at one of four places while the accept runs: before it begins, after it holds the person,
    after it has committed, and after the accept has. Whoever is banned, in the end no call is live."""
    seen = set()
    for number in range(INTERLEAVINGS):
        pair, place = Pair(), number % 4
        await pair.make(pool)
        banned = (pair.caller, pair.volunteer)[number // 4 % 2]
        async with pool.acquire() as accepting, pool.acquire() as banning:
            if place == 0:  # the accept is far ahead
                call = await claim(accepting, pair)
                await barring.set_standing(server.house, banned, Standing.BANNED, actor="cli:test", reason="test")
            elif place == 1:  # the ban holds the person's row; the accept has to wait for it
                async with banning.transaction():
                    await accounts.set_standing(banning, banned, Standing.BANNED, actor="cli:test", reason="test")
                    running = asyncio.create_task(claim(accepting, pair))
                    await asyncio.sleep(0.005)
                    assert not running.done(), "the accept did not wait for the ban"
                    await server.house.help.bar(banning, banned)
                call = await running
                assert call is None
            elif place == 2:  # the accept holds both people; the ban has to wait for it, and then finds the call
                async with accepting.transaction():
                    call = await claim(accepting, pair)
                    running_ban = asyncio.create_task(
                        barring.set_standing(server.house, banned, Standing.BANNED, actor="cli:test", reason="test")
                    )
                    await asyncio.sleep(0.005)
                    assert not running_ban.done(), "the ban did not wait for the accept"
                await running_ban
            else:  # head to head
                _, call = await asyncio.gather(
                    barring.set_standing(server.house, banned, Standing.BANNED, actor="cli:test", reason="test"),
                    claim(accepting, pair),
                )
            seen.add((place, call is not None))
        assert await live_calls(pool, banned) == 0
        assert await claim_again(pool, pair) is None
    assert {(0, True), (1, False), (2, True)} <= seen


async def claim_again(pool: Pool, pair: Pair) -> object:
    async with pool.acquire() as connection:
        return await claim(connection, pair)


async def test_a_ban_ends_a_live_call_and_bars_every_way_in(
    server: Server, caller: Make, volunteer: Make, pool: Pool
) -> None:
    asker, helper, other = await caller(server.base), await volunteer(server.base), await volunteer(server.base)
    await other.command("shift.end")
    call_id = await connected(asker, helper)
    await other.command("shift.start")
    started = time.monotonic()
    await barring.set_standing(
        server.house, uuid.UUID(helper.person["id"]), Standing.BANNED, actor="cli:test", reason="harassment"
    )
    assert (await asker.expect("call.ended", within=2))["reason"] == "staff"
    assert (await helper.expect("account.changed", within=2))["standing"] == "banned"
    assert await helper.closed(2) == 4403
    assert time.monotonic() - started < 2
    # The caller did nothing wrong: somebody else is asked at once.
    await other.expect("offer.ring", within=5)
    assert (await asker.expect("help.status", state="looking_again"))["waited"] >= 0
    for method, path, code in (
        ("GET", "/v1/me", "banned"),
        ("POST", "/v1/socket-ticket", "banned"),
        ("POST", "/v1/auth/refresh", "refresh_invalid"),
    ):
        with pytest.raises(Refused, match=code):
            await helper.call(method, path)
    async with Client(server.base, helper.email) as again:
        with pytest.raises(Refused, match="banned"):
            await again.sign_in()
    assert await live_calls(pool, uuid.UUID(helper.person["id"])) == 0
    assert call_id


async def test_a_ticket_from_before_the_ban_opens_nothing(server: Server, caller: Make) -> None:
    asker = await caller(server.base)
    ticket = (await asker.call("POST", "/v1/socket-ticket"))["ticket"]
    await barring.set_standing(
        server.house, uuid.UUID(asker.person["id"]), Standing.BANNED, actor="cli:test", reason="test"
    )
    with pytest.raises(Refused, match=r"banned|token_invalid"):
        await asker.connect(ticket=ticket)
    assert asker.close_code in (4403, 4401)


async def test_a_ban_in_mid_wave(server: Server, caller: Make, volunteer: Make) -> None:
    asker, helper = await caller(server.base), await volunteer(server.base)
    await asker.ask()
    ring = await helper.expect("offer.ring")
    await barring.set_standing(
        server.house, uuid.UUID(asker.person["id"]), Standing.BANNED, actor="cli:test", reason="test"
    )
    assert (await helper.expect("offer.gone"))["reason"] == "cancelled"
    with pytest.raises(Refused, match="offer_closed"):
        await helper.accept(ring["offer_id"])
    assert await asker.closed() == 4403


async def test_the_command_ban_reaches_a_running_server(
    server: Server, caller: Make, volunteer: Make, database_url: str, redis_url: str, prefix: str
) -> None:
    asker, helper = await caller(server.base), await volunteer(server.base)
    await connected(asker, helper)

    def visavis(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "REDIS_PREFIX": prefix}
        return subprocess.run(
            [sys.executable, "-m", "signaling", *arguments],
            env=os.environ | environment | {"SECRET_KEY": SECRET},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    refused = await asyncio.to_thread(visavis, "person", "ban", "nobody@visavis.test", "--reason", "x")
    assert refused.returncode == 1
    assert "person_unknown" in refused.stderr
    banned = await asyncio.to_thread(visavis, "person", "ban", helper.email, "--reason", "harassment")
    assert banned.returncode == 0, banned.stderr
    assert (await asker.expect("call.ended", within=2))["reason"] == "staff"
    assert await helper.closed(2) == 4403
    listed = await asyncio.to_thread(visavis, "person", "list", "--standing", "banned")
    assert helper.person["id"] in listed.stdout
    assert helper.email not in listed.stdout
    assert (await asyncio.to_thread(visavis, "person", "unban", helper.email, "--reason", "mistake")).returncode == 0
    again = await Client(server.base, helper.email).sign_in()
    try:
        assert (await again.call("GET", "/v1/me"))["standing"] == "good"
    finally:
        await again.http.close()


async def test_sign_out_everywhere_closes_other_devices(server: Server, caller: Make) -> None:
    asker = await caller(server.base)
    async with Client(server.base, asker.email) as second:
        await second.sign_in()
        await second.connect()
        await second.call("POST", "/v1/auth/logout", {"everywhere": True})
        assert (await asker.expect("bye"))["action"] == "stop"
        assert await asker.closed() == 4401
        for client in (asker, second):
            with pytest.raises((Refused, Closed)):
                await client.call("GET", "/v1/me")
