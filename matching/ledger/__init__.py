"""Requests, offers and calls in Postgres: what must never be wrong. Every exclusion is decided here, by row locks and
unique indexes, and every time is the database's own.

Lock order, to stay free of deadlocks: people (by id), then call, then request."""

MAY_MEET = "standing IN ('good', 'warned') AND erased_at IS NULL AND completed_at IS NOT NULL"
"""Who may ask, be rung and be matched, as a condition on `accounts.person`."""

AWAKE = "(p.snoozed_until IS NULL OR p.snoozed_until < now())"
"""Who has not paused alerts, as a condition on `accounts.person p`."""

UNRESERVED = "(r.reserved_until IS NULL OR r.reserved_until < now())"
"""A request that nobody is just about to take, as a condition on `matching.request r`."""

PUSHES = """(
    SELECT count(*) FROM matching.offer o
    WHERE o.volunteer_id = p.id AND o.channel = 'push' AND o.outcome IS DISTINCT FROM 'failed'
      AND o.rung_at > now() - interval '24 hours'
)"""
"""How often the devices of an `accounts.person p` rang within a day, which their `alerts_per_day` limits."""

CALLS = """
CROSS JOIN LATERAL (
    SELECT count(*) AS calls, count(DISTINCT c.caller_id) AS callers, max(c.claimed_at) AS last_call
    FROM matching.call c WHERE c.volunteer_id = p.id AND c.connected_at IS NOT NULL
) h
"""
"""The calls `h` that a volunteer `p` had."""

TRUSTED = """
h.calls >= 30 AND h.callers >= 20 AND p.created_at <= statement_timestamp() - interval '60 days' AND p.standing = 'good'
"""
"""Volunteers of trust V2, as a condition on a person `p` and the calls `h` they had."""
