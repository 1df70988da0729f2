"""Rings volunteers for waiting requests: takes what is due from the board, asks the policy, makes offers, looks again.

Any number of nodes may run this. A request that two look at by accident is rung a little more, never wrongly: who may
be rung, and that nobody is rung twice for one request, Postgres decides."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from uuid import UUID

import msgspec
import structlog

from accounts.errors import Unavailable
from accounts.languages import spoken
from accounts.model import new_id
from accounts.postgres import Pool, borrowed, transaction
from matching import figures, ranking, waves
from matching.board import Board
from matching.calling_back import CallBacks
from matching.choosing import Chooser, Chosen
from matching.ending import Endings
from matching.errors import MatchingError
from matching.events import GoneReason, HelpStatus, Looking, OfferGone, OfferRing, looking
from matching.learning import Learner
from matching.ledger import offers, requests
from matching.ledger.offers import NewOffer
from matching.lifecycle import GivenUp, NobodyCame
from matching.model import Offer, Outcome, Request, RequestState
from matching.ports import Carrier, Doorbell, Touched, Voice
from matching.reserving import Reservations
from matching.settings import MatchingSettings
from matching.waves import Plan, Tier

log = structlog.get_logger()

BATCH = 64
LEASE = 5.0
REMEMBERED = 10_000
"""Requests whose last words are remembered; some end on another node and are never heard of again."""


class Dispatcher:
    """The loop of one node."""

    def __init__(
        self,
        pool: Pool,
        board: Board,
        learner: Learner,
        chooser: Chooser,
        endings: Endings,
        voice: Voice,
        carrier: Carrier,
        doorbell: Doorbell,
        reservations: Reservations,
        call_backs: CallBacks,
        touched: Touched,
        settings: MatchingSettings,
    ) -> None:
        self._pool = pool
        self._board = board
        self._learner = learner
        self._chooser = chooser
        self._endings = endings
        self._voice = voice
        self._carrier = carrier
        self._doorbell = doorbell
        self._reservations = reservations
        self._call_backs = call_backs
        self._settings = settings
        self._touched = touched
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
            except Exception:
                busy = False
                log.exception("dispatch.failed")
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
            # Closed while it was rung for, or by a node that died before it could quieten what rang.
            await self.moved(request_id)
        # Given back first, then who has waited longest: they get the candidates before the others do.
        waiting = sorted(
            (request for request in found if request.state is RequestState.OPEN),
            key=lambda request: (not request.front, -request.waited),
        )
        for request in waiting:
            try:
                await self._look(request, offers_by_request[request.id])
            except Unavailable:
                raise
            except Exception:  # one request that cannot be understood must not hold up the others
                log.exception("dispatch.failed", request=str(request.id))
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
        plan = waves.plan(request, made, self._learner.population, self._settings)
        figures.HOPE.observe(plan.hope)
        if plan.expired:
            await self._expire([offer for offer in made if offer.id in plan.expired])
        asked = len(made)
        if plan.rings_at_most > 0:
            asked += await self._wave(request, plan, any(offer.outcome is None for offer in made))
        await self._board.look_at([request.id], plan.again_in)
        if not await self._time_is_up(request):
            await self._say(request, asked)

    async def _wave(self, request: Request, plan: Plan, rings: bool) -> int:
        """Ring for the hope that is missing, second languages where the first do not bring it; how many were rung."""
        rung = await self._ring(request, await self._chooser.choose(request, plan, Tier.FIRST))
        if plan.widen or not (rings or rung):
            brought = sum(each.ranked.chance.mean for each in rung)
            plan = msgspec.structs.replace(
                plan,
                hope=plan.hope + brought,
                target=plan.target * (waves.worth(brought / len(rung)) if plan.first and rung else 1.0),
                first=plan.first and not rung,
                rings_at_most=plan.rings_at_most - len(rung),
            )
            if plan.rings_at_most > 0 and plan.target - plan.hope >= self._settings.hope_step:
                rung += await self._ring(request, await self._chooser.choose(request, plan, Tier.SECOND))
        return len(rung)

    async def _ring(self, request: Request, chosen: Sequence[Chosen]) -> list[Chosen]:
        """Make offers of them and ring; those who were."""
        if not chosen:
            return []
        by_offer = {new_id(): each for each in chosen}
        # The phone is taken before the offer can be answered, or an answer could come first and leave it taken.
        rings = [(each.candidate.id, offer_id) for offer_id, each in by_offer.items()]
        taken = await self._board.begin_rings(rings, self._settings.ring_time)
        if not taken:
            return []
        async with borrowed(self._pool) as connection:
            new = [_new(offer_id, by_offer[offer_id]) for _, offer_id in rings if offer_id in taken]
            made = await offers.add_offers(connection, request.id, new)
        rung = {offer_id: each for offer_id, each in by_offer.items() if offer_id in made}
        await asyncio.gather(*(self._ring_one(request, *each) for each in rung.items()))
        self._touched.touched(each.candidate.id for each in rung.values())
        try:
            await self._board.end_rings(ring for ring in rings if ring[1] in taken - made)
            await self._board.rung(_by_language(rung.values()))
        except Unavailable:
            log.warning("board.away", at="rung")  # what was rung was rung
        return list(rung.values())

    async def _ring_one(self, request: Request, offer_id: UUID, chosen: Chosen) -> None:
        channel = chosen.candidate.channel
        figures.RUNG.labels(channel).inc()
        ring = OfferRing(
            offer_id,
            request.id,
            ranking.shared(request, chosen.volunteer),
            round(request.waited, 1),
            self._settings.ring_time,
            request.topic,
        )
        await self._doorbell.ring(chosen.candidate.id, ring, channel)

    async def _expire(self, rung_out: Sequence[Offer]) -> None:
        async with borrowed(self._pool) as connection:
            ignored = set(await offers.answer(connection, [offer.id for offer in rung_out], Outcome.IGNORED))
        gone = [offer for offer in rung_out if offer.id in ignored]
        for offer in gone:
            await self._doorbell.withdraw(offer.volunteer_id, OfferGone(offer.id, "expired"), offer.channel)
        await self._board.end_rings((offer.volunteer_id, offer.id) for offer in gone)

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
        for offer in withdrawn:
            await self._doorbell.withdraw(offer.volunteer_id, OfferGone(offer.id, reason), offer.channel)
        try:
            await self._board.end_rings((offer.volunteer_id, offer.id) for offer in withdrawn)
            await self._board.forget(request_id)
        except Unavailable:
            log.warning("board.away", at="moved")


def _by_language(rung: Iterable[Chosen]) -> dict[str, list[UUID]]:
    found: dict[str, list[UUID]] = defaultdict(list)
    for each in rung:
        for language in {spoken(tag) for tag in each.volunteer.languages}:
            found[language].append(each.candidate.id)
    return found


def _new(offer_id: UUID, chosen: Chosen) -> NewOffer:
    chance, candidate = chosen.ranked.chance, chosen.candidate
    return NewOffer(offer_id, candidate.id, candidate.channel, chance.mean, chance.exposure, chosen.why)
