"""The production policy in a simulated town: the same `waves`, `ranking`, `responses` and `fitting` that ring real
people, over a copy in memory of what Redis and Postgres would hold."""

from __future__ import annotations

import heapq
import math
from collections import OrderedDict, deque
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from random import Random
from uuid import UUID

import msgspec

from matching import fitting, placement, ranking, waves
from matching.model import Candidate, Channel, Evidence, Offer, Outcome, RequestState, Trust
from matching.model import Request as Asked
from matching.responses import Fatigue, Population, learned, lesson, local_hour
from matching.settings import MatchingSettings
from matching.simulator.engine import Engine, Request, Ring
from matching.simulator.town import DAY, START, Town
from matching.simulator.world import World

HISTORY = 20_000
"""Rings of the past that the population is fitted to."""
FIT_EVERY = 2_000
"""New rings after which fatigue is fitted again."""
NOBODY = UUID(int=0)
EPOCH = datetime.fromtimestamp(START, UTC)
STANDS_NOT = object()
OUTCOMES = {
    "accepted": Outcome.ACCEPTED,
    "late": Outcome.LATE,
    "refused": Outcome.DECLINED,
    "ignored": Outcome.IGNORED,
    "withdrawn": Outcome.WITHDRAWN,
}


class Memory:
    """What the whole installation has learned: fitted to the history of a like town, and again as rings come in."""

    def __init__(self, world: World, p: float, seed: int, settings: MatchingSettings) -> None:
        self.population = Population()
        self._rings: deque[fitting.Ring] = deque(maxlen=HISTORY)
        self._new = 0
        self._fit(Town(world, p, HISTORY // 8, (seed, HISTORY)), Random(seed), settings.ring_time)

    def _fit(self, town: Town, random: Random, ring_time: float) -> None:
        """Rings at waking hours, answered as they would have been."""
        evidence, before = [], self.population
        for volunteer in range(town.pool):
            evidence.append(
                (Channel.PUSH, Evidence(float(town.past_yes[volunteer]), float(town.past_exposure[volunteer])))
            )
            for _ in range(min(8, int(town.past_rings[volunteer]))):
                now = START - random.random() * 60 * DAY
                if not town.awake(int(town.group[volunteer]), now):
                    continue
                hour = local_hour(now, int(town.offset[volunteer]))
                delay = town.world.delay_median * math.exp(town.world.delay_sigma * random.gauss(0, 1))
                replied = delay < ring_time and random.random() < float(town.chance[volunteer]) * town.hours[hour]
                silent = ring_time if random.random() < 0.3 else random.uniform(3, 40)
                chance = before.push.mean * before.hours[hour]
                seconds = delay if replied else silent
                heard = 1 - before.push_delay.survival(seconds)
                factor = before.hours[hour]
                self._rings.append(
                    fitting.Ring(Channel.PUSH, hour, chance, replied, seconds, hour_factor=factor, heard=heard)
                )
        self.population = fitting.fit(self._rings, evidence, before)
        self._rings.clear()

    def note(self, ring: fitting.Ring) -> None:
        """How rings tire can only be seen by ringing; the rest of the population changes little in a month."""
        self._rings.append(ring)
        self._new += 1
        if self._new >= FIT_EVERY:
            self._new = 0
            tired = fitting.fit_fatigue(self._rings, Fatigue())
            self.population = msgspec.structs.replace(self.population, fatigue=tired)


class Visavis:
    """The policy, with what it knows."""

    reserves = True

    def __init__(self, engine: Engine, settings: MatchingSettings, seed: int, memory: Memory) -> None:
        self._engine = engine
        self._settings = settings
        self._random = Random(seed)
        self._memory = memory
        self.ring_time: float | None = settings.ring_time
        town = engine.town
        self._calls = [0] * (round(town.pool / town.world.volunteers_a_caller) + 2)
        self._ringing = [False] * town.pool
        self._learned_at = [START] * town.pool
        self._looked_at = town.last_rung.tolist()
        self._before: dict[int, ranking.Ranked] = {}
        """Of a ring that is out: what was thought."""
        self._candidates = [self._candidate(volunteer) for volunteer in range(town.pool)]
        # The candidate index: for each group that is awake at the same time, and each band, those who were looked at
        # longest ago first.
        self._lines: list[list[OrderedDict[int, None]]] = [
            [OrderedDict() for _ in placement.Band] for _ in range(town.groups)
        ]
        self._away: list[tuple[float, int]] = []
        """Who has used up the day's budget, until when: they stand in no line."""
        self._band = [self._band_of(candidate) for candidate in self._candidates]
        for volunteer in sorted(range(town.pool), key=lambda each: self._candidates[each].last_rung):
            self._line(volunteer)[volunteer] = None

    @property
    def population(self) -> Population:
        return self._memory.population

    # --- what is known on the first day

    def _candidate(self, volunteer: int) -> Candidate:
        town = self._engine.town
        return Candidate(
            id=UUID(int=volunteer),
            channel=Channel.PUSH,
            evidence=Evidence(float(town.past_yes[volunteer]), float(town.past_exposure[volunteer])),
            last_rung=float(town.last_rung[volunteer]),
            calls=int(town.calls[volunteer]),
            last_call=float(town.last_call[volunteer]),
            offset=int(town.offset[volunteer]),
        )

    # --- the index

    def _band_of(self, candidate: Candidate) -> placement.Band:
        return placement.band(candidate.evidence, self.population.prior(Channel.PUSH))

    def _line(self, volunteer: int) -> OrderedDict[int, None]:
        return self._lines[int(self._engine.town.group[volunteer])][self._band[volunteer]]

    def _pick(self, request: Request, now: float) -> list[Candidate]:
        """What `CandidateIndex.pick` gives, and Postgres lets pass."""
        town = self._engine.town
        while self._away and self._away[0][0] <= now:
            volunteer = heapq.heappop(self._away)[1]
            self._line(volunteer)[volunteer] = None
            self._looked_at[volunteer] = now
        awake = [group for group in range(town.groups) if town.awake(group, now)]
        picked: list[Candidate] = []
        left = 0
        for band, share in placement.shares(self._settings.candidates_read).items():
            wanted = share + left
            taken = list(islice(self._first(awake, band), wanted))
            for volunteer in taken:
                self._to_the_end(volunteer, now)
                if self._may_be_rung(request, volunteer, now):
                    picked.append(self._candidates[volunteer])
            left = wanted - len(taken)
        return picked

    def _to_the_end(self, volunteer: int, now: float) -> None:
        self._looked_at[volunteer] = now
        self._line(volunteer).move_to_end(volunteer)

    def _first(self, groups: list[int], band: placement.Band) -> Iterator[int]:
        """The volunteers of a band, least recently looked at first."""
        return heapq.merge(*(self._lines[group][band] for group in groups), key=self._looked_at.__getitem__)

    def _may_be_rung(self, request: Request, volunteer: int, now: float) -> bool:
        town = self._engine.town
        return not (
            self._ringing[volunteer]
            or volunteer in request.rung
            or town.busy_until[volunteer] > now
            or town.over_budget(volunteer, now)
            or (request.caller, volunteer) in self._engine.never
        )

    # --- the policy

    def look(self, request: Request, now: float) -> float | None:
        offers = [self._offer(ring, now) for ring in request.rings]
        plan = waves.plan(self._asked(request, now), offers, self.population, self._settings)
        if plan.rings_at_most > 0:
            candidates = self._pick(request, now)
            calls = self._calls[request.caller] if request.caller >= 0 else 0
            ranked = ranking.rank(
                candidates, calls, self.population, self._settings, now, self._random, plan.rings_at_most
            )
            chosen = ranking.fill(ranked, plan)
            rings = []
            for each in chosen:
                volunteer = each.candidate.id.int
                self._ringing[volunteer] = True
                rings.append((volunteer, each.chance.mean, each.chance.exposure))
                self._before[volunteer] = each
            self._engine.ring(request, rings, now)
            for volunteer, _, _ in rings:
                self._rung(volunteer, now)
        return plan.again_in

    def _offer(self, ring: Ring, now: float) -> Offer:
        return Offer(
            id=NOBODY,
            request_id=NOBODY,
            volunteer_id=NOBODY,
            age=now - ring.at,
            outcome=Outcome.WITHDRAWN if ring.over else None,
            channel=Channel.PUSH,
            chance=ring.chance,
        )

    def _asked(self, request: Request, now: float) -> Asked:
        return Asked(
            id=NOBODY,
            caller_id=NOBODY,
            languages=("en",),
            topic=None,
            trust=Trust.ANY,
            state=RequestState.OPEN,
            fence=0,
            asked_at=EPOCH,
            waited=now - request.asked,
            front=request.front,
            told=None,
            looking=now - request.born,
        )

    def _rung(self, volunteer: int, now: float) -> None:
        old = self._candidates[volunteer]
        self._candidates[volunteer] = Candidate(
            id=old.id,
            channel=old.channel,
            evidence=old.evidence,
            last_rung=now,
            calls=old.calls,
            last_call=old.last_call,
            offset=old.offset,
        )
        if self._engine.town.over_budget(volunteer, now):
            del self._line(volunteer)[volunteer]
            heapq.heappush(self._away, (self._engine.town.rung_at[volunteer][0] + DAY, volunteer))
        else:
            self._to_the_end(volunteer, now)

    def over(self, ring: Ring, now: float, outcome: str) -> None:
        volunteer = ring.volunteer
        self._ringing[volunteer] = False
        old = self._candidates[volunteer]
        delay, thought = self.population.push_delay, self._before.pop(volunteer)
        replied = outcome in ("accepted", "late")
        seconds = (ring.tap_at or now) - ring.at if replied else now - ring.at
        heard = 1 - delay.survival(seconds)
        self._memory.note(
            fitting.Ring(
                Channel.PUSH,
                local_hour(ring.at, old.offset),
                ring.chance,
                replied,
                seconds,
                ring.at - thought.candidate.last_rung,
                thought.candidate.evidence.ignored,
                thought.chance.hour,
                thought.chance.tired,
                heard,
            )
        )
        taught = lesson(OUTCOMES[outcome], ring.exposure, now - ring.at, delay)
        evidence = learned(old.evidence, taught, now - self._learned_at[volunteer])
        self._learned_at[volunteer] = now
        self._candidates[volunteer] = Candidate(
            id=old.id,
            channel=old.channel,
            evidence=evidence,
            last_rung=old.last_rung,
            calls=old.calls + (outcome == "accepted"),
            last_call=now if outcome == "accepted" else old.last_call,
            offset=old.offset,
        )
        if outcome == "accepted" and ring.request.caller >= 0:
            self._calls[ring.request.caller] += 1
        band = self._band_of(self._candidates[volunteer])
        if band is not self._band[volunteer]:
            stood = self._line(volunteer).pop(volunteer, STANDS_NOT) is None
            self._band[volunteer] = band
            if stood:
                self._line(volunteer)[volunteer] = None

    def reopened(self, request: Request) -> None:
        """Waits on, in front; its waiting time counts."""
