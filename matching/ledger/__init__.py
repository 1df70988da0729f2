"""Requests, offers and calls in Postgres: what must never be wrong. Every exclusion is decided here, by row locks and
unique indexes, and every time is the database's own.

Lock order, to stay free of deadlocks: people (by id), then call, then request."""

MAY_MEET = "standing IN ('good', 'warned') AND erased_at IS NULL AND completed_at IS NOT NULL"
"""Who may ask, be rung and be matched, as a condition on `accounts.person`."""

AWAKE = "(p.snoozed_until IS NULL OR p.snoozed_until < now())"
"""Who has not paused alerts, as a condition on `accounts.person p`."""

UNRESERVED = "(r.reserved_until IS NULL OR r.reserved_until < now())"
"""A request that nobody is just about to take, as a condition on `matching.request r`."""
