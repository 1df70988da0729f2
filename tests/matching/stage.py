"""The dispatcher and what it stands on, without people: real Postgres and Valkey, and a doorbell that only notes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Any
from uuid import UUID, uuid4

from accounts.outbox import Parcel
from accounts.postgres import Connection, Pool
from matching import board as boards
from matching.board import Board
from matching.calling_back import CallBacks
from matching.candidates import CandidateIndex, connect_index
from matching.choosing import Chooser
from matching.dispatch import Dispatcher
from matching.ending import Endings
from matching.events import Event, HelpFree, OfferGone, OfferRing
from matching.keeper import Keeper
from matching.learning import Learner
from matching.model import Call, Channel
from matching.reserving import Reservations
from matching.settings import MatchingSettings
from matching.wishes import Wishes
from tests.matching import volunteers


class Edge:
    """Everything beyond this floor: hears what rang, what fell silent, what was told."""

    def __init__(self) -> None:
        self.rang: list[tuple[UUID, OfferRing, Channel]] = []
        self.gone: list[tuple[UUID, OfferGone, Channel]] = []
        self.told: list[tuple[UUID, Event]] = []
        self.freed: list[UUID] = []
        self.changed: set[UUID] = set()

    async def ring(self, volunteer: UUID, event: OfferRing, channel: Channel = Channel.SOCKET) -> None:
        self.rang.append((volunteer, event, channel))

    async def withdraw(self, volunteer: UUID, event: OfferGone, channel: Channel = Channel.SOCKET) -> None:
        self.gone.append((volunteer, event, channel))

    async def tell(self, person: UUID, event: Event) -> None:
        self.told.append((person, event))

    async def free(self, caller: UUID, event: HelpFree) -> None:
        self.freed.append(caller)

    async def carry(self, parcels: Sequence[Parcel]) -> None: ...

    async def call_ended(self, connection: Connection, call: Call) -> None: ...

    async def late_tap(self, connection: Connection, volunteer_id: UUID, offer_id: UUID) -> int:
        return 0

    def touched(self, people: Iterable[UUID], languages: Iterable[str] = ()) -> None:
        self.changed |= set(people)


class Stage:
    """One node. Nothing runs by itself: a test says `look`."""

    def __init__(self, pool: Pool, redis: boards.Redis, index: CandidateIndex, prefix: str, **settings: Any) -> None:
        self.pool = pool
        self.settings = MatchingSettings(**settings)
        self.edge = edge = Edge()
        self.board = Board(redis, uuid4().hex[:12], prefix)
        self.index = index
        self.keeper = Keeper(pool, index, self.settings)
        self.learner = Learner(pool, edge, self.settings)
        self.chooser = Chooser(pool, self.board, index, self.learner, self.settings, random=Random(1))
        endings = Endings(edge, self.settings)
        reservations = Reservations(pool, self.board, edge, edge, self.settings)
        call_backs = CallBacks(pool, self.board, edge, self.settings)
        self.dispatcher = Dispatcher(
            pool,
            self.board,
            self.learner,
            self.chooser,
            endings,
            edge,
            edge,
            edge,
            reservations,
            call_backs,
            edge,
            self.settings,
        )

    async def sleeping(self, *languages: str, **columns: Any) -> UUID:
        """A volunteer with a device and no page, in the index."""
        made = await volunteers.volunteer(self.pool, *languages)
        await self.keeper.refresh([made])
        await self.alter(made, **columns)
        return made

    async def page(self, *languages: str, **columns: Any) -> UUID:
        """A volunteer on shift with an open page, and no device."""
        made = await volunteers.person(self.pool, "volunteer", *languages)
        await self.open_page(made, *languages)
        await self.alter(made, **columns)
        return made

    async def open_page(self, volunteer: UUID, *languages: str) -> None:
        await self.board.attach(volunteer, uuid4())
        await self.board.willing(volunteer, languages or ("en",), 0)

    async def alter(self, person: UUID, **columns: Any) -> None:
        """Change their row; the index does not hear of it."""
        for name, value in columns.items():
            await self.pool.execute(f"UPDATE accounts.person SET {name} = $2 WHERE id = $1", person, value)

    async def asks(self, *languages: str, **columns: Any) -> UUID:
        """A caller asks; nobody has looked at the request yet."""
        caller = await volunteers.person(self.pool, "caller", *languages)
        request = uuid4()
        await self.pool.execute(
            "INSERT INTO matching.request (id, caller_id, languages) VALUES ($1, $2, $3)",
            request,
            caller,
            list(languages or ("en",)),
        )
        for name, value in columns.items():
            await self.pool.execute(f"UPDATE matching.request SET {name} = $2 WHERE id = $1", request, value)
        await self.board.look_at([request])
        return request

    async def look(self, request: UUID) -> list[UUID]:
        """Have the dispatcher look at it now; who was rung by that."""
        before = len(self.edge.rang)
        await self.board.look_at([request])
        while await self.dispatcher.work_once():
            pass
        return [volunteer for volunteer, event, _ in self.edge.rang[before:] if event.request_id == request]

    def wishes(self) -> Wishes:
        return Wishes(self.pool, self.board, self.index, self.learner, self.edge, self.edge, self.settings)

    async def outcome(self, request: UUID, volunteer: UUID) -> str | None:
        found: str | None = await self.pool.fetchval(
            "SELECT outcome FROM matching.offer WHERE request_id = $1 AND volunteer_id = $2", request, volunteer
        )
        return found


@asynccontextmanager
async def stage(pool: Pool, redis_url: str, prefix: str, **settings: Any) -> AsyncIterator[Stage]:
    """A stage over a cache that answers."""
    redis, index = await asyncio.gather(boards.connect(redis_url), connect_index(redis_url))
    try:
        yield Stage(pool, redis, CandidateIndex(index, prefix), prefix, **settings)
    finally:
        await redis.aclose()
        await index.aclose()
