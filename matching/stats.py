"""The public figures: how fast help comes, at what price for volunteers, and whether those who want to help may.

They are read at most once at a time and kept for a minute, however many ask; on a large database for longer, so that
they never take more than a twentieth of one connection's time. What is about fewer than five people or calls is None.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from datetime import UTC, date, datetime

import msgspec
import structlog

from accounts.errors import Unavailable
from accounts.postgres import Connection, Pool, borrowed
from matching import figures
from matching.ledger import people, stats
from matching.ledger.stats import Rings, Waits
from matching.responses import Population
from matching.suppression import LEAST, OTHER, enough, shown

log = structlog.get_logger()

FRESH = 60.0
"""Seconds for which an answer is given again."""
SHARE = 20
"""So many times as long as it took to read, figures are kept at the least."""
WINDOWS = {"24h": 86_400.0, "7d": 7 * 86_400.0, "30d": 30 * 86_400.0}
DAYS = 30


class ChannelFigures(msgspec.Struct, frozen=True):
    """Rings in open pages (`socket`) or by notifications (`push`)."""

    channel: str
    alerts_per_call: float
    late_taps_per_call: float


class Waiting(msgspec.Struct, frozen=True):
    """The requests of a time that are over or answered. An unanswered one waited until it was closed; all alerts and
    late taps are divided by the answered requests."""

    requests: int
    answered_share: float
    p50_wait: int
    """Seconds."""
    p95_wait: int
    alerts_per_call: float
    late_taps_per_call: float


class LanguageWaiting(msgspec.Struct, frozen=True):
    """The same for requests whose first language this is; `other` is all that are too few to be named."""

    language: str
    waiting: Waiting


class Window(msgspec.Struct, frozen=True):
    """The last `24h`, `7d` or `30d`. `all` is null, and the others empty, while they would be about too few."""

    window: str
    all: Waiting | None = None
    languages: tuple[LanguageWaiting, ...] = ()
    channels: tuple[ChannelFigures, ...] = ()


class Day(msgspec.Struct, frozen=True):
    """A whole day, UTC; nulls for one that would be about too few. It has no counts: those of a hidden day would be the
    month's less the others'."""

    day: date
    p50_wait: int | None
    p95_wait: int | None
    answered_share: float | None


class LanguageWilling(msgspec.Struct, frozen=True):
    """Willing volunteers whose first language this is."""

    language: str
    willing: int
    had_call_share: float


class FirstCalls(msgspec.Struct, frozen=True):
    """Whether those who want to help may. Willing is who has answered a ring, or answers one in ten or more as far as
    their rings can tell, of which there was at least one."""

    willing: int | None
    had_call_share: float | None
    """Of the willing."""
    within_30_days_share: float | None
    """Of all volunteers who came 30 days ago or earlier: those whose first call came in their first 30 days."""
    languages: tuple[LanguageWilling, ...]


class PeopleFigures(msgspec.Struct, frozen=True):
    """Everybody with a complete profile."""

    callers: int | None
    volunteers: int | None
    languages: tuple[str, ...]
    """Those that five volunteers or more speak, most spoken first."""


class CallFigures(msgspec.Struct, frozen=True):
    """Calls that were connected."""

    total: int | None
    last_30_days: int | None


class Stats(msgspec.Struct, frozen=True):
    """The public figures. Null is what would be about fewer than five people or calls."""

    at: datetime
    people: PeopleFigures
    calls: CallFigures
    windows: tuple[Window, ...]
    days: tuple[Day, ...]
    first_calls: FirstCalls


class Statistics:
    """The figures as one node knows them."""

    def __init__(
        self, pool: Pool, population: Callable[[], Population], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._pool = pool
        self._population = population
        self._clock = clock
        self._known: Stats | None = None
        self._until = 0.0
        self._reading: asyncio.Task[Stats] | None = None

    async def get(self) -> Stats:
        """The figures, a minute old as a rule; older ones while the database is away. Raises `Unavailable` if there are
        none yet."""
        if self._known is not None and self._clock() < self._until:
            return self._known
        if self._reading is None:
            self._reading = asyncio.create_task(self._read())
            self._reading.add_done_callback(self._done)
        # Whoever has no more patience goes, and the reading goes on for the others.
        return await asyncio.shield(self._reading)

    async def close(self) -> None:
        """Stop reading."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])

    def _done(self, reading: asyncio.Task[Stats]) -> None:
        self._reading = None
        if not reading.cancelled():
            reading.exception()  # told to those who waited, if anybody still did

    async def _read(self) -> Stats:
        began = self._clock()
        try:
            # One picture of the database: a request that is closed meanwhile must not be in one sum and not in another.
            async with (
                borrowed(self._pool) as connection,
                connection.transaction(isolation="repeatable_read", readonly=True),
            ):
                found = await read(connection, self._population())
        except Unavailable:
            if self._known is None:
                raise
            log.warning("stats.unavailable")
            found = self._known
        publish(found)
        self._known = found
        now = self._clock()
        self._until = now + max(FRESH, SHARE * (now - began))
        return found


async def read(connection: Connection, population: Population) -> Stats:
    """The figures as the database has them now."""
    everybody = await people.people(connection)
    month = await people.calls_since(connection, WINDOWS["30d"])
    return Stats(
        at=datetime.now(UTC),
        people=PeopleFigures(
            _count(everybody.callers),
            _count(everybody.volunteers),
            tuple(await people.spoken_by(connection, LEAST)),
        ),
        calls=CallFigures(_count(everybody.calls), _count(month)),
        windows=tuple([await _window(connection, name, seconds) for name, seconds in WINDOWS.items()]),
        days=tuple(_day(day, waits) for day, waits in (await stats.by_day(connection, DAYS)).items()),
        first_calls=await _first_calls(connection, population),
    )


async def _window(connection: Connection, name: str, seconds: float) -> Window:
    named = shown(await stats.sizes(connection, seconds))
    every, parts = await stats.by_language(connection, seconds, named)
    if every is None or not enough(every.sizes):
        return Window(name)
    rings = [ring for _, ring in parts.values()]
    socket, push = sum(each.socket for each in rings), sum(each.push for each in rings)
    socket_late, push_late = sum(each.socket_late for each in rings), sum(each.push_late for each in rings)
    return Window(
        name,
        _waiting(every, Rings(socket, push, socket_late, push_late)),
        tuple(LanguageWaiting(language, _waiting(*parts[language])) for language in _order(named, parts)),
        (
            ChannelFigures("socket", round(socket / every.calls, 2), round(socket_late / every.calls, 2)),
            ChannelFigures("push", round(push / every.calls, 2), round(push_late / every.calls, 2)),
        ),
    )


def _order(named: Collection[str], parts: Collection[str]) -> list[str]:
    """The groups to be shown, "other" last; none if none has a name, for "other" would be all."""
    return [*sorted(named), *([OTHER] if OTHER in parts else [])] if named else []


def _waiting(waits: Waits, rings: Rings) -> Waiting:
    return Waiting(
        requests=waits.requests,
        answered_share=round(waits.calls / waits.requests, 3),
        p50_wait=round(waits.p50),
        p95_wait=round(waits.p95),
        alerts_per_call=round((rings.socket + rings.push) / waits.calls, 2),
        late_taps_per_call=round((rings.socket_late + rings.push_late) / waits.calls, 2),
    )


def _day(day: date, waits: Waits | None) -> Day:
    if waits is None or not enough(waits.sizes):
        return Day(day, None, None, None)
    return Day(day, round(waits.p50), round(waits.p95), round(waits.calls / waits.requests, 3))


async def _first_calls(connection: Connection, population: Population) -> FirstCalls:
    socket, push = population.socket, population.push
    every = await people.willing(connection, socket, push)
    named = shown({language: (each.willing,) for language, each in every.items()})
    parts = await people.willing(connection, socket, push, named)
    willing = sum(each.willing for each in every.values())
    came, called = await people.first_calls(connection)
    return FirstCalls(
        willing=_count(willing),
        had_call_share=_share(sum(each.helped for each in every.values()), willing),
        within_30_days_share=_share(called, came),
        languages=tuple(
            LanguageWilling(
                language, parts[language].willing, round(parts[language].helped / parts[language].willing, 3)
            )
            for language in _order(named, parts)
        ),
    )


def _count(number: int) -> int | None:
    return number if enough([number]) else None


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 3) if enough([whole]) else None


def publish(found: Stats) -> None:
    """Set the gauges: what is hidden has none."""
    day = found.windows[0]
    groups = [] if day.all is None else [("all", day.all)]
    groups += [(each.language, each.waiting) for each in day.languages]
    for gauge in figures.OF_A_DAY:
        gauge.clear()
    for language, waiting in groups:
        figures.WAIT_P50.labels(language).set(waiting.p50_wait)
        figures.WAIT_P95.labels(language).set(waiting.p95_wait)
        figures.ANSWERED_SHARE.labels(language).set(waiting.answered_share)
        figures.ALERTS_PER_CALL.labels(language).set(waiting.alerts_per_call)
        figures.LATE_TAPS_PER_CALL.labels(language).set(waiting.late_taps_per_call)
