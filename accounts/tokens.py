"""Access tokens (JWT, EdDSA, five minutes) and refresh tokens (opaque, a rotating family a device). No I/O.

RFC 9068 gives the access token's shape, RFC 8725 the checks: the algorithm is pinned, the type is ours alone, every
claim is required. RFC 9700 section 4.14.2 gives the refresh rotation."""

from __future__ import annotations

import base64
import hmac
from typing import Any
from uuid import UUID

import jwt
import msgspec

from accounts.errors import RefreshInvalid, TokenInvalid
from accounts.keys import Keyring

ISSUER = AUDIENCE = "visavis"
"""Every node of an installation issues for every other one, under whatever address it is reached; another
installation has another key."""
TYPE = "at+jwt"
_CLAIMS = ["exp", "iat", "aud", "iss", "sub", "sid", "epoch"]


class Access(msgspec.Struct, frozen=True):
    """What a valid access token says: who, on which device, and at which epoch of theirs."""

    person: UUID
    family: UUID
    epoch: int


def issue_access(keys: Keyring, access: Access, now: float, life: int) -> str:
    """A signed token for `access`, valid from `now` (Unix time) for `life` seconds."""
    claims: dict[str, Any] = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(access.person),
        "sid": str(access.family),
        "epoch": access.epoch,
        "iat": int(now),
        "exp": int(now) + life,
    }
    return jwt.encode(
        claims, keys.current.signing_key, algorithm="EdDSA", headers={"kid": keys.current.kid, "typ": TYPE}
    )


def read_access(keys: Keyring, token: str) -> Access:
    """What `token` says, if everything about it is right. Raises `TokenInvalid`.

    Whether the epoch still holds and the device is still signed in, only the database knows."""
    try:
        header = jwt.get_unverified_header(token)
        # pyjwt does not look at typ: without this, any other token of ours would do as an access token.
        if str(header.get("typ", "")).lower() != TYPE or header.get("alg") != "EdDSA" or "crit" in header:
            raise TokenInvalid()
        key = {secret.kid: secret.verifying_key for secret in keys.secrets}.get(str(header.get("kid")))
        if key is None:
            raise TokenInvalid()
        claims = jwt.decode(
            token, key, algorithms=["EdDSA"], audience=AUDIENCE, issuer=ISSUER, options={"require": _CLAIMS}
        )
        epoch = claims["epoch"]
        if type(epoch) is not int or not isinstance(claims["aud"], str):
            raise TokenInvalid()
        return Access(UUID(claims["sub"]), UUID(claims["sid"]), epoch)
    except (jwt.PyJWTError, ValueError, AttributeError, TypeError) as error:
        raise TokenInvalid() from error


class Refresh(msgspec.Struct, frozen=True):
    """A refresh token taken apart: the family it names, its place in it, and the tag that proves it is ours."""

    family: UUID
    generation: int
    tag: bytes


def issue_refresh(keys: Keyring, family: UUID, generation: int, salt: bytes) -> str:
    """The one token of that family and generation. Made again it is the same, so a successor whose reply was lost can
    be handed out once more without ever having been stored."""
    return _write(Refresh(family, generation, _refresh_tags(keys, family, generation, salt)[0]))


def read_refresh(token: str) -> Refresh:
    """The parts of `token`, unproven. Raises `RefreshInvalid`."""
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except ValueError as error:
        raise RefreshInvalid() from error
    if len(raw) != 16 + 4 + 32:
        raise RefreshInvalid()
    return Refresh(UUID(bytes=raw[:16]), int.from_bytes(raw[16:20], "big"), raw[20:])


def proves(keys: Keyring, refresh: Refresh, salt: bytes) -> bool:
    """Whether this server made the token for that family and generation."""
    tags = _refresh_tags(keys, refresh.family, refresh.generation, salt)
    return any(hmac.compare_digest(tag, refresh.tag) for tag in tags)


def _refresh_tags(keys: Keyring, family: UUID, generation: int, salt: bytes) -> list[bytes]:
    return [s.tag("refresh-token", family.bytes, generation.to_bytes(4, "big"), salt) for s in keys.secrets]


def _write(refresh: Refresh) -> str:
    raw = refresh.family.bytes + refresh.generation.to_bytes(4, "big") + refresh.tag
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
