"""The numbers of push, in one place. Times in seconds."""

from __future__ import annotations

import msgspec


class PushSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How volunteers are rung while no page is open."""

    hosts: str = ""
    """Further push services that browsers may name, by host, separated by spaces; `*.` stands for any subdomain. In
    development also an origin on this machine, such as `http://127.0.0.1:8090`."""
    at_once: int = 64
    """Messages on their way at the same time, in one process."""
    at_once_per_host: int = 32
    waiting_at_most: int = 10_000
    """Messages that may wait for their turn; more would not go out while they ring."""
    patience: float = 5
    """For one try."""
    tries: int = 3
    first_wait: float = 0.5
    """Before the second try; it doubles each time, give or take a half."""
    rest: float = 60
    """How long a device or service that failed is left alone, where it does not say; it doubles with each failure."""
    rest_at_most: float = 6 * 3600
    withdrawal_life: int = 60
    """A ring that the push service still holds is replaced by its withdrawal within this time."""
