"""What this floor counts, for Prometheus. No label ever holds anything about one person."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

ASKED = Counter("visavis_requests_total", "Requests for help.")
CLOSED = Counter("visavis_requests_closed_total", "Requests that ended without a call.", ["reason"])
RUNG = Counter("visavis_alerts_total", "Volunteers rung.", ["channel"])
LATE_TAPS = Counter("visavis_late_taps_total", "Accepts that came after another one.")
MATCHED = Counter("visavis_calls_total", "Calls that began.")
ENDED = Counter("visavis_calls_ended_total", "Calls that ended.", ["reason"])
WAIT = Histogram(
    "visavis_wait_seconds",
    "Seconds a caller waited until the claim.",
    buckets=(1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600),
)
GONE = Counter("visavis_people_gone_total", "People who did not come back within the resume window.")
SWEEP_SECONDS = Histogram("visavis_sweep_seconds", "Seconds one look of the sweeper took.")
PARCELS_LEFT = Counter("visavis_parcels_left_total", "Parcels that the node that wrote them did not carry.")
OUTCOMES = Counter("visavis_alert_outcomes_total", "What became of rings, by channel.", ["channel", "outcome"])
CHOOSE_SECONDS = Histogram("visavis_choose_seconds", "Seconds it took to choose whom to ring for one wave.")
HOPE = Histogram(
    "visavis_hope",
    "Accepts that could be expected of the rings that were out, at each look.",
    buckets=(0, 0.1, 0.25, 0.5, 1, 1.5, 2, 3, 5),
)

# Of the last 24 hours, from the figures that are public (matching/stats.py): a language of too few people has none, and
# `all` is every language together.
WAIT_P50 = Gauge("visavis_wait_p50_seconds", "Median wait of the last 24 hours.", ["language"])
WAIT_P95 = Gauge("visavis_wait_p95_seconds", "95th percentile of the wait of the last 24 hours.", ["language"])
ANSWERED_SHARE = Gauge("visavis_answered_share", "Share of the requests of 24 hours that were answered.", ["language"])
ALERTS_PER_CALL = Gauge("visavis_alerts_per_call", "Alerts of 24 hours for each answered request.", ["language"])
LATE_TAPS_PER_CALL = Gauge("visavis_late_taps_per_call", "Late taps of 24 hours, likewise.", ["language"])
OF_A_DAY = (WAIT_P50, WAIT_P95, ANSWERED_SHARE, ALERTS_PER_CALL, LATE_TAPS_PER_CALL)
