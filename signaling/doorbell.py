"""Rings volunteers: their open pages, on whatever node. (Push comes to this door with its own issue.)"""

from __future__ import annotations

from uuid import UUID

from matching.events import OfferGone, OfferRing
from signaling.bus import Bus


class Doorbell:
    """Rings through the bus; best effort, for a ring that is lost is replaced when it expires."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def ring(self, volunteer: UUID, event: OfferRing) -> None:
        await self._bus.tell(volunteer, event)

    async def withdraw(self, volunteer: UUID, event: OfferGone) -> None:
        await self._bus.tell(volunteer, event)
