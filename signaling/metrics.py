"""Figures for Prometheus. No label ever holds anything about one person."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

COMMANDS = Counter("visavis_commands_total", "Commands by type and outcome.", ["type", "outcome"])
HTTP = Counter("visavis_http_requests_total", "HTTP answers.", ["route", "method", "status"])
HTTP_SECONDS = Histogram("visavis_http_seconds", "Seconds an answer took.", ["route"])
SOCKETS = Gauge("visavis_sockets", "Open sockets on this node.")
SOCKETS_CLOSED = Counter("visavis_sockets_closed_total", "Sockets closed, by close code.", ["code"])
PUSH = Counter(
    "visavis_push_total",
    "Messages to devices: sent, or why not. `set_up` and `refused` are for the operator to mend.",
    ["kind", "outcome"],
)
RESUMED = Counter("visavis_resumes_total", "Resumes asked for.", ["outcome"])
QUALITY = Histogram(
    "visavis_call_quality",
    "Media as the clients measure it: round_trip in seconds, lost as a share of packets.",
    ["role", "figure"],
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5),
)
