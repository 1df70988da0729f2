"""What a push says: which offer, and nothing about anybody. A page that is opened by it asks for the rest."""

from __future__ import annotations

import base64
import hashlib
import time
from typing import Literal
from uuid import UUID

import msgspec

Kind = Literal["ring", "gone"]


class Payload(msgspec.Struct, frozen=True):
    """What arrives on the device. `tag` is the same for a ring and its withdrawal, so that one replaces the other."""

    kind: Kind
    offer: UUID
    tag: str
    expires: int
    """Unix time, whole seconds; what comes later rings no more."""

    def encoded(self) -> bytes:
        return msgspec.json.encode(self)


class Message(msgspec.Struct, frozen=True):
    """One push, the same for every device of a volunteer."""

    payload: Payload
    ttl: int
    """Seconds for which a push service may keep it."""

    @property
    def topic(self) -> str:
        """The name under which a newer message replaces an older one that was not delivered yet (RFC 8030 section
        5.4): at most 32 characters of base64url."""
        return self.payload.tag


def topic_of(offer: UUID) -> str:
    """A name for what rings, from which nobody can tell what it is."""
    digest = hashlib.sha256(b"visavis topic " + offer.bytes).digest()
    return base64.urlsafe_b64encode(digest[:18]).decode()


def ring(offer: UUID, ring_time: float, now: float | None = None) -> Message:
    """Rings for `ring_time` seconds."""
    at = time.time() if now is None else now
    ttl = max(1, round(ring_time))
    return Message(Payload("ring", offer, topic_of(offer), round(at + ttl)), ttl)


def withdrawal(offer: UUID, life: int, now: float | None = None) -> Message:
    """Takes the ring back."""
    at = time.time() if now is None else now
    return Message(Payload("gone", offer, topic_of(offer), round(at + life)), life)
