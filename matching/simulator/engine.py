"""The clock of a simulated town: what happens, in order. A policy is asked what to ring; people do the rest."""

from __future__ import annotations

import heapq
import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from enum import IntEnum
from itertools import accumulate
from typing import Any, Protocol

import numpy as np

from matching.simulator.town import DAY, START, VECTOR_FROM, Ints, Town

GIVES_UP_AFTER = 3600.0
"""A patient caller's request is given up then: a policy that has nobody left to ring would otherwise wait for ever."""
PRANK = 8.0
CROWD = 60
"""Taps of one wave that are followed one by one."""
NOBODY = np.zeros(0)
BOTHERED = 20.0
"""Whoever was silent for so long before a ring was withdrawn has ignored it."""


class Ring:
    """One volunteer rung for one request."""

    __slots__ = ("at", "chance", "exposure", "over", "page", "request", "tap_at", "volunteer")

    def __init__(self, request: Request, volunteer: int, at: float, page: bool, chance: float, exposure: float) -> None:
        self.request = request
        self.volunteer = volunteer
        self.at = at
        self.page = page
        self.chance = chance
        self.exposure = exposure
        self.tap_at: float | None = None
        self.over = False


class Request:
    """A caller who waits."""

    __slots__ = (
        "alerts", "answered", "asked", "asks", "born", "caller", "closed", "crowd", "front", "hour", "late", "measured",
        "patience", "quiet_rings", "reserved", "rings", "rung", "silent", "talked_after", "waited",
    )  # fmt: skip

    def __init__(self, asked: float, caller: int, patience: float, measured: bool) -> None:
        self.asked = asked
        self.caller = caller
        self.patience = patience
        self.measured = measured
        self.hour = int((asked - START) // 3600 % 24)
        self.born = asked
        """When it was opened last."""
        self.asks = 0
        """How often the policy has looked at it since."""
        self.rings: list[Ring] = []
        self.rung: set[int] = set()
        self.silent: list[tuple[float, Ints]] = []
        """Since when it rings for people who will not answer."""
        self.crowd = NOBODY
        """When further people tap, too many to follow one by one: none of them can be the first any more."""
        self.front = False
        self.reserved: Ring | None = None
        self.closed = False
        self.answered = False
        self.waited = 0.0
        """Seconds until the first claim; without one, until the caller gave up."""
        self.talked_after = 0.0
        """Seconds until a call that connected; without one, until the caller gave up."""
        self.alerts = 0
        self.late = 0
        self.quiet_rings = 0


class Policy(Protocol):
    """What the engine asks of a policy."""

    reserves: bool
    """Whether the first tap holds the request while the phone is unlocked."""
    ring_time: float | None
    """Seconds after which a ring stops; None: never."""

    def look(self, request: Request, now: float) -> float | None:
        """Ring whom it wants (`Engine.ring`), and say in how many seconds to be asked again; None for never."""

    def over(self, ring: Ring, now: float, outcome: str) -> None:
        """A ring has ended: `accepted`, `late`, `refused`, `ignored` or `withdrawn`."""

    def reopened(self, request: Request) -> None:
        """The call did not connect; the caller is to be asked for again."""


class Kind(IntEnum):
    ASK = 0
    LOOK = 1
    TAP = 2
    ACCEPT = 3
    REFUSE = 4
    EXPIRE = 5
    HANG_UP = 6
    REOPEN = 7


class Engine:
    """Runs one town under one policy."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.policy: Policy
        self.requests: list[Request] = []
        self.never: set[tuple[int, int]] = set()
        self.over_budget_rings = 0
        self._heap: list[tuple[float, int, Kind, Any]] = []
        self._count = 0

    # --- the day

    def run(self, demand: Sequence[Request], policy: Policy) -> None:
        """Let every caller call."""
        self.policy = policy
        for request in demand:
            self._at(request.asked, Kind.ASK, request)
        handle: dict[Kind, Callable[[Any, float], None]] = {
            Kind.ASK: self._ask,
            Kind.LOOK: self._look,
            Kind.TAP: self._tap,
            Kind.ACCEPT: self._accept,
            Kind.REFUSE: self._refuse,
            Kind.EXPIRE: self._expire,
            Kind.HANG_UP: self._hang_up,
            Kind.REOPEN: self._reopen,
        }
        heap = self._heap
        while heap:
            now, _, kind, what = heapq.heappop(heap)
            handle[kind](what, now)

    def _at(self, when: float, kind: Kind, what: object) -> None:
        self._count += 1
        heapq.heappush(self._heap, (when, self._count, kind, what))

    # --- for policies

    def ring(self, request: Request, volunteers: Sequence[tuple[int, float, float]], now: float) -> None:
        """Ring these (volunteer, chance, exposure) for a request, one by one."""
        town = self.town
        for volunteer, chance, exposure in volunteers:
            if town.over_budget(volunteer, now):
                self.over_budget_rings += 1
            ring = Ring(request, volunteer, now, bool(town.on_page[volunteer]), chance, exposure)
            tap, refusal = town.ring(volunteer, now)
            request.rings.append(ring)
            self._plan(ring, tap, refusal, now)
            if tap is None and refusal is None:
                request.silent.append((now, np.array([volunteer])))
        rung = [volunteer for volunteer, _, _ in volunteers]
        request.rung.update(rung)
        request.alerts += len(rung)
        request.quiet_rings += town.quiet_among(np.array(rung, dtype=np.int64), now) if rung else 0

    def ring_many(self, request: Request, volunteers: Any, now: float, *, remember: bool = True) -> None:
        """Ring all of these at once, for a policy that wants to know nothing of each; no need to `remember` them if
        nobody is left to be rung."""
        if len(volunteers) < VECTOR_FROM:
            self.ring(request, [(int(volunteer), 0.0, 0.0) for volunteer in volunteers], now)
            return
        request.alerts += len(volunteers)
        request.quiet_rings += self.town.quiet_among(volunteers, now)
        taps, delays, silent = self.town.ring_many(volunteers, now)
        request.silent.append((now, silent))
        if remember:
            request.rung.update(volunteers.tolist())
        if len(taps) > CROWD:
            order = np.argsort(delays)
            request.crowd = now + delays[order[CROWD:]]
            taps, delays = taps[order[:CROWD]], delays[order[:CROWD]]
        for volunteer, delay in zip(taps.tolist(), delays.tolist(), strict=True):
            ring = Ring(request, volunteer, now, bool(self.town.on_page[volunteer]), 0.0, 0.0)
            request.rings.append(ring)
            self._plan(ring, delay, None, now)

    def _plan(self, ring: Ring, tap: float | None, refusal: float | None, now: float) -> None:
        limit = self.policy.ring_time
        if tap is not None and (limit is None or tap < limit):
            ring.tap_at = now + tap
            self._at(ring.tap_at, Kind.TAP, ring)
        elif refusal is not None and (limit is None or refusal < limit):
            self._at(now + refusal, Kind.REFUSE, ring)
        elif limit is not None:
            self._at(now + limit, Kind.EXPIRE, ring)

    # --- what happens

    def _ask(self, request: Request, now: float) -> None:
        self.requests.append(request)
        self.town.change_shifts(now)
        self._at(now + request.patience, Kind.HANG_UP, request)
        self._look(request, now)

    def _look(self, request: Request, now: float) -> None:
        if request.closed or request.reserved is not None:
            return
        again = self.policy.look(request, now)
        if again is not None:
            self._at(now + again, Kind.LOOK, request)

    def _tap(self, ring: Ring, now: float) -> None:
        request = ring.request
        if ring.over or self.town.busy_until[ring.volunteer] > now:
            return
        if request.closed or request.reserved is not None:
            self._late(ring, now)
            return
        world = self.town.world
        unlock = 0.0 if ring.page else self.town.random.uniform(world.unlock_least, world.unlock_most)
        if self.policy.reserves:
            request.reserved = ring
            self._withdraw(request, ring, now)
        self._at(now + unlock, Kind.ACCEPT, ring)

    def _accept(self, ring: Ring, now: float) -> None:
        request, town = ring.request, self.town
        if request.closed or (request.reserved is not None and request.reserved is not ring):
            self._late(ring, now)
            return
        if town.busy_until[ring.volunteer] > now or (request.caller, ring.volunteer) in self.never:
            request.reserved = None
            self._over(ring, now, "withdrawn")
            self._look(request, now)
            return
        if request.reserved is None:
            self._withdraw(request, ring, now)
        request.closed, request.reserved = True, None
        self._over(ring, now, "accepted")
        if not request.answered:
            request.answered, request.waited = True, now - request.asked
        world = town.world
        if town.random.random() < world.failure:
            town.busy_until[ring.volunteer] = now + world.failure_noticed
            self._at(now + world.failure_noticed, Kind.REOPEN, request)
            return
        request.talked_after = now - request.asked
        if request.caller < 0:
            town.busy_until[ring.volunteer] = now + PRANK
            self.never.add((request.caller, ring.volunteer))
            return
        length = world.call_median * math.exp(world.call_sigma * town.random.gauss(0, 1))
        town.busy_until[ring.volunteer] = now + length
        town.calls[ring.volunteer] += 1
        town.called.add(ring.volunteer)

    def _withdraw(self, request: Request, winner: Ring | None, now: float) -> None:
        """The others stop ringing, after a moment in which their taps are late."""
        world = self.town.world
        request.late += int(np.searchsorted(request.crowd, now + world.withdraw_push))
        request.crowd = NOBODY
        for since, volunteers in request.silent:
            if now - since >= min(BOTHERED, self.policy.ring_time or BOTHERED):
                self.town.ignore(volunteers, now)
        request.silent = []
        for ring in request.rings:
            if ring is winner or ring.over:
                continue
            window = world.withdraw_page if ring.page else world.withdraw_push
            if ring.tap_at is not None and (not world.withdraws or ring.tap_at <= now + window):
                continue  # this one will tap, or has tapped and is unlocking: late
            self._over(ring, now, "withdrawn")

    def _late(self, ring: Ring, now: float) -> None:
        ring.request.late += 1
        self._over(ring, now, "late")

    def _over(self, ring: Ring, now: float, outcome: str) -> None:
        ring.over = True
        self.policy.over(ring, now, outcome)

    def _refuse(self, ring: Ring, now: float) -> None:
        self._ended(ring, now, "refused")

    def _expire(self, ring: Ring, now: float) -> None:
        self._ended(ring, now, "ignored")

    def _ended(self, ring: Ring, now: float, outcome: str) -> None:
        if not ring.over:
            self._over(ring, now, outcome)

    def _hang_up(self, request: Request, now: float) -> None:
        """The caller's patience is over, also if somebody has answered long ago: whom it rang for need not be kept, who
        may be everybody."""
        if request.talked_after:
            request.rung, request.rings = set(), []
            return
        request.talked_after = request.patience
        if not request.answered:
            request.waited = request.patience
        if not request.closed:
            self._withdraw(request, request.reserved, now)
        request.closed, request.reserved = True, None
        request.rung, request.rings = set(), []

    def _reopen(self, request: Request, now: float) -> None:
        if now - request.asked >= request.patience:
            return
        request.closed, request.front, request.born = False, True, now
        self.policy.reopened(request)
        self._look(request, now)


# --- who calls when


def demand(town: Town, hours: frozenset[int] | None, burst: bool) -> list[Request]:
    """The requests of a month. Measured are those asked in `hours` of the callers (None: all); in a town with bursts,
    only those in the bursts."""
    world, rng = town.world, town.rng
    weights = np.array(world.demand) / np.mean(world.demand)
    bursts = np.array([world.burst if burst and hour in world.burst_hours else 1.0 for hour in range(24)])
    rate = weights * bursts * world.requests_a_day * town.pool / 24
    callers = max(1, round(town.pool / world.volunteers_a_caller))
    edges = list(accumulate((rank + 1) ** -world.repeat for rank in range(callers)))
    pranksters = round(callers * world.pranksters)
    requests = []
    for day in range(world.days):
        for hour in range(24):
            measured = (hours is None or hour in hours) and (not burst or hour in world.burst_hours)
            for moment in np.sort(rng.random(rng.poisson(rate[hour]))).tolist():
                asked = START + day * DAY + (hour + moment) * 3600
                caller = bisect_right(edges, rng.random() * edges[-1])
                patience = world.patience_median * math.exp(world.patience_sigma * rng.standard_normal())
                name = -1 - caller if caller % max(1, callers // max(1, pranksters)) == 0 and pranksters else caller
                requests.append(Request(asked, name, GIVES_UP_AFTER if world.patient else patience, measured))
    return requests
