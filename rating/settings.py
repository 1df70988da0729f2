"""The numbers of this floor, in one place. Times in seconds."""

from __future__ import annotations

import msgspec


class RatingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What may be said after a call, and what help earns."""

    rate_within: float = 72 * 3600
    report_within: float = 30 * 86_400
    reports_a_day: int = 20
    comment_at_most: int = 1000
    report_text_at_most: int = 4000

    call_points: int = 50
    least_connected: float = 30
    """A shorter call earns nothing: it is too short to have helped."""
    pair_shares: tuple[float, ...] = (1.0, 0.5)
    """What the first, second, … call with the same caller within `pair_window` earns; later ones earn nothing."""
    pair_window: float = 30 * 86_400
    awards_a_day: int = 10
    first_call_points: int = 100
    standby_points: int = 5
    standbys_a_day: int = 5
