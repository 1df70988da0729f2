"""One-time tickets for the socket: a token never stands in a URL, where proxies and histories would keep it."""

from __future__ import annotations

import hashlib
import secrets
from uuid import UUID

from matching.board import Redis, answering
from signaling.problems import TicketInvalid

LIFE = 30


class Tickets:
    """Tickets in the cache. Every method raises `Unavailable` while it is away."""

    def __init__(self, client: Redis, prefix: str = "visavis:") -> None:
        self._redis = client
        self._prefix = prefix

    def _key(self, ticket: str) -> str:
        return f"{self._prefix}ticket:{hashlib.sha256(ticket.encode()).hexdigest()}"

    async def issue(self, person: UUID, family: UUID) -> str:
        """A ticket for one hello of this person, on the device that asked."""
        ticket = secrets.token_urlsafe(32)
        async with answering():
            await self._redis.set(self._key(ticket), f"{person} {family}", ex=LIFE)
        return ticket

    async def redeem(self, ticket: str) -> tuple[UUID, UUID]:
        """The person and device of a ticket, which is used up by this. Raises `TicketInvalid`."""
        async with answering():
            found = await self._redis.getdel(self._key(ticket))
        if not found:
            raise TicketInvalid()
        person, family = str(found).split(" ")
        return UUID(person), UUID(family)
