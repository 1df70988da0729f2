"""Rings the volunteer of a dropped call, alone at first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from uuid import UUID

from accounts.model import new_id
from accounts.postgres import Pool, borrowed
from matching import figures, ranking
from matching.board import Board
from matching.callback import Turn, whose_turn
from matching.events import OfferRing
from matching.ledger import callbacks, offers
from matching.ledger.offers import NewOffer
from matching.model import Channel, Offer, Request
from matching.ports import Doorbell
from matching.quiet import is_quiet
from matching.settings import MatchingSettings

CHANCE = 0.5
"""Somebody who was cut off a moment ago answers more often than not; nothing is learned of that apart."""


class CallBacks:
    """The first look of the dispatcher at a request whose caller was cut off."""

    def __init__(
        self,
        pool: Pool,
        board: Board,
        doorbell: Doorbell,
        settings: MatchingSettings,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._pool = pool
        self._board = board
        self._doorbell = doorbell
        self._settings = settings
        self._now = now

    async def alone(self, request: Request, made: Sequence[Offer]) -> bool:
        """Whether it is still the turn of the volunteer of the dropped call, who is rung now if they were not yet.
        If not (any more), the request goes before the others from here on."""
        if request.callback is None or request.front:
            return False
        match whose_turn(request, made, self._settings.callback_alone):
            case Turn.WAIT_FOR_THEM:
                return True
            case Turn.RING_THEM:
                await self._ring(request, request.callback)
        async with borrowed(self._pool) as connection:
            return not await callbacks.go_on(connection, request.id, self._settings.callback_alone)

    async def _ring(self, request: Request, volunteer_id: UUID) -> None:
        """Ring them if they may be rung, in a page if one is open, else by push within their budget of alerts. Quiet
        hours hold: a call that began before them may have ended in them."""
        now = self._now()
        (here,) = await self._board.present([volunteer_id])
        async with borrowed(self._pool) as connection:
            each = (await offers.eligible(connection, request, [volunteer_id], now)).get(volunteer_id)
            if each is None or not (here or each.may_push):
                return
            volunteer = each.volunteer
            if is_quiet(volunteer.quiet_hours, volunteer.time_zone, now):
                return
            channel = Channel.SOCKET if here else Channel.PUSH
            offer = NewOffer(new_id(), volunteer_id, channel, CHANCE, 1.0, {"callback": True})
            if not await self._board.begin_ring(volunteer_id, offer.id, self._settings.ring_time):
                return
            if not await offers.add_offers(connection, request.id, [offer]):
                await self._board.end_ring(volunteer_id, offer.id)
                return
        figures.RUNG.labels(channel).inc()
        ring = OfferRing(
            offer.id,
            request.id,
            ranking.shared(request, volunteer),
            round(request.waited, 1),
            self._settings.ring_time,
            request.topic,
            callback=True,
        )
        await self._doorbell.ring(volunteer_id, ring, channel)
