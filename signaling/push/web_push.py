"""Web Push: to the service that a browser has named (RFC 8030), encrypted for the browser alone (RFC 8291), signed with
our own key (VAPID, RFC 8292)."""

from __future__ import annotations

import time
from base64 import urlsafe_b64encode

import aiohttp
import http_ece
import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from accounts.devices import Device
from accounts.keys import Keyring, Secret
from signaling.push.addresses import Allowed, Endpoint, GuardedResolver, LeadsInside
from signaling.push.errors import EndpointRefused, Refused, SetUp, Temporary
from signaling.push.message import Message
from signaling.push.service import header, verdict

SIGNED_FOR = 12 * 3600
SIGNED_ANEW = 3600
SIGNATURES_KEPT = 1000


def base64url(raw: bytes) -> str:
    """Without padding, as the Web Push RFCs write it."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def encrypt(
    payload: bytes,
    key: bytes,
    auth: bytes,
    *,
    sender: ec.EllipticCurvePrivateKey | None = None,
    salt: bytes | None = None,
) -> bytes:
    """The payload for one browser; `key` and `auth` are of its subscription (RFC 8291). `sender` and `salt` are made
    for each message, but for the example of the RFC. Raises `ValueError` for a key that is no point on the curve."""
    sender = sender or ec.generate_private_key(ec.SECP256R1())
    body: bytes = http_ece.encrypt(
        payload, salt=salt, private_key=sender, dh=key, auth_secret=auth, version="aes128gcm"
    )
    return body


def valid_keys(key: bytes, auth: bytes) -> bool:
    """Whether a subscription's keys can be encrypted to."""
    try:
        point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key)
    except ValueError:
        return False
    return len(auth) == 16 and point.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint) == key


class Vapid:
    """Signs for each push service that it is us who send."""

    def __init__(self, keys: Keyring, subject: str) -> None:
        self._keys = keys
        self._subject = subject
        self._kept: dict[tuple[str, bool], tuple[float, str]] = {}

    @property
    def changing(self) -> bool:
        """Whether the secret is being changed, so that there is a former key."""
        return len(self._keys.secrets) > 1

    def authorization(self, origin: str, *, former: bool = False) -> str:
        """The `Authorization` for a service (RFC 8292 section 3)."""
        now = time.time()
        made, kept = self._kept.get((origin, former), (0.0, ""))
        if now - made < SIGNED_ANEW:
            return kept
        if len(self._kept) >= SIGNATURES_KEPT:
            self._kept.clear()
        value = self._sign(self._keys.secrets[-1] if former else self._keys.current, origin, now)
        self._kept[origin, former] = (now, value)
        return value

    def _sign(self, secret: Secret, origin: str, now: float) -> str:
        claims = {"aud": origin, "exp": int(now) + SIGNED_FOR, "sub": self._subject}
        token = jwt.encode(claims, secret.push_key, algorithm="ES256")
        return f"vapid t={token}, k={base64url(secret.push_point)}"


class WebPush:
    """Sends through one aiohttp session of its own: no redirects, no proxies, no cookies, and only to addresses that
    the guard has let through."""

    def __init__(self, allowed: Allowed, vapid: Vapid, rest: float, resolver: GuardedResolver | None = None) -> None:
        self._allowed = allowed
        self._vapid = vapid
        self._rest = rest
        self.resolver = resolver or GuardedResolver(allowed)
        self._session = session(self.resolver)

    def _endpoint(self, device: Device) -> Endpoint:
        try:
            return self._allowed.check(device.address)
        except EndpointRefused as error:
            raise Refused("not a push service we know") from error

    def host(self, device: Device) -> str:
        return self._endpoint(device).host

    def named(self, device: Device) -> bool:
        """Whether the operator has named the service of this device."""
        return self._endpoint(device).named

    async def send(self, device: Device, message: Message) -> None:
        endpoint = self._endpoint(device)
        assert device.key is not None  # the table sees to it
        assert device.auth is not None
        body = encrypt(message.payload.encoded(), device.key, device.auth)
        status, retry_after = await self._post(endpoint, message, body)
        if status in (401, 403) and self._vapid.changing:
            # A subscription made before the secret was changed knows us by the other key.
            status, retry_after = await self._post(endpoint, message, body, former=True)
        failed = verdict(status, retry_after, self._rest)
        if failed is not None:
            raise failed

    async def _post(
        self, endpoint: Endpoint, message: Message, body: bytes, *, former: bool = False
    ) -> tuple[int, str | None]:
        headers = {
            "Authorization": self._vapid.authorization(endpoint.origin, former=former),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(message.ttl),
            "Topic": message.topic,
            "Urgency": "high",
        }
        try:
            async with self._session.post(endpoint.url, data=body, headers=headers, allow_redirects=False) as answer:
                return answer.status, header(answer.headers)
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, LeadsInside):
                raise Refused("it leads inside") from error
            raise Temporary(type(error).__name__) from error
        except aiohttp.InvalidURL as error:
            raise Refused("no address") from error
        except (aiohttp.ClientError, OSError) as error:
            raise Temporary(type(error).__name__) from error
        except ValueError as error:
            raise SetUp(type(error).__name__) from error

    async def close(self) -> None:
        await self._session.close()


def session(resolver: GuardedResolver) -> aiohttp.ClientSession:
    """Connections that lead only where the guard lets them. The sender bounds how many there are, and for how long."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(resolver=resolver, limit=0, ttl_dns_cache=30),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None),
        trust_env=False,
        auto_decompress=False,
    )
