"""All keys of the house come from one secret (or two, while it is being changed), each purpose with its own."""

from __future__ import annotations

import hashlib
import hmac
from functools import cached_property

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


class Secret:
    """One master secret of at least 32 bytes."""

    def __init__(self, master: bytes) -> None:
        if len(master) < 32:
            raise ValueError("a secret needs at least 32 bytes")
        self._master = master

    def derive(self, purpose: str) -> bytes:
        """32 bytes that only this secret and `purpose` give (RFC 5869)."""
        return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"visavis/" + purpose.encode()).derive(self._master)

    def tag(self, purpose: str, *parts: bytes) -> bytes:
        """HMAC-SHA256 over `parts`, each with its length before it, under the key for `purpose`."""
        mac = hmac.new(self.derive(purpose), digestmod=hashlib.sha256)
        for part in parts:
            mac.update(len(part).to_bytes(4, "big") + part)
        return mac.digest()

    @cached_property
    def signing_key(self) -> Ed25519PrivateKey:
        """The key that signs access tokens."""
        return Ed25519PrivateKey.from_private_bytes(self.derive("access-token"))

    @cached_property
    def verifying_key(self) -> Ed25519PublicKey:
        return self.signing_key.public_key()

    @cached_property
    def kid(self) -> str:
        """The name of the signing key in a token's header: a hash of the public key."""
        public = self.verifying_key.public_bytes(Encoding.Raw, PublicFormat.Raw)
        return hashlib.sha256(public).hexdigest()[:16]

    @cached_property
    def push_key(self) -> ec.EllipticCurvePrivateKey:
        """The P-256 key by which push services know us (VAPID, RFC 8292). 512 bits are brought into range, so that the
        remainder is as good as even (FIPS 186-5, A.2.1)."""
        bits = self.derive("push/1") + self.derive("push/2")
        return ec.derive_private_key(int.from_bytes(bits) % (P256_ORDER - 1) + 1, ec.SECP256R1())

    @cached_property
    def push_point(self) -> bytes:
        """Its public half as browsers want it: the 65 bytes of an uncompressed point."""
        return self.push_key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


class Keyring:
    """The current secret makes new things; while it is being changed, the previous one still proves old things."""

    def __init__(self, current: bytes, previous: bytes | None = None) -> None:
        self.current = Secret(current)
        self.secrets = (self.current, Secret(previous)) if previous else (self.current,)
