"""What help earns. Pure.

Nothing is paid for speed or for being rated well: the one invites to grab calls, the other to please. The same two
people soon earn nothing together, so that a pair in a loop gains little."""

from __future__ import annotations

import msgspec

from rating.model import Award, AwardKind
from rating.settings import RatingSettings


class CallHistory(msgspec.Struct, frozen=True):
    """What the ledger knows when a call ends."""

    with_this_caller: int
    """Call awards with the same caller within the pair window."""
    today: int
    """Call awards within 24 hours."""
    ever: int
    """Call awards at all."""


def for_call(connected: float, reported: bool, history: CallHistory, settings: RatingSettings) -> list[Award]:
    """The volunteer's awards for a call of `connected` seconds."""
    if connected < settings.least_connected or reported or history.today >= settings.awards_a_day:
        return []
    nth = history.with_this_caller
    share = settings.pair_shares[nth] if nth < len(settings.pair_shares) else 0.0
    points = round(settings.call_points * share)
    awards = [Award(AwardKind.CALL, points)] if points > 0 else []
    if awards and history.ever == 0:
        awards.append(Award(AwardKind.FIRST_CALL, settings.first_call_points))
    return awards


def for_late_tap(today: int, settings: RatingSettings) -> list[Award]:
    """The award for having been there a moment too late; `today` counts those within 24 hours."""
    if today >= settings.standbys_a_day:
        return []
    return [Award(AwardKind.STANDBY, settings.standby_points)]
