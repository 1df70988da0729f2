"""How often somebody may do what costs us something. Counted in the cache, a minute at a time; while the cache is away
nothing is counted and nobody is refused, for a limit must not cost a caller help."""

from __future__ import annotations

import hashlib

import structlog

from accounts.errors import Unavailable
from matching.board import Redis, answering
from signaling.problems import TooManyRequests

log = structlog.get_logger()

WINDOW = 60
COUNT = """
local count = redis.call('INCR', KEYS[1])
if count == 1 then
  redis.call('EXPIRE', KEYS[1], ARGV[1])
end
return {count, redis.call('TTL', KEYS[1])}
"""


class Limits:
    """The counters. `factor` multiplies every limit."""

    def __init__(self, client: Redis, factor: float = 1, prefix: str = "visavis:") -> None:
        self._count = client.register_script(COUNT)
        self._factor = factor
        self._prefix = prefix

    async def check(self, what: str, who: object, at_most: int) -> None:
        """Count one `what` of `who`. Raises `TooManyRequests` beyond `at_most` a minute."""
        # Hashed, so that no address lies in the cache in plain sight.
        name = hashlib.blake2b(str(who).encode(), digest_size=12).hexdigest()
        try:
            async with answering():
                count, wait = await self._count(keys=[f"{self._prefix}limit:{what}:{name}"], args=[WINDOW])
        except Unavailable:
            log.warning("limits.away", what=what)
            return
        if count > at_most * self._factor:
            raise TooManyRequests(retry_after=max(1, wait))
