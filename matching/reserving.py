"""A tap on a notification: is the request still open, and if so, it is kept for whoever tapped first."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec
import structlog

from accounts.errors import NotAllowed, Unavailable
from accounts.languages import spoken
from accounts.postgres import Connection, Pool, borrowed, transaction
from matching.board import Board
from matching.errors import InCall, OfferUnknown
from matching.events import GoneReason, OfferGone, OfferRing
from matching.late import tapped_late
from matching.ledger import callbacks, offers, requests, reservations
from matching.ledger.offers import Withdrawn
from matching.model import Offer, Outcome, Request, RequestState
from matching.ports import Doorbell, Rewards
from matching.settings import MatchingSettings

log = structlog.get_logger()

ANSWERED = (Outcome.ACCEPTED, Outcome.DECLINED)


class Opened(msgspec.Struct, frozen=True):
    """What somebody finds who taps on a notification."""

    request: Request
    ring: OfferRing | None = None
    """The offer, if its request may still be claimed with it."""
    taken: bool = False
    """Somebody else was faster."""
    points: int = 0
    """What having been there has earned."""


class Reservations:
    """Makes reservations, and ends them."""

    def __init__(
        self, pool: Pool, board: Board, doorbell: Doorbell, rewards: Rewards, settings: MatchingSettings
    ) -> None:
        self._pool = pool
        self._board = board
        self._doorbell = doorbell
        self._rewards = rewards
        self._settings = settings

    # --- the volunteer

    async def open(self, volunteer_id: UUID, offer_id: UUID) -> Opened:
        """Look whether the request of an offer is open, and reserve it for this offer if so. Repeating it changes
        nothing. Raises `OfferUnknown`, `InCall`, `NotAllowed`."""
        async with borrowed(self._pool) as connection:
            for _ in range(2):  # what stood against it may be over before the look at what it was
                reserved = await reservations.reserve(connection, offer_id, volunteer_id, self._settings.open_grace)
                found = await self._found(connection, volunteer_id, offer_id)
                if found is not None:
                    break
            else:
                raise NotAllowed()
        if reserved:
            await self._keep_ringing(volunteer_id, offer_id)
        return found

    async def _found(self, connection: Connection, volunteer_id: UUID, offer_id: UUID) -> Opened | None:
        """How things stand after the attempt to reserve; None to try again."""
        offer = await offers.offer(connection, offer_id, volunteer_id)
        if offer is None:
            raise OfferUnknown()
        (request,) = await requests.requests(connection, [offer.request_id])
        if request.state not in (RequestState.OPEN, RequestState.MATCHED) or offer.outcome in ANSWERED:
            return Opened(request)
        if request.state is RequestState.MATCHED or (request.reserved and request.reserved_offer != offer_id):
            return Opened(
                request, taken=True, points=await tapped_late(connection, self._rewards, volunteer_id, offer_id)
            )
        if request.reserved_offer != offer_id:
            # Nothing and nobody stands there now; or this offer had its moment, and may still be accepted.
            hindrance = await reservations.hindrance(connection, offer_id, volunteer_id)
            if hindrance is not None:
                if hindrance.in_call:
                    raise InCall()
                if hindrance.barred:
                    raise NotAllowed()
                return Opened(request) if hindrance.apart else None
        return Opened(request, ring=await self._ring(connection, volunteer_id, offer, request))

    async def _ring(self, connection: Connection, volunteer_id: UUID, offer: Offer, request: Request) -> OfferRing:
        """The offer as it rang: a page that a notification has opened knows only its id."""
        speaks = {spoken(tag) for tag in await reservations.languages_of(connection, volunteer_id)}
        shared = tuple(tag for tag in request.languages if spoken(tag) in speaks)
        mine = await callbacks.called_back(connection, [request.id], volunteer_id)
        held = request.reserved_for if request.reserved_offer == offer.id else self._settings.ring_time
        return OfferRing(
            offer.id, request.id, shared, round(request.waited, 1), round(max(0.0, held), 1), request.topic, bool(mine)
        )

    async def _keep_ringing(self, volunteer_id: UUID, offer_id: UUID) -> None:
        """The phone is taken while it is unlocked, however long it has rung before."""
        try:
            await self._board.end_ring(volunteer_id, offer_id)
            await self._board.begin_ring(volunteer_id, offer_id, self._settings.open_grace)
        except Unavailable:
            log.warning("board.away", at="keep_ringing")

    async def give_up(self, request_id: UUID, offer_id: UUID) -> None:
        """The volunteer declined after all."""
        async with borrowed(self._pool) as connection:
            await reservations.release(connection, request_id, offer_id, early=True)

    # --- the dispatcher

    async def hold(self, request: Request) -> None:
        """Quieten whatever else rings for a reserved request."""
        async with borrowed(self._pool) as connection:
            silenced = await reservations.silence_others(connection, request.id)
        await self._gone(silenced, "taken")

    async def lapse(self, request: Request, made: Sequence[Offer]) -> None:
        """The moment has passed without an accept: everybody's turn again, in front."""
        offer = next((offer for offer in made if offer.id == request.reserved_offer), None)
        if offer is None:
            return
        async with transaction(self._pool) as connection:
            if not await reservations.release(connection, request.id, offer.id, early=False):
                return
            ignored = await offers.answer(connection, [offer.id], Outcome.IGNORED)
        lapsed = Withdrawn(offer.id, offer.volunteer_id, offer.channel)
        await self._gone([lapsed] if ignored else [], "expired")

    async def _gone(self, silenced: Sequence[Withdrawn], reason: GoneReason) -> None:
        for offer in silenced:
            await self._doorbell.withdraw(offer.volunteer_id, OfferGone(offer.id, reason), offer.channel)
            await self._board.end_ring(offer.volunteer_id, offer.id)
