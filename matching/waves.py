"""How many volunteers to ring now, and in which languages. Pure: facts in, a plan out.

This is the plain policy: keep some offers outstanding, replace refusals at once, widen with time, let second languages
join later. Any policy has this shape, so a better one takes its place without a change elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Protocol
from uuid import UUID

import msgspec

from matching.model import Offer, Request
from matching.settings import MatchingSettings


class Tier(IntEnum):
    """How well a volunteer's languages fit."""

    FIRST = 1
    """Shares the caller's first language."""
    SECOND = 2
    """Shares another of the caller's languages."""


class Plan(msgspec.Struct, frozen=True):
    """What to do for a request now."""

    ring: int
    """How many more volunteers to ring."""
    widen: bool
    """Whether the second tier fills what the first one lacks. If not, it is asked only when nobody of the first rings.
    """
    expired: tuple[UUID, ...]
    """Offers that have rung long enough."""
    again_in: float
    """Seconds until this request should be looked at again."""


class Policy(Protocol):
    """Decides the waves of one request."""

    def plan(self, request: Request, offers: Sequence[Offer]) -> Plan:
        """The plan for an open request, given every offer made for it so far."""
        ...


class KeepRinging:
    """The plain policy."""

    def __init__(self, settings: MatchingSettings) -> None:
        self._settings = settings

    def plan(self, request: Request, offers: Sequence[Offer]) -> Plan:
        settings = self._settings
        silent = [offer for offer in offers if offer.outcome is None]
        expired = tuple(offer.id for offer in silent if offer.age >= settings.ring_time)
        ringing = [offer for offer in silent if offer.age < settings.ring_time]
        if request.told is not None:
            # "Nobody" was said and the caller has not chosen: what rings may ring on, nobody new is bothered.
            return Plan(0, False, expired, settings.tick)
        wider = int(request.waited // settings.rings_more_every)
        wanted = min(settings.rings_at_first + wider, settings.rings_at_most)
        widen = request.waited >= settings.second_languages_after
        return Plan(max(0, wanted - len(ringing)), widen, expired, settings.tick)
