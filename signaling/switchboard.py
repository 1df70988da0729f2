"""The sessions of this node, and the sockets under them. In memory only: what is lost with the node, clients and
Postgres rebuild."""

from __future__ import annotations

import asyncio
from typing import Protocol
from uuid import UUID

import msgspec

from signaling.protocol import Close
from signaling.session import LiveCall, Phase, Session


class Letter(msgspec.Struct, frozen=True, omit_defaults=True):
    """An event on its way to a person's sessions, on this node or another."""

    person: UUID
    type: str
    payload: msgspec.Raw
    """The event as JSON, without `seq`."""
    key: UUID | None = None
    """Its parcel, if it has one: a letter that comes twice is delivered once."""
    call: LiveCall | None = None
    """With `call.begin`: what the session may speak in from now on."""
    call_id: UUID | None = None
    """With `call.ended`: which call."""
    offer_id: UUID | None = None
    """With `offer.ring` and `offer.gone`: which offer."""
    off_shift: bool = False
    """With `offer.ring`: it rings on pages that are not on shift, too."""
    generation: int | None = None
    """With `call.signal`: the offer it belongs to."""


class Line(Protocol):
    """A socket, as the switchboard uses it. No method waits. Until the welcome is written it sends nothing: what the
    session is told meanwhile goes out with the welcome."""

    def send(self, frame: bytes) -> None: ...

    def shut(self, code: Close, reason: str) -> None: ...


class Switchboard:
    """Sessions by id and by person."""

    def __init__(self, resume_window: float) -> None:
        self._resume_window = resume_window
        self._sessions: dict[UUID, Session] = {}
        self._by_person: dict[UUID, set[UUID]] = {}
        self._lines: dict[UUID, Line] = {}
        self._timers: dict[UUID, asyncio.TimerHandle] = {}

    def sessions(self) -> int:
        """How many sessions live here, with a socket or without."""
        return len(self._sessions)

    def add(self, session: Session) -> None:
        """A session lives here from now on. Until it has a line, its events wait."""
        self._sessions[session.id] = session
        self._by_person.setdefault(session.person, set()).add(session.id)

    def connect(self, session: Session, line: Line) -> None:
        """A socket carries the session; one that did before is told that it was replaced."""
        self._cancel_timer(session.id)
        older = self._lines.get(session.id)
        self._lines[session.id] = line
        if older is not None and older is not line:
            older.shut(Close.REPLACED, "replaced by a newer socket")

    def line_of(self, session: Session) -> Line | None:
        return self._lines.get(session.id)

    def disconnect(self, session: Session, line: Line) -> bool:
        """The socket is gone; false if another one carries the session already."""
        if self._lines.get(session.id) is not line:
            return False
        del self._lines[session.id]
        session.detach()
        loop = asyncio.get_running_loop()
        self._timers[session.id] = loop.call_later(self._resume_window, self.remove, session.id)
        return True

    def find(self, session_id: UUID, person: UUID) -> Session | None:
        """A session of that person on this node."""
        session = self._sessions.get(session_id)
        return session if session is not None and session.person == person else None

    def remove(self, session_id: UUID) -> Session | None:
        """Forget a session: it is closed, has gone to another node, or nobody came back for it."""
        self._cancel_timer(session_id)
        self._lines.pop(session_id, None)
        session = self._sessions.pop(session_id, None)
        if session is not None:
            session.close()
            theirs = self._by_person[session.person]
            theirs.discard(session_id)
            if not theirs:
                del self._by_person[session.person]
        return session

    def _cancel_timer(self, session_id: UUID) -> None:
        timer = self._timers.pop(session_id, None)
        if timer is not None:
            timer.cancel()

    def sessions_of(self, person: UUID) -> list[Session]:
        return [self._sessions[session] for session in self._by_person.get(person, ())]

    def attached(self) -> list[Session]:
        """Sessions that have a socket here."""
        return [session for session in self._sessions.values() if session.phase is Phase.ATTACHED]

    def shut_all(self, person: UUID, code: Close, reason: str) -> None:
        """Close every socket of a person, and every session: nothing can be resumed."""
        for session in self.sessions_of(person):
            line = self._lines.get(session.id)
            if line is not None:
                line.shut(code, reason)
            self.remove(session.id)

    def deliver(self, letter: Letter) -> int:
        """Put a letter into this node's sessions of that person; how many have it now."""
        reached = 0
        for session in self.sessions_of(letter.person):
            frame = _emit(session, letter)
            if frame is not None:
                line = self._lines.get(session.id)
                if line is not None:
                    line.send(frame)
            reached += 1
        return reached


def _emit(session: Session, letter: Letter) -> bytes | None:
    """What the letter means to one session."""
    if letter.offer_id is not None:
        if letter.type == "offer.ring":
            known = session.rings(letter.offer_id, off_shift=letter.off_shift)
        else:
            known = session.withdrawn(letter.offer_id)
        if not known:
            return None
    if letter.call is not None and not session.begin_call(msgspec.structs.replace(letter.call)):
        return None
    if letter.call_id is not None:
        session.end_call(letter.call_id)
    if letter.generation is not None and session.call is not None:
        session.call.generation = max(session.call.generation, letter.generation)
    return session.emit(bytes(letter.payload), letter.key)
