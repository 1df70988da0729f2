"""From node to node: events for people whose sockets are elsewhere, and sessions that move. Over the cache's pub/sub,
which may lose things; what must not be lost is a parcel in the outbox as well."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from uuid import UUID

import msgspec
import structlog

from accounts.errors import Unavailable
from accounts.model import new_id
from matching.board import Board, Redis, answering
from matching.events import CallBegin, CallEnded, Event, OfferGone, OfferRing
from signaling.codec import encode
from signaling.protocol import Close
from signaling.session import LiveCall, Snapshot
from signaling.switchboard import Letter, Switchboard

log = structlog.get_logger()

ROUTE_LIFE = 5.0
ROUTES_KEPT = 20_000
HANDOVER_PATIENCE = 1.0


class Deliver(msgspec.Struct, frozen=True, tag="deliver"):
    """Put this letter into the sessions you have of its person."""

    letter: Letter


class ShutAll(msgspec.Struct, frozen=True, tag="shut"):
    """Close every socket of a person."""

    person: UUID
    code: int
    reason: str


class Moved(msgspec.Struct, frozen=True, tag="moved"):
    """A person's sockets are on other nodes than before."""

    person: UUID


class Wanted(msgspec.Struct, frozen=True, tag="wanted"):
    """Give me that session of this person."""

    session: UUID
    person: UUID
    by: str
    question: UUID


class Handed(msgspec.Struct, frozen=True, tag="handed"):
    """Here it is; None: I do not have it."""

    question: UUID
    snapshot: Snapshot | None


Message = Deliver | ShutAll | Moved | Wanted | Handed
_DECODER: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)


class Bus:
    """The bus as one node sees it."""

    def __init__(self, client: Redis, board: Board, switchboard: Switchboard, prefix: str = "visavis:") -> None:
        self._redis = client
        self._board = board
        self._switchboard = switchboard
        self._prefix = prefix
        self._routes: dict[UUID, tuple[float, frozenset[str]]] = {}
        self._questions: dict[UUID, asyncio.Future[Snapshot | None]] = {}
        self.listening = asyncio.Event()

    def _channel(self, node: str) -> str:
        return f"{self._prefix}node:{node}"

    # --- to people

    async def tell(self, person: UUID, event: Event) -> None:
        """Put an event into every open session of a person. Best effort, and never raises."""
        await self.send(letter_of(person, event))

    async def send(self, letter: Letter, *, nodes: Iterable[str] | None = None) -> bool:
        """Put a letter into every session of its person, here and elsewhere. False if a node where the person has a
        socket did not get it, or if the cache could not say where they are."""
        self._switchboard.deliver(letter)
        try:
            elsewhere = set(await self._board.nodes_of(letter.person) if nodes is None else nodes) - {self._board.node}
            reached = True
            for node in elsewhere:
                reached = await self._publish(node, Deliver(letter)) and reached
            return reached
        except Unavailable:
            log.warning("bus.away", type=letter.type)
            return False

    async def relay(self, letter: Letter) -> None:
        """Like `send`, for the stream of signals within a call: where the person is, is remembered for a moment."""
        now = time.monotonic()
        known = self._routes.get(letter.person)
        if known is None or known[0] < now:
            try:
                nodes = frozenset(await self._board.nodes_of(letter.person))
            except Unavailable:
                nodes = frozenset()
            if len(self._routes) > ROUTES_KEPT:
                self._routes.clear()
            known = self._routes[letter.person] = (now + ROUTE_LIFE, nodes)
        await self.send(letter, nodes=known[1])

    async def moved(self, person: UUID, partner: UUID) -> None:
        """The person has come to this node in the middle of a call: the partner's node must not look elsewhere."""
        try:
            for node in await self._board.nodes_of(partner):
                if node == self._board.node:
                    self._routes.pop(person, None)
                else:
                    await self._publish(node, Moved(person))
        except Unavailable:
            log.warning("bus.away", type="moved")

    async def shut_all(self, person: UUID, code: Close, reason: str) -> bool:
        """Close every socket of a person, on every node; false if a node could not be told."""
        self._switchboard.shut_all(person, code, reason)
        try:
            reached = True
            for node in await self._board.nodes_of(person) - {self._board.node}:
                reached = await self._publish(node, ShutAll(person, code, reason)) and reached
            return reached
        except Unavailable:
            return False

    # --- sessions that move

    async def fetch(self, session: UUID, person: UUID) -> Snapshot | None:
        """Take over a session of this person from the node that has it. None if no node answers in time."""
        try:
            sockets = await self._board.sockets_of(person)
            node = sockets.get(session) or await self._board.keeper_of(session)
            if node is None or node == self._board.node:
                return None
            question = Wanted(session, person, self._board.node, new_id())
            answer: asyncio.Future[Snapshot | None] = asyncio.get_running_loop().create_future()
            self._questions[question.question] = answer
            try:
                if not await self._publish(node, question):
                    return None
                async with asyncio.timeout(HANDOVER_PATIENCE):
                    return await answer
            finally:
                del self._questions[question.question]
        except (Unavailable, TimeoutError):
            return None

    # --- the wire

    async def _publish(self, node: str, message: Message) -> bool:
        async with answering():
            return int(await self._redis.publish(self._channel(node), encode(message))) > 0

    async def run(self) -> None:
        """Listen until cancelled; after a failure, again."""
        while True:
            try:
                await self._listen()
            except Unavailable:
                pass
            except Exception:
                log.exception("bus.failed")
            self.listening.clear()
            await asyncio.sleep(0.5)

    async def _listen(self) -> None:
        async with self._redis.pubsub(ignore_subscribe_messages=False) as pubsub:
            async with answering():
                await pubsub.subscribe(self._channel(self._board.node))
            while True:
                async with answering():
                    message = await pubsub.get_message(timeout=30)
                    if message is None:
                        await pubsub.ping()
                        continue
                if message["type"] == "subscribe":
                    self.listening.set()
                elif message["type"] == "message":
                    await self._handle(message["data"])

    async def _handle(self, data: str) -> None:
        try:
            message = _DECODER.decode(data)
        except msgspec.MsgspecError:
            log.warning("bus.malformed")  # a node of another version, during an upgrade
            return
        match message:
            case Deliver(letter):
                self._switchboard.deliver(letter)
            case ShutAll(person, code, reason):
                self._switchboard.shut_all(person, Close(code), reason)
            case Moved(person):
                self._routes.pop(person, None)
            case Wanted():
                await self._hand_over(message)
            case Handed(question, snapshot):
                answer = self._questions.get(question)
                if answer is not None and not answer.done():
                    answer.set_result(snapshot)

    async def _hand_over(self, wanted: Wanted) -> None:
        session = self._switchboard.find(wanted.session, wanted.person)
        snapshot = session.snapshot() if session else None
        if session is not None:
            line = self._switchboard.line_of(session)
            self._switchboard.remove(session.id)
            if line is not None:
                line.shut(Close.REPLACED, "resumed on another node")
        await self._publish(wanted.by, Handed(wanted.question, snapshot))


def letter_of(person: UUID, event: Event, key: UUID | None = None, call: LiveCall | None = None) -> Letter:
    """The letter for an event that is a struct."""
    return Letter(
        person,
        str(event.__struct_config__.tag),
        msgspec.Raw(encode(event)),
        key,
        call if isinstance(event, CallBegin) else None,
        event.call_id if isinstance(event, CallEnded) else None,
        event.offer_id if isinstance(event, OfferRing | OfferGone) else None,
        isinstance(event, OfferRing) and event.callback,
    )
