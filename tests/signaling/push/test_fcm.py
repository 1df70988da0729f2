"""Firebase Cloud Messaging, against a stand-in that speaks the published API: Google's token endpoint (RFC 7523) and
`messages:send`."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from accounts.devices import DeviceKind
from signaling.push import fcm
from signaling.push.addresses import Allowed, GuardedResolver
from signaling.push.errors import Gone, PushFailed, Quota, RetryAfter, SetUp, Temporary
from signaling.push.message import ring, topic_of
from signaling.push.web_push import session
from signaling.settings import SettingsError, read
from tests.signaling.push.services import Got, StandIn, device, stand_in
from tests.signaling.push.test_web_push import OFFER

KEY = rsa.generate_private_key(65537, 2048)
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
PHONE = device(DeviceKind.FCM, "e1:APA91b-token")


class Google:
    """The stand-in's answers: a fresh access token each time it is asked, and only the newest is good."""

    def __init__(self, door: StandIn) -> None:
        self.door = door
        self.tokens = 0
        self.answers: list[tuple[int, Any, dict[str, str]]] = []
        self.revoked: set[str] = set()
        door.answer = self.answer

    async def answer(self, got: Got) -> web.Response:
        if got.path == "/token":
            form = parse_qs(got.body.decode())
            assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
            claims = jwt.decode(
                form["assertion"][0], KEY.public_key(), algorithms=["RS256"], audience=f"{self.door.base}/token"
            )
            assert claims["scope"] == "https://www.googleapis.com/auth/firebase.messaging"
            assert claims["exp"] - claims["iat"] <= 3600
            self.tokens += 1
            return web.json_response({"access_token": f"t{self.tokens}", "expires_in": 3599, "token_type": "Bearer"})
        assert got.path == "/v1/projects/visavis-test/messages:send"
        token = got.headers["Authorization"].removeprefix("Bearer ")
        if token in self.revoked:
            return web.json_response(refusal("UNAUTHENTICATED"), status=401)
        status, body, headers = self.answers.pop(0) if self.answers else (200, {"name": "projects/x/messages/1"}, {})
        return web.json_response(body, status=status, headers=headers)

    @property
    def sent(self) -> list[dict[str, Any]]:
        return [json.loads(got.body)["message"] for got in self.door.got if got.path != "/token"]


def refusal(status: str, code: str | None = None, message: str = "no") -> dict[str, Any]:
    kind = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
    details = [{"@type": kind, "errorCode": code}] if code else []
    return {"error": {"code": 0, "message": message, "status": status, "details": details}}


@pytest.fixture
async def google() -> AsyncIterator[Google]:
    async with stand_in() as door:
        yield Google(door)


@pytest.fixture
async def service(google: Google) -> AsyncIterator[fcm.Fcm]:
    base = google.door.base
    account = fcm.Credentials("visavis-test", "us@visavis-test.iam", PEM, "kid1", f"{base}/token")
    made = fcm.Fcm(account, session(GuardedResolver(Allowed(here=(base,)))), 60, base)
    yield made
    await made.close()


async def test_a_message_is_data_alone(google: Google, service: fcm.Fcm) -> None:
    message = ring(OFFER, 30)
    await service.send(PHONE, message)
    await service.send(PHONE, message)
    assert google.tokens == 1, "the access token is kept"
    assert google.sent[0] == {
        "token": "e1:APA91b-token",
        "data": {
            "kind": "ring",
            "offer": str(OFFER),
            "tag": topic_of(OFFER),
            "expires": str(message.payload.expires),
        },
        "android": {"priority": "HIGH", "ttl": "30s", "collapse_key": topic_of(OFFER)},
    }


async def test_a_token_that_was_revoked_is_replaced_once(google: Google, service: fcm.Fcm) -> None:
    await service.send(PHONE, ring(OFFER, 30))
    google.revoked.add("t1")
    await service.send(PHONE, ring(OFFER, 30))
    assert google.tokens == 2
    google.revoked |= {"t2", "t3"}
    with pytest.raises(SetUp):
        await service.send(PHONE, ring(OFFER, 30))
    assert google.tokens == 3


INVALID_TOKEN = refusal(
    "INVALID_ARGUMENT", "INVALID_ARGUMENT", "The registration token is not a valid FCM registration token"
)


@pytest.mark.parametrize(
    ("status", "body", "headers", "kind"),
    [
        (404, refusal("NOT_FOUND", "UNREGISTERED"), {}, Gone),
        (400, INVALID_TOKEN, {}, Gone),
        (400, refusal("INVALID_ARGUMENT"), {}, SetUp),
        (403, refusal("PERMISSION_DENIED", "SENDER_ID_MISMATCH"), {}, SetUp),
        (403, refusal("PERMISSION_DENIED"), {}, SetUp),
        (404, refusal("NOT_FOUND"), {}, SetUp),
        (401, refusal("UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR"), {}, SetUp),
        (429, refusal("RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED"), {"Retry-After": "90"}, Quota),
        (429, refusal("RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED"), {}, Quota),
        (503, refusal("UNAVAILABLE", "UNAVAILABLE"), {"Retry-After": "90"}, RetryAfter),
        (503, refusal("UNAVAILABLE", "UNAVAILABLE"), {}, Temporary),
        (500, refusal("INTERNAL", "INTERNAL"), {}, Temporary),
        (500, [], {}, Temporary),
        (400, {"error": "text"}, {}, SetUp),
        (307, {}, {"Location": "http://127.0.0.1:1/"}, PushFailed),
    ],
)
async def test_what_it_answers(
    google: Google, service: fcm.Fcm, status: int, body: Any, headers: dict[str, str], kind: type[PushFailed]
) -> None:
    google.answers += [(status, body, headers)] * 2
    with pytest.raises(kind) as failed:
        await service.send(PHONE, ring(OFFER, 30))
    assert kind is PushFailed or type(failed.value) is kind
    if isinstance(failed.value, RetryAfter):
        assert failed.value.seconds == float(headers.get("Retry-After", 60))


async def test_no_access_token(google: Google, service: fcm.Fcm) -> None:
    """Refused, it is ours to mend; broken, it is tried again; and no device is ever taken for gone."""
    for status, kind in ((400, SetUp), (401, SetUp), (404, SetUp), (500, Temporary), (200, Temporary)):

        async def refuse(got: Got, status: int = status) -> web.Response:
            return web.json_response({"error": "invalid_grant"}, status=status)

        google.door.answer = refuse
        with pytest.raises(kind):
            await service.send(PHONE, ring(OFFER, 30))


async def test_google_is_away(service: fcm.Fcm, google: Google) -> None:
    async def hang_up(got: Got) -> web.Response:
        raise ConnectionResetError

    google.door.answer = hang_up
    with pytest.raises((Temporary, SetUp)):
        await service.send(PHONE, ring(OFFER, 30))


def test_the_file_of_the_operator(tmp_path: Path) -> None:
    path = tmp_path / "account.json"
    account = {"type": "service_account", "project_id": "p", "client_email": "e", "private_key": PEM}
    path.write_text(json.dumps(account))
    found = read({"FCM_CREDENTIALS": str(path)}, development=True)
    assert found.fcm is not None
    assert found.fcm.token_uri == "https://oauth2.googleapis.com/token"
    for text in ("{}", "no json", json.dumps(account | {"private_key": "x"}), json.dumps(account | {"project_id": 3})):
        path.write_text(text)
        with pytest.raises(SettingsError, match="FCM_CREDENTIALS"):
            read({"FCM_CREDENTIALS": str(path)}, development=True)
    with pytest.raises(SettingsError, match="FCM_CREDENTIALS"):
        read({"FCM_CREDENTIALS": str(tmp_path / "none")}, development=True)
