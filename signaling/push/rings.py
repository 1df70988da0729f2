"""Which devices an offer has rung, so that whichever node hears of the claim can quieten them.

Keys, each after the prefix, for as long as a ring matters:
    {OFFER}:pushed   set      the devices whose push service has taken the ring
    {OFFER}:gone     string   the ring was taken back
A node writes `pushed` and then reads `gone`; who takes a ring back writes `gone` and then reads `pushed`. So one of the
two sees the other, however close they are."""

from __future__ import annotations

from uuid import UUID

from matching.board import Redis, answering

LIFE = 600


class Rings:
    """What is remembered of rings. Raises `Unavailable` while the cache is away."""

    def __init__(self, client: Redis, prefix: str = "visavis:") -> None:
        self._redis = client
        self._prefix = prefix

    def _keys(self, offer: UUID) -> tuple[str, str]:
        return f"{self._prefix}{{{offer}}}:pushed", f"{self._prefix}{{{offer}}}:gone"

    async def wanted(self, offer: UUID) -> bool:
        """Whether it still rings, as far as anybody has said."""
        async with answering():
            return not await self._redis.exists(self._keys(offer)[1])

    async def rung(self, offer: UUID, device: UUID) -> bool:
        """The device rings. False: the offer was taken back meanwhile, and it is up to the caller to quieten it."""
        pushed, gone = self._keys(offer)
        async with answering():
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.sadd(pushed, str(device))
            pipeline.expire(pushed, LIFE)
            pipeline.exists(gone)
            *_, taken_back = await pipeline.execute()
            # Of two who see each other, the one that takes the device out quietens it.
            return not (taken_back and await self._redis.srem(pushed, str(device)))

    async def take_back(self, offer: UUID) -> list[UUID]:
        """It rings no more: the devices to quieten. Asked twice, none the second time."""
        pushed, gone = self._keys(offer)
        async with answering():
            pipeline = self._redis.pipeline(transaction=True)
            pipeline.set(gone, "1", ex=LIFE)
            pipeline.smembers(pushed)
            pipeline.delete(pushed)
            _, devices, _ = await pipeline.execute()
        return [UUID(str(device)) for device in devices]
