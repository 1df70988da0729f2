"""Looks at the truth in Postgres once a second, so that nothing waits for a hint that was lost: requests that are not
on the board, calls past their grace, people who are gone, nodes that died, parcels left behind.

Every node has one; an advisory lock lets one work at a time, and two at once would do no harm.

Nobody is declared gone until the resume window has passed since this sweeper began, since the cache lost its memory,
and since the clock last stepped: until then, silence says nothing about people."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import structlog

from accounts import outbox
from accounts.errors import Unavailable
from accounts.postgres import Pool, borrowed, transaction
from matching import figures
from matching.board import Board
from matching.dispatch import Dispatcher
from matching.ending import Endings
from matching.errors import MatchingError
from matching.ledger import calls, requests
from matching.lifecycle import GraceOver
from matching.ports import Carrier
from matching.settings import MatchingSettings
from matching.wishes import Wishes

log = structlog.get_logger()

TRY_LOCK = "SELECT pg_try_advisory_xact_lock(hashtext('visavis.sweeper'))"
LEASE = 5.0
PARCEL_AGE = 0.5
STEP = 1.0
"""A wall clock that moves this much more or less than the monotonic one was set."""


class Sweeper:
    """The sweeper of one node."""

    def __init__(
        self,
        pool: Pool,
        board: Board,
        dispatcher: Dispatcher,
        endings: Endings,
        wishes: Wishes,
        carrier: Carrier,
        settings: MatchingSettings,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._pool = pool
        self._board = board
        self._dispatcher = dispatcher
        self._endings = endings
        self._wishes = wishes
        self._carrier = carrier
        self._settings = settings
        self._monotonic = monotonic
        self._wall = wall
        self._trusted_from = monotonic() + settings.resume_window
        self._offset = wall() - monotonic()
        self._board_was_away = False

    def distrust(self, why: str) -> None:
        """Silence says nothing about people for one resume window."""
        log.info("sweeper.distrust", why=why)
        self._trusted_from = self._monotonic() + self._settings.resume_window

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            began = self._monotonic()
            try:
                with figures.SWEEP_SECONDS.time():
                    await self.sweep()
            except Unavailable:
                log.warning("sweeper.unavailable")
            except Exception:
                log.exception("sweeper.failed")
            await asyncio.sleep(max(0.1, self._settings.tick - (self._monotonic() - began)))

    async def sweep(self) -> bool:
        """Look at everything once; false if another sweeper is at it."""
        offset = self._wall() - self._monotonic()
        if abs(offset - self._offset) > STEP:
            self.distrust("clock_step")
        self._offset = offset
        async with transaction(self._pool) as connection:
            # Held to the end of the sweep; a node that freezes here loses its connection, and with it the lock.
            if not await connection.fetchval(TRY_LOCK):
                return False
            await self._carry_what_was_left()
            await self._end_past_grace()
            try:
                await self._bury_dead_nodes()
                await self._replan()
                await self._wishes.tell()
                if self._monotonic() >= self._trusted_from:
                    await self._declare_gone()
            except Unavailable:
                if not self._board_was_away:
                    log.warning("board.away", at="sweep")
                self._board_was_away = True
            else:
                if self._board_was_away:
                    self._board_was_away = False
                    self.distrust("board_was_away")
        return True

    async def _carry_what_was_left(self) -> None:
        parcels = await outbox.left_behind(self._pool, PARCEL_AGE)
        if parcels:
            figures.PARCELS_LEFT.inc(len(parcels))
            await self._carrier.carry(parcels)

    async def _end_past_grace(self) -> None:
        async with borrowed(self._pool) as connection:
            stale = await calls.past_grace(connection, self._settings.grace)
        for call_id in stale:
            try:
                async with transaction(self._pool) as connection:
                    call, parcels = await self._endings.move_call(connection, call_id, GraceOver())
            except MatchingError:
                continue  # connected or ended in the same moment
            await self._carrier.carry(parcels)
            await self._dispatcher.moved(call.request_id)

    async def _bury_dead_nodes(self) -> None:
        for node in await self._board.silent_nodes(self._settings.node_silence):
            log.warning("node.silent", node=node)
            for session, person in await self._board.sessions_on(node):
                await self._board.detach(person, session, self._settings.resume_window, node)
            await self._board.bury(node)

    async def _replan(self) -> None:
        """Put on the board what Postgres knows and the board does not."""
        async with borrowed(self._pool) as connection:
            waiting = await requests.all_open(connection)
            live = await calls.all_live(connection)
        await self._board.look_at([request for request, _ in waiting], unless_planned=True)
        people = [caller for _, caller in waiting] + [p for call in live for p in (call.caller_id, call.volunteer_id)]
        here = await self._board.present(people)
        missing = [person for person, is_here in zip(people, here, strict=True) if not is_here]
        await self._board.await_return(missing, self._settings.resume_window)

    async def _declare_gone(self) -> None:
        due = await self._board.take_gone(1000, LEASE)
        gone = [person for person, here in zip(due, await self._board.present(due), strict=True) if not here]
        if gone:
            async with borrowed(self._pool) as connection:
                involved = await requests.involved(connection, gone)
            figures.GONE.inc(len(gone))
            for person in involved:
                async with transaction(self._pool) as connection:
                    parcels, touched = await self._endings.gone(connection, person)
                await self._carrier.carry(parcels)
                for request_id in touched:
                    await self._dispatcher.moved(request_id)
        await self._board.settled(due)
