"""Whom to ask first when a caller wants the volunteer of a dropped call back. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from matching.model import Offer, Request


class Turn(StrEnum):
    """Whose turn it is to be rung for a request."""

    RING_THEM = "ring_them"
    """The volunteer of the dropped call, who was not rung yet."""
    WAIT_FOR_THEM = "wait_for_them"
    """Theirs still, for a moment: nobody else is bothered."""
    ANYBODY = "anybody"


def whose_turn(request: Request, offers: Sequence[Offer], alone: float) -> Turn:
    """Whose turn it is, given every offer made for the request; the volunteer of the dropped call rings alone for
    `alone` seconds, or until they answer. A request in front has gone on already, and does not come back to them."""
    if request.callback is None or request.front:
        return Turn.ANYBODY
    theirs = next((offer for offer in offers if offer.volunteer_id == request.callback), None)
    if theirs is None:
        return Turn.RING_THEM
    return Turn.WAIT_FOR_THEM if theirs.outcome is None and theirs.age < alone else Turn.ANYBODY
