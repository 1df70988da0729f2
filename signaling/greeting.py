"""From `hello` to `welcome`: who is this, which session do they go on with, and where does everything stand."""

from __future__ import annotations

import random
from collections.abc import Callable

import msgspec
import structlog

from accounts.errors import Unavailable, VisavisError
from accounts.model import Person, Role, new_id
from accounts.service import AccountService
from matching.board import Board
from matching.events import CallBegin, OfferRing, looking
from matching.service import HelpService, Present
from matching.settings import MatchingSettings
from signaling.bus import Bus
from signaling.carrier import Carrier, live_call
from signaling.codec import encode
from signaling.commands import Commands
from signaling.i18n import Words, words
from signaling.metrics import RESUMED
from signaling.problems import TooManySockets
from signaling.protocol import CallBackNow, Hello, PersonNow, RequestNow, StateNow, Welcome, WishNow
from signaling.session import Session, SessionSettings
from signaling.switchboard import Line, Switchboard
from signaling.tickets import Tickets

log = structlog.get_logger()

FEATURES = ("resume", "restart", "hints", "text")


class Greeted(msgspec.Struct, frozen=True):
    """What a hello led to."""

    session: Session
    person: Person
    words: Words
    first: tuple[bytes, ...]
    """`welcome` and the events that were missed."""


class Greeter:
    """Answers hellos. `clock` is monotonic."""

    def __init__(
        self,
        accounts: AccountService,
        help_service: HelpService,
        board: Board,
        bus: Bus,
        switchboard: Switchboard,
        carrier: Carrier,
        tickets: Tickets,
        commands: Commands,
        settings: SessionSettings,
        matching: MatchingSettings,
        clock: Callable[[], float],
    ) -> None:
        self._accounts = accounts
        self._help = help_service
        self._board = board
        self._bus = bus
        self._switchboard = switchboard
        self._carrier = carrier
        self._tickets = tickets
        self._commands = commands
        self._settings = settings
        self._matching = matching
        self._clock = clock

    async def greet(self, hello: Hello, line: Line) -> Greeted:
        """Let a socket in. Raises `TicketInvalid`, `TokenInvalid`, `Barred`, `TooManySockets`, `Unavailable`."""
        person_id, family = await self._tickets.redeem(hello.ticket)
        person = await self._accounts.still_here(person_id, family)
        language = words(person.locale)
        session, seen = await self._session(hello, person, language)
        self._switchboard.add(session)
        self._switchboard.connect(session, line)
        try:
            session.attach(self._clock(), random.random())  # noqa: S311 (jitter, not a secret)
            was_away = await self._board.attach(person.id, session.id)
            present = await self._help.present(person.id)
            if seen is None:
                await self._keep_shift(hello, session, person)
        except VisavisError:
            self._switchboard.remove(session.id)
            raise
        RESUMED.labels("fresh" if hello.resume is None else "no" if seen is None else "yes").inc()
        begin = present.begin
        if present.call is not None and (live := live_call(present.call, person.id)) is not None:
            if session.begin_call(live) or session.call is not None:
                await self._bus.moved(person.id, live.partner)
                if was_away:
                    await self._help.partner_away(person.id, False)
            else:
                begin = None  # it ended while we looked, and the session has heard so
        for ringing in present.ringing:
            session.shown(ringing.offer.id)
        welcome = Welcome(
            PersonNow(person.id, person.role, person.languages, person.standing),
            session.id,
            seen is not None,
            seen or 0,
            self._settings.heartbeat,
            self._matching.resume_window,
            FEATURES,
            self._state(session, present, begin),
        )
        # From `add` on, events were counted and kept: all of them follow, in one breath with the welcome.
        return Greeted(session, person, language, (encode(welcome), *(session.missed(seen or 0) or ())))

    async def _session(self, hello: Hello, person: Person, language: Words) -> tuple[Session, int | None]:
        """The session to go on with and the last event that was seen of it; a new one and None if there is none."""
        if hello.resume is not None:
            session = self._switchboard.find(hello.resume.session, person.id)
            if session is None:
                snapshot = await self._bus.fetch(hello.resume.session, person.id)
                if snapshot is not None:
                    session = Session.restored(snapshot, self._settings, translate=language)
            if session is not None:
                if session.missed(hello.resume.seq) is not None:
                    return session, hello.resume.seq
                self._switchboard.remove(session.id)
        sockets = await self._board.sockets_of(person.id)
        if len(sockets) >= self._settings.sockets_a_person:
            raise TooManySockets()
        return Session(new_id(), person.id, self._settings, language), None

    async def _keep_shift(self, hello: Hello, session: Session, person: Person) -> None:
        """A volunteer whose node died is still on shift."""
        if hello.resume is None or person.role is not Role.VOLUNTEER:
            return
        if await self._board.was_on_shift(hello.resume.session, person.id):
            await self._board.off_shift(hello.resume.session)
            try:
                await self._commands.start_shift(session, person)
            except Unavailable:
                raise
            except VisavisError:
                log.info("greeting.shift_ended")  # held or restricted meanwhile

    def _state(self, session: Session, present: Present, begin: CallBegin | None) -> StateNow:
        request, wish = present.request, present.wish
        now = WishNow(wish.request_id, wish.languages) if wish else None
        return StateNow(
            RequestNow(
                request.id,
                looking(request),
                round(request.waited, 1),
                request.told is not None,
            )
            if request
            else None,
            self._carrier.with_servers(begin) if begin else None,
            session.shift,
            tuple(
                OfferRing(
                    ringing.offer.id,
                    ringing.offer.request_id,
                    ringing.languages,
                    round(ringing.waited, 1),
                    round(max(0.0, self._matching.ring_time - ringing.offer.age), 1),
                    ringing.topic,
                    ringing.offer.request_id in present.called_back,
                )
                for ringing in present.ringing
            ),
            CallBackNow(back.call_id, round(back.expires_in, 1)) if (back := present.call_back) else None,
            now if wish and not wish.told else None,
            now if wish and wish.told else None,
        )
