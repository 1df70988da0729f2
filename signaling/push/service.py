"""What every push service has in common: one message to one device, and what an HTTP answer means."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Protocol

from accounts.devices import Device
from signaling.push.errors import Gone, PushFailed, Quota, Refused, RetryAfter, SetUp, Temporary
from signaling.push.message import Message


class Service(Protocol):
    """Brings messages to devices of one kind."""

    def host(self, device: Device) -> str:
        """Whose door it is: what is counted and left alone together. Raises `Refused`."""
        ...

    async def send(self, device: Device, message: Message) -> None:
        """One try. Raises `PushFailed`."""
        ...

    async def close(self) -> None: ...


def verdict(status: int, retry_after: str | None, rest: float) -> PushFailed | None:
    """What an answer of a Web Push service means (RFC 8030 sections 5 and 8.4, RFC 8292 section 4.2); None: it took the
    message. `rest` is how many seconds to leave it alone where it does not say."""
    seconds = waiting(retry_after)
    match status:
        case 404 | 410:
            return Gone(f"HTTP {status}")
        case 429 if seconds is None:
            return Quota("HTTP 429", rest)
        case 429 | 503 if seconds is not None:
            return RetryAfter(f"HTTP {status}", seconds)
        case 408 | 425:
            return Temporary(f"HTTP {status}")
    if 200 <= status < 300:
        return None
    if 300 <= status < 400:
        return Refused(f"HTTP {status}: it leads elsewhere")
    return Temporary(f"HTTP {status}") if status >= 500 else SetUp(f"HTTP {status}")


def waiting(retry_after: str | None, now: datetime | None = None) -> float | None:
    """The seconds that a `Retry-After` asks for, as a number or as a date (RFC 9110 section 10.2.3); None for nonsense
    or nothing."""
    text = (retry_after or "").strip()
    if text.isdecimal() and len(text) < 10:
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return max(0.0, (at - (now or datetime.now(UTC))).total_seconds())


def header(headers: Mapping[str, str]) -> str | None:
    """The `Retry-After` of an answer."""
    return headers.get("Retry-After")
