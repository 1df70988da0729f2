"""Rings volunteers: their open pages, on whatever node, and the devices on which no page is open."""

from __future__ import annotations

from uuid import UUID

from matching.events import OfferGone, OfferRing
from matching.model import Channel
from signaling.bus import Bus
from signaling.push.pushes import Pushes


class Doorbell:
    """Best effort, and without waiting for anybody: a ring that is lost is replaced when it expires, and one that no
    device takes is reported through `Pushes.failed` at once."""

    def __init__(self, bus: Bus, pushes: Pushes) -> None:
        self._bus = bus
        self._pushes = pushes

    async def ring(self, volunteer: UUID, event: OfferRing, channel: Channel = Channel.SOCKET) -> None:
        # By push too: they may have opened a page since they were chosen.
        await self._bus.tell(volunteer, event)
        if channel is Channel.PUSH:
            self._pushes.ring(volunteer, event.offer_id, event.expires_in)

    async def withdraw(self, volunteer: UUID, event: OfferGone, channel: Channel = Channel.SOCKET) -> None:
        await self._bus.tell(volunteer, event)
        if channel is Channel.PUSH:
            self._pushes.withdraw(volunteer, event.offer_id)
