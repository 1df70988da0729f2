"""Firebase Cloud Messaging by its HTTP v1 API, for Android apps. Only data: what a notification says, the app says in
the language of its owner, and Google is told nothing but which offer."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import msgspec

from accounts.devices import Device
from signaling.push.errors import Gone, PushFailed, Quota, SetUp, Temporary
from signaling.push.message import Message
from signaling.push.service import header, verdict, waiting

BASE = "https://fcm.googleapis.com"
SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
LIFE = 3600
EARLY = 120
ANSWER_AT_MOST = 64 * 1024


class Credentials(msgspec.Struct, frozen=True):
    """A service account, as Google's console gives it out; the fields that are used of it."""

    project_id: str
    client_email: str
    private_key: str
    private_key_id: str = ""
    token_uri: str = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address


def credentials(path: Path) -> Credentials:
    """Read the file. Raises `ValueError` with what is wrong with it, and `OSError`."""
    found = msgspec.json.decode(path.read_bytes(), type=Credentials)
    try:
        _assertion(found, 0)  # the key is tried now rather than at the first ring
    except jwt.PyJWTError as error:
        raise ValueError(str(error)) from error
    return found


def _assertion(account: Credentials, now: float) -> str:
    """What a service account shows to get an access token (RFC 7523)."""
    claims = {
        "iss": account.client_email,
        "scope": SCOPE,
        "aud": account.token_uri,
        "iat": int(now),
        "exp": int(now) + LIFE,
    }
    return jwt.encode(claims, account.private_key, algorithm="RS256", headers={"kid": account.private_key_id})


class Fcm:
    """Sends for one project."""

    def __init__(self, account: Credentials, session: aiohttp.ClientSession, rest: float, base: str = BASE) -> None:
        self._account = account
        self._session = session
        self._rest = rest
        self._url = f"{base}/v1/projects/{account.project_id}/messages:send"
        self._token = ""
        self._until = 0.0
        self._asking = asyncio.Lock()

    def host(self, device: Device) -> str:
        return "fcm"

    async def send(self, device: Device, message: Message) -> None:
        body = msgspec.json.encode({"message": envelope(device.address, message)})
        token = await self._access()
        status, retry_after, answer = await self._post(body, token)
        if status == 401:  # revoked before its time
            if self._token == token:
                self._until = 0.0
            status, retry_after, answer = await self._post(body, await self._access())
        failed = meaning(status, retry_after, answer, self._rest)
        if failed is not None:
            raise failed

    async def _post(self, body: bytes, token: str) -> tuple[int, str | None, bytes]:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        return await self._ask(self._url, data=body, headers=headers)

    async def _access(self) -> str:
        """An access token; who asks while one is fetched waits for the same."""
        async with self._asking:
            now = time.time()
            if now >= self._until - EARLY:
                form = {"grant_type": GRANT, "assertion": _assertion(self._account, now)}
                status, retry_after, answer = await self._ask(self._account.token_uri, data=form)
                if status != 200:
                    # A service account that is refused is ours to mend; 404 is no device that is gone.
                    failed = verdict(status, retry_after, self._rest)
                    raise SetUp(f"no token: HTTP {status}") if failed is None or isinstance(failed, Gone) else failed
                try:
                    granted = msgspec.json.decode(answer, type=dict[str, Any])
                    self._token, self._until = str(granted["access_token"]), now + float(granted["expires_in"])
                except (msgspec.MsgspecError, KeyError, TypeError, ValueError) as error:
                    raise Temporary("no token in the answer") from error
            return self._token

    async def _ask(self, url: str, **request: Any) -> tuple[int, str | None, bytes]:
        try:
            async with self._session.post(url, allow_redirects=False, **request) as answer:
                body = await answer.content.read(ANSWER_AT_MOST)
                return answer.status, header(answer.headers), body
        except (aiohttp.ClientError, OSError) as error:
            raise Temporary(type(error).__name__) from error

    async def close(self) -> None:
        await self._session.close()


def envelope(token: str, message: Message) -> dict[str, object]:
    """The message as FCM wants it: data alone, values as text."""
    payload = message.payload
    return {
        "token": token,
        "data": {
            "kind": payload.kind,
            "offer": str(payload.offer),
            "tag": payload.tag,
            "expires": str(payload.expires),
        },
        "android": {"priority": "HIGH", "ttl": f"{message.ttl}s", "collapse_key": message.topic},
    }


def meaning(status: int, retry_after: str | None, answer: bytes, rest: float) -> PushFailed | None:
    """What FCM's answer means; its own code, where there is one, says more than the status."""
    if status == 200:
        return None
    code = _code(answer)
    why = f"HTTP {status} {code}".strip()
    match code:
        case "UNREGISTERED":
            return Gone(why)
        case "SENDER_ID_MISMATCH":
            return SetUp(why)  # the token belongs to another project: an app with the wrong configuration
        case "QUOTA_EXCEEDED":
            seconds = waiting(retry_after)
            return Quota(why, rest if seconds is None else seconds)
        case "INVALID_ARGUMENT" if _token_is_wrong(answer):
            return Gone(why)
    failed = verdict(status, retry_after, rest)
    # 404 without UNREGISTERED is a project that does not exist, and no token that is gone.
    return SetUp(why) if failed is None or isinstance(failed, Gone) else failed


def _error(answer: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(answer)["error"]
    except (msgspec.MsgspecError, KeyError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}


def _details(answer: bytes) -> list[dict[str, Any]]:
    details = _error(answer).get("details")
    return [one for one in details if isinstance(one, dict)] if isinstance(details, list) else []


def _code(answer: bytes) -> str:
    """The `errorCode` of an `FcmError`, else the `status` of the answer."""
    codes = [one["errorCode"] for one in _details(answer) if isinstance(one.get("errorCode"), str)]
    status = _error(answer).get("status")
    code = codes[0] if codes else status if isinstance(status, str) else ""
    return code if code.replace("_", "").isalpha() and len(code) < 40 else ""


def _token_is_wrong(answer: bytes) -> bool:
    """An argument that is invalid is ours to mend, unless FCM itself says that it is the registration token."""
    fcm = any(one.get("errorCode") == "INVALID_ARGUMENT" for one in _details(answer))
    return fcm and "registration token" in str(_error(answer).get("message", ""))
