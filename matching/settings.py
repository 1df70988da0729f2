"""The numbers of this floor, in one place. Times in seconds."""

from __future__ import annotations

import msgspec


class MatchingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How volunteers are asked, and how long anybody waits."""

    ring_time: float = 45
    """How long one volunteer's page or phone rings."""
    hope_at_first: float = 1.25
    """Accepts to be expected of the rings that are out, when a request opens; see waves.py.
    docs/explanation/matching.md says how this and the next numbers were chosen."""
    hope_rise: float = 0.06
    """How much more for each second waited."""
    hope_at_most: float = 4.0
    hope_in_front: float = 1.5
    """How much more for a request that was given back by a lost call."""
    hope_step: float = 0.25
    """Hope that may be missing before somebody is rung."""
    candidates_read: int = 128
    """Sleeping volunteers looked at for one wave."""
    wave_at_most: int = 30
    """Volunteers rung at once for one request."""
    rings_at_most: int = 60
    """Volunteers whose phones ring for one request at the same time."""
    explore: float = 0.1
    """How much of a score is the draw from what is known of a volunteer, the rest being its mean. At 1 (plain Thompson
    sampling) callers pay too dearly for what is learned: there are many volunteers, and each is rung seldom."""
    spare_rung: float = 0.2
    """The share of a score that is lost right after a ring, and comes back within a month: everybody has their turn."""
    spare_called: float = 0.75
    """The same after a call: those who wait for one come first."""
    prefer_new_with_experienced: float = 1.2
    new_until: int = 3
    """Calls until somebody counts as experienced."""
    second_languages_after: float = 15
    """From then on a request also rings volunteers who share only another of the caller's languages; at once where
    too few share the first."""
    status_every: float = 10
    """A waiting caller hears something at least this often."""
    nobody_after: float = 180
    """The founder's own limit before saying "nobody"."""
    unanswered_after: float = 600
    """A request whose caller does not choose after "nobody" closes by then."""
    grace: float = 15
    """From the claim until both sides must be connected."""
    open_grace: float = 15
    """From the tap on a notification until the accept: nobody else wins and nobody else is rung meanwhile."""
    later_within: float = 4 * 3600
    """How long "tell me when somebody is free" counts."""
    later_spread: float = 30
    """One caller who waits to be told is told for one free volunteer, and the next no sooner than after this."""
    later_likely: float = 0.25
    """Somebody whose page is closed counts as free for such a caller if their chance to answer a ring is at least this.
    """
    callback_alone: float = 20
    """How long the volunteer of a dropped call is rung alone before others are asked as well."""
    resume_window: float = 30
    """How long a person may be without a socket before they are gone."""
    call_back_within: float = 600
    rate_within: float = 72 * 3600
    node_silence: float = 5
    """A node that has not beaten for this long is taken for dead."""
    tick: float = 1
    """How often waiting requests and the truth in Postgres are looked at."""

    index_look_every: float = 86_400
    """Whatever happens, a volunteer's place in the candidate index is looked at again after this time at most."""
    index_lease: float = 120
    """A look at a volunteer that was not finished within this time is taken up again."""
    fit_every: float = 6 * 3600
    """How often what is known about volunteers at large is fitted to the latest rings."""
