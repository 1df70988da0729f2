"""Devices are registered, rung while no page is open, quietened, and forgotten: against a real push service."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from aiohttp import web

from accounts import devices
from accounts.errors import Unavailable
from accounts.model import new_id
from accounts.postgres import Pool
from matching.events import OfferGone, OfferRing
from matching.model import Channel
from signaling.doorbell import Doorbell
from signaling.push import pushes
from signaling.push.rings import Rings
from tests.client import Client, Refused
from tests.flows.conftest import Make
from tests.house import Server, serving
from tests.signaling.push.services import Browser, Got, StandIn, WebPushService, stand_in, until, web_push_service
from tests.signaling.push.test_apns import PEM as P256
from tests.signaling.push.test_fcm import PEM as RSA

Json = dict[str, Any]


@pytest.fixture(scope="module")
async def real() -> AsyncIterator[WebPushService]:
    async with web_push_service() as service:
        yield service


@pytest.fixture
async def service(real: WebPushService) -> WebPushService:
    real.door.got.clear()
    return real


@pytest.fixture
async def door() -> AsyncIterator[StandIn]:
    async with stand_in() as made:
        yield made


QUICK = {"PUSH_FIRST_WAIT": "0.001", "PUSH_PATIENCE": "0.5"}


@pytest.fixture
async def server(
    database_url: str, redis_url: str, prefix: str, real: WebPushService, door: StandIn
) -> AsyncIterator[Server]:
    hosts = f"{real.door.base} {door.base}"
    async with serving(database_url, redis_url, prefix, PUSH_HOSTS=hosts, **QUICK) as made:
        yield made


@pytest.fixture
async def helper(server: Server, people: Any) -> Client:
    """A volunteer whose page is closed."""
    client: Client = await people.enter_async_context(Client(server.base))
    await client.sign_in()
    return await client.profile("volunteer")


async def register(client: Client, subscription: Json) -> str:
    saved = await client.call("POST", "/v1/me/devices", {"kind": "web_push"} | subscription)
    assert saved["kind"] == "web_push"
    return str(saved["id"])


class Bell:
    """The doorbell of a node, as matching uses it."""

    def __init__(self, server: Server) -> None:
        self._pushes = server.house.pushes
        self._bell = Doorbell(server.house.bus, self._pushes)
        self.failed: list[tuple[UUID, UUID]] = []
        self._pushes.failed = self._note

    async def _note(self, volunteer: UUID, offer: UUID) -> None:
        self.failed.append((volunteer, offer))

    async def ring(self, client: Client, offer: UUID | None = None, *, settle: bool = True) -> UUID:
        offer = offer or new_id()
        event = OfferRing(offer, new_id(), ("en",), 3.0, 30.0, "a secret topic")
        await self._bell.ring(UUID(client.person["id"]), event, Channel.PUSH)
        if settle:
            await self.settled()
        return offer

    async def withdraw(self, client: Client, offer: UUID, *, settle: bool = True) -> None:
        await self._bell.withdraw(UUID(client.person["id"]), OfferGone(offer, "taken"), Channel.PUSH)
        if settle:
            await self.settled()

    async def settled(self) -> None:
        async with asyncio.timeout(20):
            await self._pushes.idle()


@pytest.fixture
def bell(server: Server) -> Bell:
    return Bell(server)


async def pushed(client: Client) -> list[Json]:
    found: list[Json] = await client.call("GET", "/dev/push")
    return found


async def failures(pool: Pool) -> list[tuple[int, bool]]:
    """For each device its failures in a row, and whether it is left alone now."""
    rows = await pool.fetch("SELECT failures, coalesce(retry_at > now(), false) FROM accounts.device ORDER BY id")
    return [(row[0], row[1]) for row in rows]


# --- a ring and its end


async def test_a_ring_reaches_a_closed_page(helper: Client, service: WebPushService, bell: Bell) -> None:
    """The service checks our signature and decrypts the message, as a browser would."""
    key = await helper.call("GET", "/v1/push/key")
    assert key["kinds"] == ["web_push"]
    subscription = await service.subscribe(key["key"])
    device = await register(helper, subscription)
    offer = await bell.ring(helper)
    (message,) = map(json.loads, await service.messages(subscription))
    assert message.keys() == {"kind", "offer", "tag", "expires"}
    assert (message["kind"], message["offer"]) == ("ring", str(offer))
    (got,) = service.door.got
    assert (got.headers["TTL"], got.headers["Urgency"]) == ("30", "high")
    await bell.withdraw(helper, offer)
    _, message = map(json.loads, await service.messages(subscription))
    assert (message["kind"], message["offer"]) == ("gone", str(offer))
    assert service.door.got[1].headers["Topic"] == service.door.got[0].headers["Topic"]
    assert bell.failed == []
    newest, oldest = await pushed(helper)
    assert [each["payload"]["kind"] for each in (newest, oldest)] == ["gone", "ring"]
    assert oldest["to"] == subscription["endpoint"]
    assert (oldest["device"], oldest["status"], oldest["kind"]) == (device, "sent", "web_push")


async def test_an_open_page_is_rung_as_well(
    server: Server, volunteer: Make, service: WebPushService, bell: Bell
) -> None:
    helper = await volunteer(server.base)
    await register(helper, await service.subscribe((await helper.call("GET", "/v1/push/key"))["key"]))
    offer = await bell.ring(helper)
    await helper.expect("offer.ring", offer_id=str(offer))
    await bell.withdraw(helper, offer)
    await helper.expect("offer.gone", offer_id=str(offer))
    assert len(service.door.got) == 2


async def test_a_subscription_that_has_expired_is_forgotten(
    helper: Client, service: WebPushService, bell: Bell, pool: Pool
) -> None:
    subscription = await service.subscribe((await helper.call("GET", "/v1/push/key"))["key"])
    await register(helper, subscription)
    await service.expire(subscription)
    offer = await bell.ring(helper)
    assert bell.failed == [(UUID(helper.person["id"]), offer)]
    assert (await helper.call("GET", "/v1/me/devices"))["devices"] == []
    assert (await pushed(helper))[0]["status"] == "gone"
    await bell.ring(helper)
    assert len(bell.failed) == 2, "nobody left to ring"
    assert len(service.door.got) == 1


async def test_one_device_is_enough(helper: Client, service: WebPushService, bell: Bell, door: StandIn) -> None:
    await register(helper, await service.subscribe((await helper.call("GET", "/v1/push/key"))["key"]))
    await register(helper, Browser().subscription(f"{door.base}/gone"))
    door.status = 410
    await bell.ring(helper)
    assert bell.failed == []
    assert len((await helper.call("GET", "/v1/me/devices"))["devices"]) == 1


@pytest.mark.parametrize(
    ("status", "headers", "asked"),
    [
        (307, {"Location": "/elsewhere"}, 1),
        (400, {}, 1),
        (403, {}, 1),
        (429, {"Retry-After": "3600"}, 1),
        (429, {}, 1),
        (503, {"Retry-After": "Fri, 31 Dec 2100 23:59:59 GMT"}, 1),
        (500, {}, 3),
    ],
)
async def test_a_device_that_fails_is_kept_and_left_alone(
    helper: Client, bell: Bell, door: StandIn, pool: Pool, status: int, headers: dict[str, str], asked: int
) -> None:
    """Nothing is lost by a service's bad day, a redirect or our own fault; and nobody waits for it meanwhile."""
    await register(helper, Browser().subscription(f"{door.base}/x"))
    door.status, door.headers = status, headers
    await bell.ring(helper)
    assert len(door.got) == asked
    assert {got.path for got in door.got} == {"/x"}
    assert len(bell.failed) == 1
    assert await failures(pool) == [(1, True)]
    await bell.ring(helper)
    assert len(door.got) == asked, "not before its time"
    assert len(bell.failed) == 2
    # Its time has come: one success, and all is forgotten.
    await pool.execute("UPDATE accounts.device SET retry_at = now()")
    door.status = 201
    await bell.ring(helper)
    assert await failures(pool) == [(0, False)]
    assert len(bell.failed) == 2


async def test_a_service_that_hangs_holds_up_nobody(helper: Client, bell: Bell, door: StandIn, pool: Pool) -> None:
    async def hang(got: Got) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    door.answer = hang
    await register(helper, Browser().subscription(f"{door.base}/x"))
    await bell.ring(helper, settle=False)  # returns at once
    await bell.settled()
    assert len(bell.failed) == 1
    assert await failures(pool) == [(1, True)]


async def test_what_was_not_sent_yet_is_not_sent_after_its_withdrawal(
    helper: Client, bell: Bell, door: StandIn, server: Server
) -> None:
    house = server.house
    offer = new_id()
    await register(helper, Browser().subscription(f"{door.base}/x"))
    await Rings(house.redis, house.settings.redis_prefix).take_back(offer)
    await bell.ring(helper, offer)
    assert door.got == []
    assert bell.failed == []


async def test_a_ring_that_was_on_its_way_is_quietened_once(
    helper: Client, bell: Bell, door: StandIn, server: Server
) -> None:
    """Withdrawn while the push service has it in hand: the withdrawal follows, and only one."""
    let_go = asyncio.Event()

    async def slow(got: Got) -> web.StreamResponse:
        if len(door.got) == 1:
            await let_go.wait()
        return web.Response(status=201)

    door.answer = slow
    await register(helper, Browser().subscription(f"{door.base}/x"))
    offer = await bell.ring(helper, settle=False)
    await door.gets(1)
    await bell.withdraw(helper, offer, settle=False)
    rings = Rings(server.house.redis, server.house.settings.redis_prefix)

    async def taken_back() -> bool:
        return not await rings.wanted(offer)

    await until(taken_back)
    assert len(door.got) == 1
    let_go.set()
    await bell.settled()
    assert [each["payload"]["kind"] for each in await pushed(helper)] == ["gone", "ring"]
    await bell.withdraw(helper, offer)
    assert len(door.got) == 2


async def test_a_withdrawal_without_a_ring_is_silent(helper: Client, bell: Bell, door: StandIn) -> None:
    await register(helper, Browser().subscription(f"{door.base}/x"))
    await bell.withdraw(helper, new_id())
    assert door.got == []


async def test_any_node_can_quieten(
    database_url: str, redis_url: str, prefix: str, server: Server, helper: Client, bell: Bell, door: StandIn
) -> None:
    await register(helper, Browser().subscription(f"{door.base}/x"))
    offer = await bell.ring(helper)
    async with serving(database_url, redis_url, prefix, PUSH_HOSTS=door.base) as other:
        await Bell(other).withdraw(helper, offer)
    assert len(door.got) == 2


async def test_without_the_cache_rings_go_out_all_the_same(
    helper: Client, bell: Bell, door: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> bool:
        raise Unavailable(retry_after=5)

    await register(helper, Browser().subscription(f"{door.base}/x"))
    for name in ("wanted", "rung", "take_back"):
        monkeypatch.setattr(Rings, name, away)
    offer = await bell.ring(helper)
    await bell.withdraw(helper, offer)
    assert len(door.got) == 1
    assert bell.failed == []


async def test_without_the_database_nothing_is_reported_and_the_bell_goes_on(
    helper: Client, bell: Bell, door: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever was not rung is replaced when the ring expires; that everybody failed would be a lie."""
    await register(helper, Browser().subscription(f"{door.base}/x"))

    async def away(*_: object) -> list[devices.Device]:
        raise Unavailable(retry_after=5)

    with monkeypatch.context() as patched:
        patched.setattr(devices, "to_ring", away)
        await bell.ring(helper)
    assert bell.failed == []
    offer = await bell.ring(helper)
    with monkeypatch.context() as patched:
        patched.setattr(devices, "by_ids", away)
        await bell.withdraw(helper, offer)
    assert len(door.got) == 1


async def test_a_server_that_stops_waits_for_no_push_service(
    database_url: str, redis_url: str, prefix: str, helper: Client, door: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(got: Got) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(pushes, "CLOSE_WITHIN", 0.01)
    door.answer = hang
    await register(helper, Browser().subscription(f"{door.base}/x"))
    async with serving(database_url, redis_url, prefix, PUSH_HOSTS=door.base, PUSH_PATIENCE="600") as server:
        await Bell(server).ring(helper, settle=False)
        await door.gets(1)


async def test_who_can_be_rung_now(helper: Client, people: Any, server: Server, door: StandIn, pool: Pool) -> None:
    """What the index of candidates asks for."""
    other = await people.enter_async_context(Client(server.base))
    await (await other.sign_in()).profile("volunteer")
    ids = [UUID(each.person["id"]) for each in (helper, other)]

    async def able() -> set[UUID]:
        async with pool.acquire() as connection:
            return await devices.pushable(connection, ids)

    assert await able() == set()
    await register(helper, Browser().subscription(f"{door.base}/x"))
    assert await able() == {ids[0]}
    await pool.execute("UPDATE accounts.device SET retry_at = now() + interval '1 minute'")
    assert await able() == set()
    await register(helper, Browser().subscription(f"{door.base}/y"))
    assert await able() == {ids[0]}
    async with pool.acquire() as connection:
        await devices.remove_all(connection, ids[0])
    assert await able() == set()


async def test_a_failed_push_rings_somebody_else(server: Server, caller: Make, volunteer: Make, pool: Pool) -> None:
    asker, first = await caller(server.base), await volunteer(server.base)
    await asker.ask()
    ring = await first.expect("offer.ring")
    second = await volunteer(server.base)
    await server.house.pushes.failed(UUID(first.person["id"]), UUID(ring["offer_id"]))
    await second.expect("offer.ring", request_id=ring["request_id"])
    outcome = await pool.fetchval("SELECT outcome FROM matching.offer WHERE id = $1", UUID(ring["offer_id"]))
    assert outcome == "failed"


# --- development


async def test_development_speaks_to_nobody_elses_server(helper: Client, bell: Bell, server: Server) -> None:
    """As with mail: it is listed, and goes nowhere, unless the operator names the service."""
    await register(helper, Browser().subscription("https://fcm.googleapis.com/fcm/send/abc"))
    offer = await bell.ring(helper)
    (push,) = await pushed(helper)
    assert (push["status"], push["payload"]["offer"]) == ("noted", str(offer))
    assert bell.failed == []
    assert await helper.call("GET", f"/dev/push?to={push['to']}") == [push]
    assert await helper.call("GET", f"/dev/push?to={helper.person['id']}") == [push]
    assert await helper.call("GET", "/dev/push?to=somebody-else") == []


async def test_production_never_sends_inside(
    database_url: str, redis_url: str, prefix: str, helper: Client, door: StandIn, pool: Pool, bell: Bell
) -> None:
    """Registered when it was allowed, it is refused at the moment of sending; the device is kept."""
    await register(helper, Browser().subscription(f"{door.base}/x"))
    async with serving(database_url, redis_url, prefix, PRODUCTION="yes", PUBLIC_URL="http://localhost") as production:
        own = Bell(production)
        await own.ring(helper)
        assert len(own.failed) == 1
        helper.base = production.base
        with pytest.raises(Refused) as refused:
            await register(helper, Browser().subscription(f"{door.base}/x"))
        assert refused.value.code == "push_endpoint_refused"
    assert door.got == []
    assert await failures(pool) == [(1, True)]


# --- registering


async def test_registering_twice_is_one_device(helper: Client, door: StandIn) -> None:
    browser = Browser()
    subscription = browser.subscription(f"{door.base}/x")
    device = await register(helper, subscription)
    assert await register(helper, subscription) == device
    padded = {"p256dh": subscription["keys"]["p256dh"] + "=", "auth": subscription["keys"]["auth"] + "=="}
    assert await register(helper, subscription | {"keys": padded, "expirationTime": None}) == device
    (mine,) = (await helper.call("GET", "/v1/me/devices"))["devices"]
    assert mine.keys() == {"id", "kind", "created_at"}, "the address is told to nobody"


async def test_a_device_belongs_to_who_registered_it_last(
    server: Server, helper: Client, people: Any, door: StandIn, bell: Bell
) -> None:
    subscription = Browser().subscription(f"{door.base}/x")
    device = await register(helper, subscription)
    other = await people.enter_async_context(Client(server.base))
    await (await other.sign_in()).profile("volunteer")
    with pytest.raises(Refused) as refused:
        await other.call("DELETE", f"/v1/me/devices/{device}")
    assert refused.value.code == "device_unknown"
    await register(other, subscription)
    assert (await helper.call("GET", "/v1/me/devices"))["devices"] == []
    await bell.ring(helper)
    assert door.got == []
    await bell.ring(other)
    assert len(door.got) == 1


async def test_at_most_ten_and_the_oldest_goes(helper: Client, door: StandIn) -> None:
    devices = [await register(helper, Browser().subscription(f"{door.base}/{n}")) for n in range(11)]
    left = [each["id"] for each in (await helper.call("GET", "/v1/me/devices"))["devices"]]
    assert left == devices[:0:-1]


async def test_removing_a_device(helper: Client, door: StandIn, bell: Bell) -> None:
    device = await register(helper, Browser().subscription(f"{door.base}/x"))
    await helper.call("DELETE", f"/v1/me/devices/{device}")
    for unknown in (device, "nonsense", str(new_id())):
        with pytest.raises(Refused) as refused:
            await helper.call("DELETE", f"/v1/me/devices/{unknown}")
        assert refused.value.code == "device_unknown"
    await bell.ring(helper)
    assert door.got == []


@pytest.mark.parametrize("everywhere", [False, True])
async def test_where_somebody_signs_out_they_are_not_rung(
    helper: Client, server: Server, people: Any, door: StandIn, pool: Pool, everywhere: bool
) -> None:
    await register(helper, Browser().subscription(f"{door.base}/here"))
    elsewhere = await people.enter_async_context(Client(server.base, helper.email))
    await pool.execute("UPDATE accounts.sign_in_code SET created_at = created_at - interval '1 hour'")
    await elsewhere.sign_in()
    await register(elsewhere, Browser().subscription(f"{door.base}/elsewhere"))
    await helper.call("POST", "/v1/auth/logout", {"everywhere": everywhere})
    left = [row[0] for row in await pool.fetch("SELECT address FROM accounts.device")]
    assert left == ([] if everywhere else [f"{door.base}/elsewhere"])


KEYS = Browser().subscription("")["keys"]
GOOGLE = "https://fcm.googleapis.com/x"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"kind": "web_push", "endpoint": "https://evil.example/x", "keys": KEYS}, "push_endpoint_refused"),
        ({"kind": "web_push", "endpoint": "https://127.0.0.1/x", "keys": KEYS}, "push_endpoint_refused"),
        ({"kind": "web_push", "endpoint": "https://fcm.googleapis.com:8443/", "keys": KEYS}, "push_endpoint_refused"),
        ({"kind": "web_push", "endpoint": GOOGLE, "keys": KEYS | {"auth": "AAAA"}}, "device_invalid"),
        ({"kind": "web_push", "endpoint": GOOGLE, "keys": KEYS | {"p256dh": "B" * 87}}, "device_invalid"),
        ({"kind": "web_push", "endpoint": GOOGLE, "keys": KEYS | {"p256dh": "!" * 87}}, "device_invalid"),
        ({"kind": "web_push", "endpoint": GOOGLE, "keys": KEYS | {"p256dh": "é"}}, "device_invalid"),
        ({"kind": "web_push", "endpoint": GOOGLE}, "bad_request"),
        ({"kind": "web_push", "endpoint": GOOGLE, "keys": KEYS, "more": 1}, "bad_request"),
        ({"endpoint": GOOGLE, "keys": KEYS}, "bad_request"),
        ({"kind": "smoke", "token": "x"}, "bad_request"),
        ({"kind": "fcm", "token": "x" * 30}, "push_kind_off"),
        ({"kind": "apns", "token": "ab" * 32}, "push_kind_off"),
    ],
)
async def test_what_cannot_be_registered(helper: Client, body: Json, code: str, door: StandIn) -> None:
    kept = await register(helper, Browser().subscription(f"{door.base}/x"))
    with pytest.raises(Refused) as refused:
        await helper.call("POST", "/v1/me/devices", body)
    assert refused.value.code == code
    assert [each["id"] for each in (await helper.call("GET", "/v1/me/devices"))["devices"]] == [kept], "nothing lost"


async def test_telephones_where_they_are_switched_on(
    database_url: str, redis_url: str, prefix: str, helper: Client, tmp_path: Path
) -> None:
    account = tmp_path / "account.json"
    account.write_text(
        json.dumps({"project_id": "visavis-test", "client_email": "us@visavis-test.iam", "private_key": RSA})
    )
    apple = tmp_path / "key.p8"
    apple.write_text(P256)
    names = {"APNS_KEY": str(apple), "APNS_KEY_ID": "K", "APNS_TEAM_ID": "T", "APNS_TOPIC": "x.y"}
    async with serving(database_url, redis_url, prefix, FCM_CREDENTIALS=str(account), **names) as server:
        helper.base = server.base
        assert (await helper.call("GET", "/v1/push/key"))["kinds"] == ["web_push", "fcm", "apns"]
        for kind, good, bad in (("fcm", "e1:APA91b-token_x", "a/../b" * 9), ("apns", "ab" * 32, "../" * 22)):
            saved = await helper.call("POST", "/v1/me/devices", {"kind": kind, "token": good})
            assert await helper.call("POST", "/v1/me/devices", {"kind": kind, "token": good}) == saved
            assert saved["kind"] == kind
            with pytest.raises(Refused) as refused:
                await helper.call("POST", "/v1/me/devices", {"kind": kind, "token": bad})
            assert refused.value.code == "device_invalid"


async def test_strangers_register_nothing(server: Server, people: Any, door: StandIn) -> None:
    stranger = await people.enter_async_context(Client(server.base))
    body = {"kind": "web_push"} | Browser().subscription(door.base)
    for method, path in (("POST", ""), ("GET", ""), ("DELETE", f"/{new_id()}")):
        with pytest.raises(Refused) as refused:
            await stranger.call(method, f"/v1/me/devices{path}", body if method == "POST" else None)
        assert refused.value.code == "token_invalid"
