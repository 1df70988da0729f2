"""Apple's push service, against a stand-in that speaks the published API over HTTP/2."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from accounts.devices import DeviceKind
from signaling.push import apns
from signaling.push.errors import Gone, PushFailed, Quota, RetryAfter, SetUp, Temporary
from signaling.push.message import ring, topic_of, withdrawal
from signaling.settings import SettingsError, read
from tests.signaling.push.apple import Answer, Apple, Push, apple_stand_in
from tests.signaling.push.services import device
from tests.signaling.push.test_web_push import OFFER

KEY = ec.generate_private_key(ec.SECP256R1())
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
ACCOUNT = apns.Account(PEM, "KEY0000001", "TEAM000001", "example.visavis")
PHONE = device(DeviceKind.APNS, "ab" * 32)


class Clock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def apple(tmp_path: Path) -> AsyncIterator[Apple]:
    async with apple_stand_in(tmp_path) as made:
        yield made


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def service(apple: Apple, clock: Clock) -> AsyncIterator[apns.Apns]:
    made = apns.Apns(ACCOUNT, 60, apple.base, apple.trust, clock)
    yield made
    await made.close()


async def test_what_apple_gets(apple: Apple, service: apns.Apns) -> None:
    message = ring(OFFER, 30)
    await asyncio.gather(*(service.send(PHONE, message) for _ in range(3)))
    await service.send(PHONE, withdrawal(OFFER, 30))
    assert apple.connections == 1
    first, *_, last = apple.got
    assert first.path == f"/3/device/{'ab' * 32}"
    headers = {name: value for name, value in first.headers.items() if name.startswith("apns-")}
    assert headers == {
        "apns-topic": "example.visavis",
        "apns-push-type": "alert",
        "apns-priority": "10",
        "apns-expiration": str(message.payload.expires),
        "apns-collapse-id": topic_of(OFFER),
    }
    kind, _, token = first.headers["authorization"].partition(" ")
    assert kind == "bearer"
    assert jwt.get_unverified_header(token)["kid"] == "KEY0000001"
    claims = jwt.decode(token, KEY.public_key(), algorithms=["ES256"])
    assert claims["iss"] == "TEAM000001"
    assert abs(claims["iat"] - time.time()) < 60
    assert first.body == {
        "aps": {
            "alert": {"title-loc-key": "ring.title", "loc-key": "ring.body"},
            "mutable-content": 1,
            "thread-id": topic_of(OFFER),
            "interruption-level": "time-sensitive",
            "sound": "ring.caf",
        },
        "kind": "ring",
        "offer": str(OFFER),
        "tag": topic_of(OFFER),
        "expires": message.payload.expires,
    }
    assert "sound" not in last.body["aps"]
    assert last.headers["apns-collapse-id"] == first.headers["apns-collapse-id"]


@pytest.mark.parametrize(
    ("status", "reason", "headers", "kind"),
    [
        (410, "Unregistered", {}, Gone),
        (410, "ExpiredToken", {}, Gone),
        (400, "BadDeviceToken", {}, Gone),
        (400, "DeviceTokenNotForTopic", {}, SetUp),
        (400, "BadTopic", {}, SetUp),
        (403, "InvalidProviderToken", {}, SetUp),
        (403, "ExpiredProviderToken", {}, SetUp),
        (404, "BadPath", {}, SetUp),
        (413, "PayloadTooLarge", {}, SetUp),
        (429, "TooManyProviderTokenUpdates", {}, SetUp),
        (429, "TooManyRequests", {"retry-after": "90"}, RetryAfter),
        (429, "TooManyRequests", {}, RetryAfter),
        (429, "Else", {}, Quota),
        (500, "InternalServerError", {}, Temporary),
        (503, "Shutdown", {}, Temporary),
        (503, "ServiceUnavailable", {"retry-after": "90"}, RetryAfter),
    ],
)
async def test_what_it_answers(
    apple: Apple, service: apns.Apns, status: int, reason: str, headers: dict[str, str], kind: type[PushFailed]
) -> None:
    apple.answers.append(Answer(status, {"reason": reason}, headers))
    with pytest.raises(kind) as failed:
        await service.send(PHONE, ring(OFFER, 30))
    assert type(failed.value) is kind
    if isinstance(failed.value, RetryAfter):
        assert failed.value.seconds == float(headers.get("retry-after", 60))
    await service.send(PHONE, ring(OFFER, 30))
    assert len(apple.got) == 2


def token(push: Push) -> str:
    return push.headers["authorization"]


async def test_an_old_token_is_replaced_before_apple_asks(apple: Apple, service: apns.Apns, clock: Clock) -> None:
    await service.send(PHONE, ring(OFFER, 30))
    clock.now += apns.SIGNED_ANEW - 1
    await service.send(PHONE, ring(OFFER, 30))
    clock.now += 2
    await service.send(PHONE, ring(OFFER, 30))
    assert token(apple.got[0]) == token(apple.got[1]) != token(apple.got[2])


async def test_a_token_that_apple_calls_expired_is_replaced_once(
    apple: Apple, service: apns.Apns, clock: Clock
) -> None:
    await service.send(PHONE, ring(OFFER, 30))
    clock.now += apns.SOONEST + 1
    apple.answers.append(Answer(403, {"reason": "ExpiredProviderToken"}))
    await service.send(PHONE, ring(OFFER, 30))
    assert len(apple.got) == 3
    assert token(apple.got[1]) != token(apple.got[2])
    apple.judge = lambda push: Answer(403, {"reason": "ExpiredProviderToken"})
    with pytest.raises(SetUp):  # a second one so soon would be refused as well
        await service.send(PHONE, ring(OFFER, 30))
    assert len(apple.got) == 4


async def test_apple_is_away(clock: Clock, tmp_path: Path) -> None:
    async with apple_stand_in(tmp_path) as apple:
        base, trust = apple.base, apple.trust
    service = apns.Apns(ACCOUNT, 60, base, trust, clock)
    with pytest.raises(Temporary):
        await service.send(PHONE, ring(OFFER, 30))
    await service.close()


async def test_a_stranger_with_another_certificate_hears_nothing(apple: Apple, clock: Clock) -> None:
    service = apns.Apns(ACCOUNT, 60, apple.base, clock=clock)
    with pytest.raises(Temporary):
        await service.send(PHONE, ring(OFFER, 30))
    assert apple.got == []
    await service.close()


def test_the_file_of_the_operator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "key.p8"
    path.write_text(PEM)
    names = {"APNS_KEY": str(path), "APNS_KEY_ID": "K", "APNS_TEAM_ID": "T", "APNS_TOPIC": "x.y"}
    found = read(names | {"APNS_SANDBOX": "yes"}, development=True).apns
    assert found == apns.Account(PEM, "K", "T", "x.y", True)
    for missing in ("APNS_KEY_ID", "APNS_TEAM_ID", "APNS_TOPIC"):
        with pytest.raises(SettingsError, match=missing):
            read({name: value for name, value in names.items() if name != missing}, development=True)
    path.write_text("no key")
    with pytest.raises(SettingsError, match="APNS_KEY"):
        read(names, development=True)
    monkeypatch.setattr(apns, "installed", lambda: False)
    with pytest.raises(SettingsError, match=r"visavis\[apns\]"):
        read(names, development=True)
