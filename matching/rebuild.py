"""Rebuilding the candidate index from Postgres, while volunteers change and are rung.

It looks at every volunteer as a change of theirs would, page by page, so a change in the meantime is never undone:
what Postgres knew later stays. Then it looks at whomever the index still knows from before."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec
import structlog

from accounts.errors import Unavailable
from accounts.languages import spoken
from accounts.postgres import Connection, Pool, borrowed
from matching.ledger import candidates
from matching.placement import Facts

if TYPE_CHECKING:
    from matching.keeper import Keeper

log = structlog.get_logger()

PAGE = 200
NOBODY = UUID(int=0)


class Rebuilt(msgspec.Struct, frozen=True):
    """What a rebuild did."""

    volunteers: int
    """Those looked at who can be reached on a device."""
    seconds: float
    missed: frozenset[str]
    """Languages whose part of the cluster was away, or forgot everything again meanwhile."""


class Rebuild:
    """One rebuild, of all languages or of some."""

    def __init__(
        self,
        pool: Pool,
        keeper: Keeper,
        languages: Collection[str] | None,
        progress: Callable[[int], None] | None,
    ) -> None:
        self._pool = pool
        self._keeper = keeper
        self._index = keeper.index
        self._only = None if languages is None else frozenset(languages)
        self._progress = progress
        self._name = secrets.token_hex(8)
        self._begun: set[str] = set()
        self._missed: set[str] = set()

    async def run(self) -> Rebuilt | None:
        """Do it; None if another one is going on. Raises `Unavailable` if Postgres is away, or the cache altogether."""
        async with borrowed(self._pool) as connection:
            # Of the session: a node that freezes or dies loses its connection, and with it the lock.
            if not await connection.fetchval(candidates.TRY_LOCK):
                return None
            try:
                return await self._rebuild(connection)
            finally:
                await _unlock(connection)

    async def _rebuild(self, connection: Connection) -> Rebuilt:
        began = time.monotonic()
        since = (await connection.fetchval("SELECT statement_timestamp()")).timestamp()
        log.info("index.rebuild", what=" ".join(sorted(self._only)) if self._only is not None else "all")
        if self._only is None:
            await self._index.begin(None, self._name)
            known = await self._index.languages()
        else:
            known = self._only
        for language in known:
            await self._begin(language)
        only = None if self._only is None else sorted(self._only)
        seen, last = 0, NOBODY
        while page := await candidates.facts_after(connection, last, only, PAGE):
            last = page[-1].id
            await self._put(page)
            seen += len(page)
            if self._progress:
                self._progress(seen)
        for language in sorted(self._begun - self._missed):
            await self._look_at_the_rest(language, since)
        for language in sorted(self._begun - self._missed):
            if not await self._index.finish(language, self._name):
                self._missed.add(language)
        if self._only is None:
            # What was missed is known by its own mark: that part alone is rebuilt.
            await self._index.finish(None, self._name)
        done = Rebuilt(seen, time.monotonic() - began, frozenset(self._missed))
        log.info("index.rebuilt", count=seen, seconds=round(done.seconds, 1), what=" ".join(sorted(done.missed)))
        return done

    async def _begin(self, language: str) -> None:
        if language in self._begun:
            return
        self._begun.add(language)
        try:
            await self._index.begin(language, self._name)
        except Unavailable:
            self._missed.add(language)

    async def _put(self, page: list[Facts]) -> None:
        for language in sorted({spoken(tag) for facts in page for tag in facts.languages} - self._begun):
            if self._only is None or language in self._only:
                await self._begin(language)
        # Who is gone and not known needs no record: whatever brings them back will be newer than this page.
        self._missed |= await self._keeper.put(page, {}, absent=False)

    async def _look_at_the_rest(self, language: str, since: float) -> None:
        try:
            async for rest in self._index.older(language, since):
                if rest:
                    await self._keeper.refresh(rest, dict.fromkeys(rest, (language,)))
        except Unavailable:
            self._missed.add(language)


async def _unlock(connection: Connection) -> None:
    unlocking = asyncio.ensure_future(connection.fetchval(candidates.UNLOCK))
    try:
        # Even if this task is cancelled: a connection that keeps the lock must not go back to the pool.
        await asyncio.shield(unlocking)
    except BaseException:
        connection.terminate()
        raise
