"""The pushes of a development server, for `GET /dev/push`. Like its mail they go nowhere, unless the operator names the
push service in `PUSH_HOSTS`: nobody else's server is spoken to by default."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from uuid import UUID

import msgspec
import structlog

from accounts.devices import DeviceKind
from accounts.errors import Unavailable
from accounts.model import new_id
from matching.board import Redis, answering
from signaling.push.message import Payload

log = structlog.get_logger()

KEPT = 1000


class SentPush(msgspec.Struct, frozen=True):
    """A push that was sent or would have been."""

    to: str
    """The endpoint or token. In production it is told to nobody."""
    person: UUID
    device: UUID
    kind: DeviceKind
    payload: Payload
    """As it was before it was encrypted."""
    ttl: int
    topic: str
    at: datetime
    status: str
    """`noted`, `sent`, or what went wrong, as in the metric `visavis_push_total`."""


class Noted:
    """The list in the cache."""

    def __init__(self, client: Redis, prefix: str = "visavis:") -> None:
        self._redis = client
        self._key = f"{prefix}dev:push"

    async def note(self, push: SentPush) -> None:
        """Best effort, as it is for people who try things out."""
        try:
            async with answering():
                pipeline = self._redis.pipeline(transaction=False)
                pipeline.zadd(self._key, {msgspec.json.encode([str(new_id()), push]).decode(): time.time()})
                pipeline.zremrangebyrank(self._key, 0, -KEPT - 1)
                await pipeline.execute()
        except Unavailable:
            log.warning("push.unnoted")

    async def sent(self, to: str | None = None) -> list[SentPush]:
        """What was sent to an address, a person or a device, or at all; newest first."""
        async with answering():
            found = await self._redis.zrevrange(self._key, 0, -1)
        pushes = [msgspec.json.decode(str(text), type=tuple[str, SentPush])[1] for text in found]
        return [push for push in pushes if to in (None, push.to, str(push.person), str(push.device))]


def now() -> datetime:
    """The time of a push."""
    return datetime.now(UTC)
