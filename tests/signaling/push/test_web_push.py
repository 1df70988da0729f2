"""Web Push as its RFCs have it: encryption, signature, headers, and what the answers mean."""

from __future__ import annotations

import asyncio
import json
import re
import time
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from uuid import UUID

import http_ece
import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec

from accounts.keys import P256_ORDER, Keyring
from signaling.push.addresses import Allowed
from signaling.push.errors import Gone, PushFailed, Quota, Refused, RetryAfter, SetUp, Temporary
from signaling.push.message import ring, topic_of, withdrawal
from signaling.push.service import verdict, waiting
from signaling.push.web_push import Vapid, WebPush, base64url, encrypt, valid_keys
from tests.house import SECRET
from tests.signaling.push.services import Browser, Got, StandIn, stand_in

OFFER = UUID("00000000-0000-7000-8000-00000000abcd")


def raw(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def vapid(previous: bytes | None = None) -> Vapid:
    return Vapid(Keyring(SECRET.encode(), previous), "mailto:visavis@visavis.example")


@asynccontextmanager
async def sending_to(door: StandIn, keys: Vapid | None = None) -> AsyncIterator[WebPush]:
    service = WebPush(Allowed(here=(door.base,)), keys or vapid(), 60)
    try:
        yield service
    finally:
        await service.close()


def private(text: str) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(raw(text)), ec.SECP256R1())


def test_the_example_of_rfc_8291() -> None:
    """Section 5 and appendix A, octet for octet."""
    body = encrypt(
        b"When I grow up, I want to be a watermelon",
        raw("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"),
        raw("BTBZMqHH6r4Tts7J_aSIgg"),
        sender=private("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"),
        salt=raw("DGv6ra1nlYgDCS1FRnbzlw"),
    )
    assert base64url(body) == (
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3"
        "jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )


def test_no_two_messages_look_alike() -> None:
    browser = Browser()
    assert encrypt(b"x", browser.key, browser.auth) != encrypt(b"x", browser.key, browser.auth)


@pytest.mark.parametrize(
    ("key", "auth", "good"),
    [
        (Browser().key, b"a" * 16, True),
        (Browser().key, b"a" * 15, False),
        (b"\x04" + b"\x01" * 64, b"a" * 16, False),  # on no curve of ours
        (b"", b"a" * 16, False),
        (Browser().key[:64], b"a" * 16, False),
        (b"\x02" + Browser().key[1:33], b"a" * 16, False),  # compressed
        (b"\x00", b"a" * 16, False),
    ],
)
def test_keys_that_cannot_be_encrypted_to(key: bytes, auth: bytes, good: bool) -> None:
    assert valid_keys(key, auth) is good


def test_our_key_comes_from_the_secret() -> None:
    one, same, other = (Keyring(text.encode()).current for text in (SECRET, SECRET, SECRET + "x"))
    assert one.push_point == same.push_point != other.push_point
    assert len(one.push_point) == 65
    assert one.push_point[0] == 4
    numbers = one.push_key.private_numbers()
    assert 0 < numbers.private_value < P256_ORDER
    assert valid_keys(one.push_point, b"a" * 16)


async def test_what_a_push_service_sees() -> None:
    browser = Browser()
    message = ring(OFFER, 30)
    async with stand_in() as door, sending_to(door) as service:
        await service.send(browser.device(f"{door.base}/x"), message)
        await service.send(browser.device(f"{door.base}/x"), withdrawal(OFFER, 45))
    first, second = door.got
    assert first.headers["TTL"] == "30"
    assert second.headers["TTL"] == "45"
    assert first.headers["Urgency"] == "high"
    assert first.headers["Content-Encoding"] == "aes128gcm"
    # The withdrawal takes the place of a ring that was not delivered yet.
    assert first.headers["Topic"] == second.headers["Topic"] == topic_of(OFFER)
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,32}", first.headers["Topic"])
    kind, token, key = re.fullmatch(r"(vapid) t=([^,]+), k=(\S+)", first.headers["Authorization"]).groups()  # type: ignore[union-attr]
    assert kind == "vapid"
    assert raw(key) == Keyring(SECRET.encode()).current.push_point
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw(key))
    claims = jwt.decode(token, public, algorithms=["ES256"], audience=door.base)
    assert claims["sub"] == "mailto:visavis@visavis.example"
    assert 0 < claims["exp"] - time.time() <= 24 * 3600
    payload = json.loads(http_ece.decrypt(first.body, private_key=browser.private, auth_secret=browser.auth))
    assert payload == {
        "kind": "ring",
        "offer": str(OFFER),
        "tag": topic_of(OFFER),
        "expires": message.payload.expires,
    }, "an offer, and nothing about anybody"
    assert len(first.body) == len(second.body), "a ring and a withdrawal cannot be told apart"
    assert str(OFFER) not in first.headers["Topic"]


async def test_while_the_secret_is_changed_older_subscriptions_are_rung_with_the_former_key() -> None:
    former = base64url(Keyring(b"former" * 8).current.push_point)

    async def only_the_former(got: Got) -> web.Response:
        return web.Response(status=201 if former in got.headers["Authorization"] else 403)

    async with stand_in() as door, sending_to(door, vapid(b"former" * 8)) as service:
        door.answer = only_the_former
        await service.send(Browser().device(f"{door.base}/x"), ring(OFFER, 30))
        assert len(door.got) == 2
    async with stand_in() as door, sending_to(door) as service:
        door.status = 403
        with pytest.raises(SetUp):
            await service.send(Browser().device(f"{door.base}/x"), ring(OFFER, 30))
        assert len(door.got) == 1


async def test_a_redirect_is_not_followed() -> None:
    async with stand_in() as inside, stand_in() as door, sending_to(door) as service:
        for status in (301, 302, 303, 307, 308):
            door.status, door.headers = status, {"Location": f"{inside.base}/secret"}
            with pytest.raises(Refused):
                await service.send(Browser().device(f"{door.base}/x"), ring(OFFER, 30))
        assert inside.got == []
        door.headers = {"Location": f"{door.base}/again"}
        with pytest.raises(Refused):
            await service.send(Browser().device(f"{door.base}/x"), ring(OFFER, 30))
        assert {got.path for got in door.got} == {"/x"}


@pytest.mark.parametrize(
    ("status", "retry_after", "kind"),
    [
        (200, None, None),
        (201, None, None),
        (202, None, None),
        (301, None, Refused),
        (307, None, Refused),
        (400, None, SetUp),
        (401, None, SetUp),
        (403, None, SetUp),
        (404, None, Gone),
        (408, None, Temporary),
        (410, None, Gone),
        (413, None, SetUp),
        (429, None, Quota),
        (429, "7", RetryAfter),
        (429, "nonsense", Quota),
        (500, None, Temporary),
        (500, "7", Temporary),
        (502, None, Temporary),
        (503, None, Temporary),
        (503, "7", RetryAfter),
    ],
)
def test_what_an_answer_means(status: int, retry_after: str | None, kind: type[PushFailed] | None) -> None:
    assert type(verdict(status, retry_after, 60)) is (kind or type(None))


def test_how_long_to_wait() -> None:
    now = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
    assert waiting("120") == 120
    assert waiting(" 0 ") == 0
    assert waiting(format_datetime(now + timedelta(minutes=5), usegmt=True), now) == 300
    assert waiting(format_datetime(now - timedelta(minutes=5), usegmt=True), now) == 0
    assert waiting("Sunday, 06-Nov-94 08:49:37 GMT", now) == 0
    for nonsense in (None, "", "-1", "1.5", "soon", "9" * 30, "Mon, 99 Xxx 2026"):
        assert waiting(nonsense, now) is None
    failed = verdict(429, "120", 60)
    assert isinstance(failed, RetryAfter)
    assert failed.seconds == 120
    quota = verdict(429, None, 60)
    assert isinstance(quota, Quota)
    assert quota.seconds == 60


async def test_a_service_that_hangs_up_is_temporary() -> None:
    async with stand_in() as door:
        base = door.base
    async with sending_to(StandIn(base)) as service:
        with pytest.raises(Temporary):
            await asyncio.wait_for(service.send(Browser().device(f"{base}/x"), ring(OFFER, 30)), 10)
