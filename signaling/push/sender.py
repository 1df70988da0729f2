"""How many messages go out at once, how often one is tried, and how long a service is left alone."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from uuid import UUID
from weakref import WeakValueDictionary

from accounts.devices import Device, DeviceKind
from signaling.push.errors import Overflow, PushFailed, Quota, RetryAfter, SetUp, Temporary
from signaling.push.message import Message
from signaling.push.service import Service
from signaling.push.settings import PushSettings

DEVICES_OVER = 3
"""So many devices over their quota, and no message taken in between: then it is ours, and the service is left alone."""

Wanted = Callable[[], Awaitable[bool]]


class Withdrawn(PushFailed):
    """Nobody needs it any more: it was taken back while it waited for its turn."""

    outcome = "withdrawn"


async def always() -> bool:
    """Of a message that is not taken back."""
    return True


class Sender:
    """Sends one message to one device, within the time it is worth anything."""

    def __init__(self, services: Mapping[DeviceKind, Service], settings: PushSettings) -> None:
        self._services = services
        self._settings = settings
        self._gate = asyncio.Semaphore(settings.at_once)
        self._gates: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._resting: dict[str, float] = {}
        self._refused: dict[str, set[UUID]] = {}
        self.waiting = 0

    @property
    def kinds(self) -> tuple[DeviceKind, ...]:
        """The kinds of devices that can be reached."""
        return tuple(self._services)

    async def send(self, device: Device, message: Message, until: float, wanted: Wanted = always) -> None:
        """Send before `until` (monotonic), trying again after what is temporary. Asks `wanted` when its turn has come.
        Raises `PushFailed`."""
        service = self._services.get(device.kind)
        if service is None:
            raise SetUp(f"{device.kind} is not switched on")
        host = service.host(device)
        self._must_not_rest(host)
        if until <= time.monotonic():
            raise Temporary("its time was up")
        if self.waiting >= self._settings.waiting_at_most:
            raise Overflow("too many are waiting")
        self.waiting += 1
        try:
            async with asyncio.timeout(until - time.monotonic()):
                await self._tries(service, host, device, message, wanted)
        except TimeoutError as error:
            raise Temporary("its time was up") from error
        except Quota as error:
            self._over(host, device, error.seconds)
            raise
        else:
            self._refused.pop(host, None)
        finally:
            self.waiting -= 1

    def _over(self, host: str, device: Device, seconds: float) -> None:
        """Some services count for each device, and say it in the same words: one device must not silence the others."""
        refused = self._refused.setdefault(host, set())
        refused.add(device.id)
        if len(refused) >= DEVICES_OVER:
            self._resting[host] = time.monotonic() + seconds
            del self._refused[host]

    def _must_not_rest(self, host: str) -> None:
        now = time.monotonic()
        for rested in [one for one, over in self._resting.items() if over <= now]:
            del self._resting[rested]
        if host in self._resting:
            raise Quota("it asked for rest", self._resting[host] - now)

    async def _tries(self, service: Service, host: str, device: Device, message: Message, wanted: Wanted) -> None:
        gate = self._gates.setdefault(host, asyncio.Semaphore(self._settings.at_once_per_host))
        wait = self._settings.first_wait
        for left in reversed(range(self._settings.tries)):
            try:
                # The host's gate first: who waits for a slow service takes no place from the others.
                async with gate, self._gate:
                    if not await wanted():
                        raise Withdrawn("taken back")
                    await self._try(service, device, message)
                return
            except Temporary:
                if left == 0:
                    raise
            await asyncio.sleep(wait * random.uniform(0.5, 1.5))  # noqa: S311 - spreads load, hides nothing
            wait *= 2

    async def _try(self, service: Service, device: Device, message: Message) -> None:
        try:
            async with asyncio.timeout(self._settings.patience):
                await service.send(device, message)
        except TimeoutError as error:
            raise Temporary("no answer") from error

    def rest(self, device: Device, failed: PushFailed) -> float:
        """How many seconds a device is left alone after this: longer with each failure in a row."""
        doubled = self._settings.rest * 2.0 ** min(device.failures, 20)
        seconds = max(1.0, failed.seconds) if isinstance(failed, RetryAfter) else doubled
        return min(seconds, self._settings.rest_at_most)

    async def close(self) -> None:
        """Close every connection."""
        for service in self._services.values():
            await service.close()
