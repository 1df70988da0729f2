"""How much hope a request has, how much it should have, and so how many more volunteers to ring. Pure.

*Hope* is the number of accepts that may be expected yet of the rings that are out. The policy keeps it at a target that
rises with the time a caller has waited: a ring that grows old, is declined or fails lowers hope, and somebody else is
rung in its place. See docs/explanation/matching.md for why, and the simulator for how much it helps."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from enum import IntEnum
from uuid import UUID

import msgspec

from matching.model import Channel, Offer, Request
from matching.responses import Population, still_to_come
from matching.settings import MatchingSettings


class Tier(IntEnum):
    """How well a volunteer's languages fit."""

    FIRST = 1
    """Shares the caller's first language."""
    SECOND = 2
    """Shares another of the caller's languages."""


class Plan(msgspec.Struct, frozen=True):
    """What to do for a request now."""

    hope: float
    """Accepts that may be expected of the rings that are out."""
    target: float
    """How much hope there should be."""
    first: bool
    """Nobody was rung yet: what a ring is worth will be seen from the candidates."""
    rings_at_most: int
    """How many more volunteers may be rung at once; 0: nobody is to be rung now."""
    widen: bool
    """Whether the second tier fills what the first one lacks. If not, it is asked only when nobody of the first rings.
    """
    expired: tuple[UUID, ...]
    """Offers that have rung long enough."""
    again_in: float
    """Seconds until this request should be looked at again."""


USUAL_CHANCE = 0.1
"""The chance of a ring for which the settings state the target."""
DEARER, CHEAPER = 0.6, 2.5
"""How far what a ring is worth may move the target."""


def target(waited: float, front: bool, settings: MatchingSettings) -> float:
    """How much hope a request should have that has waited so many seconds; `front`: given back by a lost call."""
    wanted = min(settings.hope_at_most, settings.hope_at_first + settings.hope_rise * waited)
    return wanted + settings.hope_in_front if front else wanted


def worth(chance: float) -> float:
    """By what the target is multiplied where a ring has this chance.

    A caller's wait falls with hope as 1 / hope, and hope costs hope / chance rings; the sum of both, at any price of a
    ring, is least where hope is proportional to the square root of the chance. Where people answer well more hope is
    bought, where they seldom do fewer are bothered."""
    return min(CHEAPER, max(DEARER, math.sqrt(chance / USUAL_CHANCE)))


def hope(ringing: Iterable[tuple[float, float, Channel]], population: Population) -> float:
    """The accepts to be expected of rings given as (chance when rung, age in seconds, channel)."""
    return sum(still_to_come(chance, age, population.delay(channel)) for chance, age, channel in ringing)


def plan(request: Request, offers: Sequence[Offer], population: Population, settings: MatchingSettings) -> Plan:
    """The plan for an open request, given every offer made for it so far."""
    silent = [offer for offer in offers if offer.outcome is None]
    expired = tuple(offer.id for offer in silent if offer.age >= settings.ring_time)
    ringing = [offer for offer in silent if offer.age < settings.ring_time]
    now = hope(((offer.chance, offer.age, offer.channel) for offer in ringing), population)
    room = min(settings.wave_at_most, settings.rings_at_most - len(ringing))
    wanted = target(request.waited, request.front, settings)
    if offers:
        wanted *= worth(sum(offer.chance for offer in offers) / len(offers))
    return Plan(
        hope=now,
        target=wanted,
        first=not offers,
        # After "nobody" was said, until the caller chooses, what rings may ring on, but nobody new is bothered.
        rings_at_most=max(0, room) if request.told is None and wanted - now >= settings.hope_step else 0,
        widen=request.waited >= settings.second_languages_after,
        expired=expired,
        again_in=settings.tick,
    )
