"""This node's own heartbeat on the board, and what to do when the board has forgotten it."""

from __future__ import annotations

import asyncio
import secrets

import structlog

from accounts.errors import Unavailable
from matching.board import Board
from matching.service import HelpService
from matching.sweeper import Sweeper
from signaling.switchboard import Switchboard

log = structlog.get_logger()

BEAT = 1.0
AT_ONCE = 50


class Node:
    """Beats once a second. If the cache lost its memory, or took this node for dead, it tells the board again which
    sockets are here and who is on shift."""

    def __init__(self, board: Board, switchboard: Switchboard, help_service: HelpService, sweeper: Sweeper) -> None:
        self._board = board
        self._switchboard = switchboard
        self._help = help_service
        self._sweeper = sweeper
        self._life: str | None = None

    async def run(self) -> None:
        """Beat until cancelled."""
        while True:
            try:
                await self.beat()
            except Unavailable:
                log.warning("node.unavailable")
            except Exception:
                log.exception("node.failed")
            await asyncio.sleep(BEAT)

    async def beat(self) -> None:
        """One beat."""
        life, unknown = await self._board.beat(secrets.token_hex(8))
        first = self._life is None
        if not first and life != self._life:
            self._sweeper.distrust("cache_lost_memory")
        if not first and (life != self._life or unknown):
            await self._announce()
        # Only now: had the announcement failed, it would be made again.
        self._life = life

    async def _announce(self) -> None:
        sessions = self._switchboard.attached()
        log.info("node.announce", sessions=len(sessions))
        for start in range(0, len(sessions), AT_ONCE):
            some = sessions[start : start + AT_ONCE]
            await asyncio.gather(*(self._board.attach(session.person, session.id) for session in some))
        on_shift = [session for session in sessions if session.shift]
        await self._help.restore_shifts([session.person for session in on_shift])
        for session in on_shift:
            await self._board.on_shift(session.id, session.person)

    async def leave(self) -> None:
        """This node stops, and needs no burial."""
        try:
            await self._board.bury(self._board.node)
        except Unavailable:
            log.warning("node.unavailable")
