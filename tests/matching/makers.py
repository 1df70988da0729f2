"""Requests, offers and volunteers for tests of pure functions."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from matching.model import Channel, Offer, Outcome, Request, RequestState, Trust, Volunteer


def request(**changes: Any) -> Request:
    whole: dict[str, Any] = {
        "id": uuid.uuid4(),
        "caller_id": uuid.uuid4(),
        "languages": ("en",),
        "topic": None,
        "trust": Trust.ANY,
        "state": RequestState.OPEN,
        "fence": 0,
        "asked_at": datetime(2026, 11, 22, 12, tzinfo=UTC),
        "waited": 0.0,
        "front": False,
        "told": None,
        "looking": 0.0,
    }
    return Request(**(whole | changes))


def offer(
    age: float = 0.0, outcome: Outcome | None = None, chance: float = 0.1, channel: Channel = Channel.PUSH
) -> Offer:
    return Offer(
        id=uuid.uuid4(),
        request_id=uuid.uuid4(),
        volunteer_id=uuid.uuid4(),
        age=age,
        outcome=outcome,
        channel=channel,
        chance=chance,
    )


def volunteer(*languages: str, time_zone: str = "UTC", quiet: Any = ()) -> Volunteer:
    return Volunteer(uuid.uuid4(), languages or ("en",), time_zone, quiet)
