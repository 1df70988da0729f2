"""Access tokens: only ours, only whole, only in time. Refresh tokens: made again the same, and not to be guessed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
import uuid
from collections.abc import Callable
from typing import Any

import jwt
import msgspec
import pytest

from accounts.errors import RefreshInvalid, TokenInvalid
from accounts.keys import Keyring, Secret
from accounts.tokens import ISSUER, TYPE, Access, issue_access, issue_refresh, proves, read_access, read_refresh

KEYS = Keyring(b"k" * 32)
WHO = Access(uuid.uuid4(), uuid.uuid4(), 3)


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    whole: dict[str, Any] = {
        "iss": ISSUER,
        "aud": "visavis",
        "sub": str(WHO.person),
        "sid": str(WHO.family),
        "epoch": WHO.epoch,
        "iat": now,
        "exp": now + 300,
    }
    return {name: value for name, value in (whole | changes).items() if value is not None}


def signed(
    payload: dict[str, Any] | None = None,
    key: Any = None,
    algorithm: str = "EdDSA",
    **header: Any,
) -> str:
    headers = {"kid": KEYS.current.kid, "typ": TYPE} | header
    return jwt.encode(payload or claims(), key or KEYS.current.signing_key, algorithm=algorithm, headers=headers)


def raw(header: dict[str, Any], payload: dict[str, Any], signature: bytes) -> str:
    parts = [msgspec.json.encode(header), msgspec.json.encode(payload), signature]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def hmac_with_the_public_key() -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    public = KEYS.current.verifying_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    header = {"alg": "HS256", "typ": TYPE, "kid": KEYS.current.kid}
    signing_input = raw(header, claims(), b"").rsplit(".", 1)[0]
    return raw(header, claims(), hmac.new(public, signing_input.encode(), hashlib.sha256).digest())


def flipped() -> str:
    head, body, signature = signed().split(".")
    return f"{head}.{body}.{('B' if signature[0] == 'A' else 'A') + signature[1:]}"


def swapped_payload() -> str:
    head, _, signature = signed().split(".")
    _, other, _ = signed(claims(sub=str(uuid.uuid4()))).split(".")
    return f"{head}.{other}.{signature}"


FORGERIES: dict[str, Callable[[], str]] = {
    "no signature": lambda: raw({"alg": "none", "typ": TYPE, "kid": KEYS.current.kid}, claims(), b""),
    "HMAC with the public key": hmac_with_the_public_key,
    "another key under our kid": lambda: signed(key=Secret(b"x" * 32).signing_key),
    "an unknown kid": lambda: signed(kid="somebody"),
    "no kid": lambda: raw({"alg": "EdDSA", "typ": TYPE}, claims(), KEYS.current.signing_key.sign(b"x")),
    "flipped signature": flipped,
    "swapped payload": swapped_payload,
    "another type": lambda: signed(typ="JWT"),
    "another audience": lambda: signed(claims(aud="other")),
    "our audience among others": lambda: signed(claims(aud=["visavis", "other"])),
    "another issuer": lambda: signed(claims(iss="https://evil.example")),
    "expired": lambda: signed(claims(exp=int(time.time()) - 1, iat=int(time.time()) - 301)),
    "from the future": lambda: signed(claims(iat=int(time.time()) + 3600, exp=int(time.time()) + 7200)),
    "a critical extension": lambda: signed(crit=["b64"], b64=True),
    "epoch as text": lambda: signed(claims(epoch="3")),
    "epoch as truth": lambda: signed(claims(epoch=True)),
    "subject that is no id": lambda: signed(claims(sub="admin")),
    "not a token": lambda: "a.b.c",
    "nothing": lambda: "",
} | {
    f"without {claim}": (lambda claim=claim: signed(claims(**{claim: None})))
    for claim in ("exp", "iat", "aud", "iss", "sub", "sid", "epoch")
}


def test_a_token_says_who_it_was_issued_to() -> None:
    token = issue_access(KEYS, WHO, time.time(), 300)
    assert read_access(KEYS, token) == WHO


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forgery_is_refused(forgery: str) -> None:
    with pytest.raises(TokenInvalid):
        read_access(KEYS, FORGERIES[forgery]())


def test_the_forgeries_differ_from_a_good_token_in_one_point_only() -> None:
    assert read_access(KEYS, signed()) == WHO


def test_while_the_secret_is_changed_old_tokens_hold_and_afterwards_they_do_not() -> None:
    token = issue_access(KEYS, WHO, time.time(), 300)
    assert read_access(Keyring(b"n" * 32, b"k" * 32), token) == WHO
    with pytest.raises(TokenInvalid):
        read_access(Keyring(b"n" * 32), token)


def test_a_refresh_token_made_again_is_the_same() -> None:
    family, salt = uuid.uuid4(), b"s" * 16
    assert issue_refresh(KEYS, family, 7, salt) == issue_refresh(KEYS, family, 7, salt)
    refresh = read_refresh(issue_refresh(KEYS, family, 7, salt))
    assert (refresh.family, refresh.generation) == (family, 7)
    assert proves(KEYS, refresh, salt)


def test_a_refresh_token_of_another_generation_family_or_salt_proves_nothing() -> None:
    family, salt = uuid.uuid4(), b"s" * 16
    refresh = read_refresh(issue_refresh(KEYS, family, 7, salt))
    assert not proves(KEYS, msgspec.structs.replace(refresh, generation=8), salt)
    assert not proves(KEYS, msgspec.structs.replace(refresh, family=uuid.uuid4()), salt)
    assert not proves(KEYS, refresh, b"t" * 16)
    assert not proves(Keyring(b"n" * 32), refresh, salt)
    assert proves(Keyring(b"n" * 32, b"k" * 32), refresh, salt)


@pytest.mark.parametrize("token", ["", "x", "é" * 20, "A" * 71, "A" * 69 + "!", "A" * 500])
def test_what_is_no_refresh_token_is_refused(token: str) -> None:
    with pytest.raises(RefreshInvalid):
        read_refresh(token)


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Keyring(b"short")
