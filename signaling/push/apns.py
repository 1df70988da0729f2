"""Apple's push service for iOS apps (APNs), over HTTP/2 and with a token. Safari and web apps on a home screen need
none of this: they speak Web Push. Wants the extra `visavis[apns]`."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jwt
import msgspec

from accounts.devices import Device
from signaling.push.errors import Gone, PushFailed, Quota, RetryAfter, SetUp, Temporary
from signaling.push.message import Message
from signaling.push.service import header, verdict, waiting

if TYPE_CHECKING:
    import ssl

    import httpx

BASE = "https://api.push.apple.com"
SANDBOX = "https://api.sandbox.push.apple.com"
SIGNED_ANEW = 45 * 60
"""Apple refuses tokens older than an hour, and more than one new one in twenty minutes."""
SOONEST = 20 * 60
GONE = ("Unregistered", "BadDeviceToken", "ExpiredToken")


class Account(msgspec.Struct, frozen=True):
    """A key of Apple's developer site, and the app it is for."""

    key: str
    key_id: str
    team_id: str
    topic: str
    """The app's bundle id."""
    sandbox: bool = False


def account(path: Path, key_id: str, team_id: str, topic: str, *, sandbox: bool) -> Account:
    """Read the key. Raises `ValueError` with what is wrong, and `OSError`."""
    found = Account(path.read_text(), key_id, team_id, topic, sandbox)
    try:
        _sign(found, 0)  # tried now rather than at the first ring
    except jwt.PyJWTError as error:
        raise ValueError(str(error)) from error
    return found


def installed() -> bool:
    """Whether the extra is there."""
    return all(importlib.util.find_spec(name) for name in ("httpx", "h2"))


def _sign(who: Account, now: float) -> str:
    return jwt.encode({"iss": who.team_id, "iat": int(now)}, who.key, algorithm="ES256", headers={"kid": who.key_id})


class Apns:
    """Sends for one app, over one connection for all devices."""

    def __init__(
        self,
        who: Account,
        rest: float,
        base: str | None = None,
        verify: ssl.SSLContext | bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        import httpx

        self._account = who
        self._rest = rest
        self._clock = clock
        self._client: httpx.AsyncClient = httpx.AsyncClient(
            base_url=base or (SANDBOX if who.sandbox else BASE),
            http2=True,
            http1=False,
            verify=verify,
            trust_env=False,
            follow_redirects=False,
            timeout=None,  # noqa: S113 - the sender's patience bounds every try
        )
        self._failures = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError)
        self._token = ""
        self._signed_at = 0.0

    def host(self, device: Device) -> str:
        return "apns"

    async def send(self, device: Device, message: Message) -> None:
        token = self._provider_token()
        answer = await self._post(device.address, message, token)
        if _reason(answer.content) == "ExpiredProviderToken" and self._renewed(token):
            answer = await self._post(device.address, message, self._provider_token())
        failed = meaning(answer.status_code, header(answer.headers), answer.content, self._rest)
        if failed is not None:
            raise failed

    async def _post(self, token: str, message: Message, provider: str) -> httpx.Response:
        headers = {
            "authorization": f"bearer {provider}",
            "apns-topic": self._account.topic,
            "apns-push-type": "alert",
            "apns-priority": "10",
            "apns-expiration": str(message.payload.expires),
            "apns-collapse-id": message.topic,
        }
        try:
            return await self._client.post(f"/3/device/{token}", json=envelope(message), headers=headers)
        except self._failures as error:
            raise Temporary(type(error).__name__) from error
        except OSError as error:
            raise Temporary(type(error).__name__) from error

    def _provider_token(self) -> str:
        now = self._clock()
        if now - self._signed_at > SIGNED_ANEW:
            self._token, self._signed_at = _sign(self._account, now), now
        return self._token

    def _renewed(self, refused: str) -> bool:
        """Whether there is another token than that one now. One that is too new is not replaced: then the clock of this
        machine is wrong, and Apple would refuse the next one as well."""
        if self._token == refused and self._clock() - self._signed_at > SOONEST:
            self._signed_at = 0.0
        return self._provider_token() != refused

    async def close(self) -> None:
        await self._client.aclose()


def envelope(message: Message) -> dict[str, object]:
    """The message as APNs wants it. Its words are keys into the app's own translations, and the app's extension may
    change it before it is shown; a withdrawal takes the place of the ring, without a sound."""
    payload = message.payload
    rings = payload.kind == "ring"
    aps: dict[str, object] = {
        "alert": {"title-loc-key": f"{payload.kind}.title", "loc-key": f"{payload.kind}.body"},
        "mutable-content": 1,
        "thread-id": payload.tag,
        "interruption-level": "time-sensitive" if rings else "passive",
    }
    if rings:
        aps["sound"] = "ring.caf"
    return {
        "aps": aps,
        "kind": payload.kind,
        "offer": str(payload.offer),
        "tag": payload.tag,
        "expires": payload.expires,
    }


def meaning(status: int, retry_after: str | None, answer: bytes, rest: float) -> PushFailed | None:
    """What Apple's answer means; the reason says more than the status."""
    if status == 200:
        return None
    reason = _reason(answer)
    why = f"HTTP {status} {reason}".strip()
    if reason in GONE or status == 410:
        return Gone(why)
    if reason == "TooManyProviderTokenUpdates":
        return SetUp(why)
    if status == 429:
        seconds = waiting(retry_after)
        # "Too many requests were made consecutively to the same device token": others may go on.
        kind = RetryAfter if reason == "TooManyRequests" else Quota
        return kind(why, rest if seconds is None else seconds)
    failed = verdict(status, retry_after, rest)
    # 404 is a path that Apple does not know: ours to mend.
    return SetUp(why) if failed is None or isinstance(failed, Gone) else failed


def _reason(answer: bytes) -> str:
    try:
        found: Any = msgspec.json.decode(answer) if answer else None
    except msgspec.DecodeError:
        return ""
    reason = found.get("reason") if isinstance(found, dict) else None
    return reason if isinstance(reason, str) and reason.isalpha() and len(reason) < 60 else ""
