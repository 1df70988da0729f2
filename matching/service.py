"""What people can do on this floor once volunteers are asked: answer, talk, hang up. Each is one short transaction in
Postgres, then hints to the board and words to the people. What callers do before is in `asking.py`."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec
import structlog

from accounts.errors import NotAllowed, Unavailable
from accounts.languages import spoken
from accounts.model import Person, Role, new_id
from accounts.outbox import Parcel
from accounts.postgres import Connection, Pool, borrowed, transaction
from matching import figures
from matching.board import Board
from matching.dispatch import Dispatcher
from matching.ending import Endings
from matching.errors import CallUnknown, InCall, MatchingError, OfferAnswered, OfferClosed, OfferTaken, OfferUnknown
from matching.events import CallBegin, CallPartner
from matching.late import tapped_late
from matching.ledger import callbacks, calls, offers, pairs, requests, wishes
from matching.ledger.callbacks import Possible
from matching.ledger.wishes import Wish
from matching.lifecycle import MAY_CALL_BACK, Connected, Hung
from matching.model import Call, CallState, EndReason, Outcome, Partner, Request, RequestState
from matching.ports import Carrier, Rewards, Voice
from matching.reserving import Opened, Reservations
from matching.settings import MatchingSettings
from matching.who import must_be

log = structlog.get_logger()


class Present(msgspec.Struct, frozen=True):
    """Everything that goes on for a person now: what a client needs that knows nothing."""

    request: Request | None
    call: Call | None
    begin: CallBegin | None
    ringing: tuple[offers.Ringing, ...]
    called_back: frozenset[UUID] = frozenset()
    """The requests of those that ring whose caller wants this volunteer back."""
    call_back: Possible | None = None
    """The call whose volunteer this caller may call back."""
    wish: Wish | None = None
    """To be told when somebody is free; told, or not yet."""


class HelpService:
    """Requests, offers and calls. Raises `Unavailable` when Postgres is away; a cache that is away only slows it."""

    def __init__(
        self,
        pool: Pool,
        board: Board,
        dispatcher: Dispatcher,
        endings: Endings,
        reservations: Reservations,
        rewards: Rewards,
        voice: Voice,
        carrier: Carrier,
        settings: MatchingSettings,
    ) -> None:
        self._pool = pool
        self._board = board
        self._dispatcher = dispatcher
        self._endings = endings
        self._reservations = reservations
        self._rewards = rewards
        self._voice = voice
        self._carrier = carrier
        self._settings = settings

    # --- the volunteer

    async def start_shift(self, person: Person) -> None:
        """This volunteer's open page may be rung. Raises `NotForRole`, `NotAllowed`."""
        must_be(person, Role.VOLUNTEER)
        async with borrowed(self._pool) as connection:
            last_rung = await offers.last_rung(connection, person.id)
        await self._board.willing(person.id, {spoken(tag) for tag in person.languages}, last_rung)

    async def end_shift(self, person: Person) -> None:
        """Not to be rung any more."""
        await self._board.unwilling(person.id, {spoken(tag) for tag in person.languages})

    async def accept(self, volunteer_id: UUID, offer_id: UUID, accept_id: str) -> Call:
        """Claim the request of an offer. The first accept wins; a retry gets the same call.
        Raises `OfferTaken` for a late tap, `OfferClosed`, `OfferUnknown`, `OfferAnswered`, `InCall`, `NotAllowed`."""
        parcel_id = new_id()
        try:
            call, is_new = await self._claim(volunteer_id, offer_id, accept_id, parcel_id)
        except MatchingError:
            await self._quiet(volunteer_id, offer_id)
            raise
        if is_new:
            figures.MATCHED.inc()
            figures.WAIT.observe(call.waited)
            await self._carrier.carry([Parcel(parcel_id, "begun", None, {"call_id": str(call.id)})])
            await self._dispatcher.moved(call.request_id)
            await self._quiet(volunteer_id, offer_id)
        return call

    async def _claim(self, volunteer_id: UUID, offer_id: UUID, accept_id: str, parcel_id: UUID) -> tuple[Call, bool]:
        """The call of an offer, and whether this claim has made it."""
        async with borrowed(self._pool) as connection:
            for _ in range(2):  # a request may be given back between a claim that fails and the look at why
                try:
                    call = await calls.claim(connection, offer_id, volunteer_id, accept_id, new_id(), parcel_id)
                except calls.AlreadyInCall:
                    if (call := await calls.call_of_offer(connection, offer_id, volunteer_id)) is None:
                        raise InCall() from None
                    return call, False
                except calls.NeverAgain:
                    raise OfferClosed() from None
                except calls.AcceptedBefore:
                    call = None
                if call is not None:
                    return call, True
                if (earlier := await self._why_not(connection, offer_id, volunteer_id, accept_id)) is not None:
                    return earlier, False
        raise NotAllowed()

    async def _why_not(self, connection: Connection, offer_id: UUID, volunteer_id: UUID, accept_id: str) -> Call | None:
        """After a claim that won nothing: the call it won before, an error that says why, or None to try again."""
        earlier = await calls.call_of_offer(connection, offer_id, volunteer_id)
        if earlier is not None and (earlier.accept_id == accept_id or earlier.state is not CallState.ENDED):
            return earlier
        offer = await offers.offer(connection, offer_id, volunteer_id)
        if offer is None:
            raise OfferUnknown()
        if offer.outcome is Outcome.DECLINED:
            raise OfferAnswered()
        (request,) = await requests.requests(connection, [offer.request_id])
        match request.state:
            case RequestState.OPEN if not request.reserved or request.reserved_offer == offer_id:
                return None
            case RequestState.OPEN | RequestState.MATCHED:
                raise OfferTaken(points=await tapped_late(connection, self._rewards, volunteer_id, offer_id))
            case _:
                raise OfferClosed()

    async def decline(self, volunteer_id: UUID, offer_id: UUID) -> None:
        """Refuse an offer; somebody else is rung at once. Declining twice, or after the end, changes nothing.
        Raises `OfferUnknown`."""
        async with borrowed(self._pool) as connection:
            offer = await offers.offer(connection, offer_id, volunteer_id)
            if offer is None:
                raise OfferUnknown()
            declined = await offers.answer(connection, [offer_id], Outcome.DECLINED)
        await self._quiet(volunteer_id, offer_id)
        if declined:
            await self._reservations.give_up(offer.request_id, offer_id)
            await self._dispatcher.look_at(offer.request_id)

    async def push_failed(self, volunteer_id: UUID, offer_id: UUID) -> None:
        """No device of the volunteer took the ring; somebody else is rung at once."""
        async with borrowed(self._pool) as connection:
            offer = await offers.offer(connection, offer_id, volunteer_id)
            failed = await offers.answer(connection, [offer_id], Outcome.FAILED)
        await self._quiet(volunteer_id, offer_id)
        if offer is not None and failed:
            await self._dispatcher.look_at(offer.request_id)

    async def open_offer(self, volunteer_id: UUID, offer_id: UUID) -> Opened:
        """A notification was tapped: reserve the request if it still is open. Repeating it changes nothing.
        Raises `OfferUnknown`, `InCall`, `NotAllowed`."""
        opened = await self._reservations.open(volunteer_id, offer_id)
        if opened.ring is not None:
            await self._dispatcher.look_at(opened.request.id)
        else:
            await self._quiet(volunteer_id, offer_id)
        return opened

    async def restore_shifts(self, volunteers: Sequence[UUID]) -> None:
        """Put volunteers on shift back on a board that lost its memory."""
        async with borrowed(self._pool) as connection:
            for volunteer, languages, last_rung in await offers.shifts_of(connection, volunteers):
                await self._board.willing(volunteer, {spoken(tag) for tag in languages}, last_rung)

    async def _quiet(self, volunteer_id: UUID, offer_id: UUID) -> None:
        try:
            await self._board.end_ring(volunteer_id, offer_id)
        except Unavailable:
            log.warning("board.away", at="end_ring")

    # --- both

    async def connected(self, person_id: UUID, call_id: UUID) -> None:
        """This side sees or hears the other. Raises `CallUnknown`, `CallOver`."""
        async with transaction(self._pool) as connection:
            call = await calls.locked_call(connection, call_id)
            role = call.role_of(person_id) if call else None
            if role is None:
                raise CallUnknown()
            await self._endings.move_call(connection, call_id, Connected(role), person_id)

    async def hang_up(self, person_id: UUID, call_id: UUID, reason: EndReason) -> Call:
        """End a call. Hanging up twice, or after the other side did, changes nothing. Raises `CallUnknown`."""
        async with transaction(self._pool) as connection:
            if reason is EndReason.ABUSE and (call := await calls.call(connection, call_id)) is not None:
                # The report will keep the two apart, which holds both people: they are locked before the call.
                await pairs.hold(connection, [call.caller_id, call.volunteer_id])
            call = await calls.locked_call(connection, call_id)
            role = call.role_of(person_id) if call else None
            if call is None or role is None:
                raise CallUnknown()
            if call.state is CallState.ENDED:
                return call
            ended, parcels = await self._endings.move_call(connection, call_id, Hung(role, reason), person_id)
        await self._carrier.carry(parcels)
        await self._dispatcher.moved(ended.request_id)
        return ended

    async def participant(self, person_id: UUID, call_id: UUID) -> Call:
        """The call, if this person is or was in it. Raises `CallUnknown`."""
        async with borrowed(self._pool) as connection:
            call = await calls.call(connection, call_id)
        if call is None or call.role_of(person_id) is None:
            raise CallUnknown()
        return call

    async def partner_away(self, person_id: UUID, away: bool) -> None:
        """Tell the other side of a live call that this person's socket dropped or came back."""
        async with borrowed(self._pool) as connection:
            call = await calls.live_call_of(connection, person_id)
        if call is not None and (role := call.role_of(person_id)) is not None:
            await self._voice.tell(call.other(role), CallPartner(call.id, "away" if away else "back"))

    # --- where everything stands

    async def present(self, person_id: UUID) -> Present:
        """What goes on for the person now."""
        async with borrowed(self._pool) as connection:
            request = await requests.open_request_of(connection, person_id)
            call = await calls.live_call_of(connection, person_id)
            begin = dict(await self._begins(connection, call))[person_id] if call else None
            ringing = await offers.ringing_for(connection, person_id) if not call else []
            back = await callbacks.called_back(connection, [ring.offer.request_id for ring in ringing], person_id)
            wish = await wishes.wish_of(connection, person_id)
            possible = None
            if call is None and request is None:
                within = self._settings.call_back_within
                possible = await callbacks.possible(connection, person_id, tuple(MAY_CALL_BACK), within)
        return Present(request, call, begin, tuple(ringing), frozenset(back), possible, wish)

    async def tell_begun(self, call_id: UUID) -> tuple[Call, list[tuple[UUID, CallBegin]]] | None:
        """Who is to hear what about a call that was just claimed; None if it is over."""
        async with borrowed(self._pool) as connection:
            call = await calls.call(connection, call_id)
            if call is None or call.state is CallState.ENDED:
                return None
            return call, await self._begins(connection, call)

    async def _begins(self, connection: Connection, call: Call) -> list[tuple[UUID, CallBegin]]:
        rows = await calls.partner_rows(connection, [call.caller_id, call.volunteer_id])
        begins = []
        for role in Role:
            me, other = call.other(role.other), call.other(role)
            row = rows[other]
            partner = Partner(tuple(row["languages"]), row["alias"], row["experience"])
            begins.append((me, CallBegin(call.id, call.request_id, role, partner, call.fence)))
        return begins

    # --- trust and safety

    async def never_again(self, connection: Connection, person_id: UUID, other: UUID, wished: bool) -> None:
        """Whether this person wishes never to meet the other again, in the caller's transaction."""
        await pairs.set_wish(connection, person_id, other, wished)

    async def bar(self, connection: Connection, person_id: UUID) -> tuple[list[Parcel], list[UUID]]:
        """End what a person does who was barred earlier in this transaction."""
        return await self._endings.barred(connection, person_id)

    async def after_bar(self, touched: Sequence[UUID]) -> None:
        """After that transaction: what it means for the requests it touched."""
        for request_id in touched:
            await self._dispatcher.moved(request_id)
