"""Rings volunteers for waiting requests: takes what is due from the board, asks the policy, makes offers, looks again.

Any number of nodes may run this. A request that two look at by accident is rung a little more, never wrongly: who may
be rung, and that nobody is rung twice for one request, Postgres decides."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID

import structlog

from accounts.errors import Unavailable
from accounts.languages import spoken
from accounts.model import new_id
from accounts.postgres import Pool, borrowed, transaction
from matching import figures, ranking
from matching.board import Board
from matching.calling_back import CallBacks
from matching.ending import Endings
from matching.errors import MatchingError
from matching.events import GoneReason, HelpStatus, Looking, OfferGone, OfferRing, looking
from matching.ledger import offers, requests
from matching.lifecycle import GivenUp, NobodyCame
from matching.model import Offer, Outcome, Request, RequestState, Volunteer
from matching.ports import Carrier, Doorbell, Voice
from matching.reserving import Reservations
from matching.settings import MatchingSettings
from matching.waves import Policy, Tier

log = structlog.get_logger()

BATCH = 64
LEASE = 5.0
LOOK = 20
"""Candidates fetched for each one that is to be rung: some will be on the phone, asleep, or have been asked before."""


REMEMBERED = 10_000
"""Requests whose last words are remembered; some end on another node and are never heard of again."""


class Dispatcher:
    """The loop of one node. `now` gives the wall clock, for quiet hours only."""

    def __init__(
        self,
        pool: Pool,
        board: Board,
        policy: Policy,
        endings: Endings,
        voice: Voice,
        carrier: Carrier,
        doorbell: Doorbell,
        reservations: Reservations,
        call_backs: CallBacks,
        settings: MatchingSettings,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._pool = pool
        self._board = board
        self._policy = policy
        self._endings = endings
        self._voice = voice
        self._carrier = carrier
        self._doorbell = doorbell
        self._reservations = reservations
        self._call_backs = call_backs
        self._settings = settings
        self._now = now
        self._wake = asyncio.Event()
        self._said: dict[UUID, tuple[int, Looking, float]] = {}

    async def look_at(self, request_id: UUID) -> None:
        """Look at a request now. If the cache is away, the sweeper puts it on the board once it is back."""
        try:
            await self._board.look_at([request_id])
        except Unavailable:
            log.warning("board.away", at="look_at")
        self._wake.set()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            try:
                busy = await self.work_once()
            except Unavailable:
                busy = False
                log.warning("dispatch.unavailable")
            if not busy:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._settings.tick / 4):
                        await self._wake.wait()
            self._wake.clear()

    async def work_once(self) -> bool:
        """Look at everything that is due; whether there was anything."""
        due = await self._board.take_due(BATCH, LEASE)
        if not due:
            return False
        async with borrowed(self._pool) as connection:
            found = await requests.requests(connection, due)
            made = await offers.offers_of(connection, due)
        offers_by_request: dict[UUID, list[Offer]] = defaultdict(list)
        for offer in made:
            offers_by_request[offer.request_id].append(offer)
        for request_id in set(due) - {request.id for request in found if request.state is RequestState.OPEN}:
            self._said.pop(request_id, None)
            await self._board.forget(request_id)
        # Given back first, then who has waited longest: they get the candidates before the others do.
        waiting = sorted(
            (request for request in found if request.state is RequestState.OPEN),
            key=lambda request: (not request.front, -request.waited),
        )
        for request in waiting:
            await self._look(request, offers_by_request[request.id])
        return True

    async def _look(self, request: Request, made: Sequence[Offer]) -> None:
        # Nobody is rung while somebody is unlocking the phone, or while it is one volunteer's turn to be called back.
        if request.reserved_offer is not None and not request.reserved:
            await self._reservations.lapse(request, made)
            return await self.look_at(request.id)
        if request.reserved or await self._call_backs.alone(request, made):
            if request.reserved:
                await self._reservations.hold(request)
            soon = request.reserved_for if request.reserved else self._settings.tick
            await self._board.look_at([request.id], min(soon, self._settings.tick))
            return await self._say(request, len(made))
        plan = self._policy.plan(request, made)
        if plan.expired:
            await self._expire([offer for offer in made if offer.id in plan.expired])
        asked = len(made)
        if plan.ring > 0:
            ringing = sum(offer.outcome is None for offer in made) - len(plan.expired)
            rung = await self._ring(request, plan.ring, Tier.FIRST)
            if rung < plan.ring and (plan.widen or ringing + rung == 0):
                rung += await self._ring(request, plan.ring - rung, Tier.SECOND)
            asked += rung
        await self._board.look_at([request.id], plan.again_in)
        if not await self._time_is_up(request):
            await self._say(request, asked)

    async def _ring(self, request: Request, how_many: int, tier: Tier) -> int:
        """Ring up to that many more volunteers of a tier; how many were rung."""
        candidates: list[UUID] = []
        for language in ranking.keys(request, tier):
            candidates += await self._board.candidates(language, how_many * LOOK)
        candidates = list(dict.fromkeys(candidates))
        if not candidates:
            return 0
        here, busy = await asyncio.gather(self._board.present(candidates), self._board.ringing(candidates))
        free = [person for person, is_here, rings in zip(candidates, here, busy, strict=True) if is_here and not rings]
        async with borrowed(self._pool) as connection:
            volunteers = await offers.eligible(connection, request.id, free)
            chosen = {new_id(): v for v in ranking.choose(request, volunteers, how_many, self._now())}
            # The phone is taken before the offer can be answered, or an answer could come first and leave it taken.
            taken = await asyncio.gather(
                *(self._board.begin_ring(v.id, offer_id, self._settings.ring_time) for offer_id, v in chosen.items())
            )
            offered = {offer_id: v for (offer_id, v), is_ours in zip(chosen.items(), taken, strict=True) if is_ours}
            made = await offers.add_offers(
                connection, request.id, {each: v.id for each, v in offered.items()}, "socket"
            )
        for offer_id, volunteer in offered.items():
            if offer_id not in made:
                await self._board.end_ring(volunteer.id, offer_id)
        figures.RUNG.labels("socket").inc(len(made))
        await asyncio.gather(*(self._ring_one(request, offer_id, offered[offer_id]) for offer_id in made))
        return len(made)

    async def _ring_one(self, request: Request, offer_id: UUID, volunteer: Volunteer) -> None:
        await self._doorbell.ring(
            volunteer.id,
            OfferRing(
                offer_id,
                request.id,
                ranking.shared(request, volunteer),
                round(request.waited, 1),
                self._settings.ring_time,
                request.topic,
            ),
        )
        for language in volunteer.languages:
            await self._board.rung(spoken(language), [volunteer.id])

    async def _expire(self, rung_out: Sequence[Offer]) -> None:
        async with borrowed(self._pool) as connection:
            ignored = set(await offers.answer(connection, [offer.id for offer in rung_out], Outcome.IGNORED))
        for offer in rung_out:
            if offer.id in ignored:
                await self._board.end_ring(offer.volunteer_id, offer.id)
                await self._doorbell.withdraw(offer.volunteer_id, OfferGone(offer.id, "expired"))

    async def _time_is_up(self, request: Request) -> bool:
        """Say "nobody", or close what nobody will answer any more."""
        if request.told is None and request.looking >= self._settings.nobody_after:
            event: NobodyCame | GivenUp = NobodyCame()
        elif request.told is not None and request.told >= self._settings.unanswered_after:
            event = GivenUp()
        else:
            return False
        try:
            async with transaction(self._pool) as connection:
                parcels = await self._endings.move_request(connection, request.id, event)
        except MatchingError:
            return True  # it was closed in the same moment
        await self._carrier.carry(parcels)
        if isinstance(event, GivenUp):
            await self.moved(request.id)
        return True

    async def _say(self, request: Request, asked: int) -> None:
        """Tell the caller how the search goes: at each change, and at least every ten seconds."""
        state = looking(request)
        before, was, at = self._said.get(request.id, (-1, state, 0.0))
        news = (asked, state) != (before, was)
        if request.told is not None or (not news and request.waited - at < self._settings.status_every):
            return
        if len(self._said) > REMEMBERED:
            self._said.clear()
        self._said[request.id] = (asked, state, request.waited)
        await self._voice.tell(request.caller_id, HelpStatus(request.id, state, asked, round(request.waited, 1)))

    async def moved(self, request_id: UUID) -> None:
        """A request was opened, closed or given back, and that is committed: quieten what rings for a closed one, look
        at an open one now. What the cache misses while it is away, the sweeper makes up for."""
        async with borrowed(self._pool) as connection:
            state, withdrawn = await offers.withdraw_if_closed(connection, request_id)
        if state is RequestState.OPEN:
            await self.look_at(request_id)
            return
        self._said.pop(request_id, None)
        reason: GoneReason = "taken" if state is RequestState.MATCHED else "cancelled"
        for offer_id, volunteer_id in withdrawn:
            await self._doorbell.withdraw(volunteer_id, OfferGone(offer_id, reason))
        try:
            await self._board.forget(request_id)
            for offer_id, volunteer_id in withdrawn:
                await self._board.end_ring(volunteer_id, offer_id)
        except Unavailable:
            log.warning("board.away", at="moved")
