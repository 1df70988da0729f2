"""Whom to ring first. Pure: the candidates come in the board's order, least recently rung first; whoever must not be
rung now falls out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from accounts.languages import spoken
from matching.model import Request, Volunteer
from matching.quiet import is_quiet
from matching.waves import Tier


def shared(request: Request, volunteer: Volunteer) -> tuple[str, ...]:
    """The caller's languages that the volunteer speaks too, in the caller's order."""
    speaks = {spoken(tag) for tag in volunteer.languages}
    return tuple(tag for tag in request.languages if spoken(tag) in speaks)


def keys(request: Request, tier: Tier) -> tuple[str, ...]:
    """The languages under which the board keeps the candidates of a tier."""
    tags = request.languages[:1] if tier is Tier.FIRST else request.languages[1:]
    return tuple(dict.fromkeys(spoken(tag) for tag in tags))


def choose(request: Request, volunteers: Sequence[Volunteer], at_most: int, now: datetime) -> list[Volunteer]:
    """The volunteers to ring, best first: whoever shares a language and has no quiet hours now."""
    fit = [
        volunteer
        for volunteer in volunteers
        if shared(request, volunteer) and not is_quiet(volunteer.quiet_hours, volunteer.time_zone, now)
    ]
    return fit[:at_most]
