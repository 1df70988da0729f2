"""Rings the devices of volunteers and quietens them again, in the background: nobody who waits for help waits for a
push service."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from uuid import UUID

import structlog

from accounts import devices
from accounts.devices import Device, DeviceKind
from accounts.errors import Unavailable
from accounts.postgres import Pool, borrowed
from signaling.metrics import PUSH
from signaling.push import message as messages
from signaling.push.errors import Gone, Overflow, PushFailed, Refused, SetUp
from signaling.push.message import Message
from signaling.push.noted import Noted, SentPush, now
from signaling.push.rings import Rings
from signaling.push.sender import Sender, Withdrawn
from signaling.push.settings import PushSettings
from signaling.push.web_push import WebPush

log = structlog.get_logger()

Failed = Callable[[UUID, UUID], Awaitable[None]]
CLOSE_WITHIN = 3.0


async def nobody(volunteer: UUID, offer: UUID) -> None:
    """Hears of rings that reached no device until somebody else does."""


class Pushes:
    """`failed(volunteer, offer)` is called when a ring has reached no device of the volunteer, so that somebody else is
    rung instead. With `noted`, of a development server, messages to services that nobody has named go nowhere."""

    def __init__(
        self,
        pool: Pool,
        sender: Sender,
        rings: Rings,
        web_push: WebPush,
        settings: PushSettings,
        noted: Noted | None = None,
    ) -> None:
        self._pool = pool
        self._sender = sender
        self._rings = rings
        self._web_push = web_push
        self._settings = settings
        self._noted = noted
        self._tasks: set[asyncio.Task[None]] = set()
        self.failed: Failed = nobody

    @property
    def kinds(self) -> tuple[DeviceKind, ...]:
        """The kinds of devices that can be reached."""
        return self._sender.kinds

    def ring(self, volunteer: UUID, offer: UUID, ring_time: float) -> None:
        """Ring every device of the volunteer that can be tried now."""
        self._start(self._ring(volunteer, offer, messages.ring(offer, ring_time), time.monotonic() + ring_time))

    def withdraw(self, volunteer: UUID, offer: UUID) -> None:
        """Quieten the devices that were rung, and no others."""
        self._start(self._withdraw(volunteer, offer))

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def idle(self) -> None:
        """Until nothing is on its way."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def close(self) -> None:
        """Wait for what is on its way, a moment; then close every connection."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CLOSE_WITHIN)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._sender.close()

    # --- one offer

    async def _ring(self, volunteer: UUID, offer: UUID, message: Message, until: float) -> None:
        try:
            async with borrowed(self._pool) as connection:
                found = await devices.to_ring(connection, volunteer)
            reached = await asyncio.gather(*(self._ring_one(device, offer, message, until) for device in found))
            if not any(reached):
                await self.failed(volunteer, offer)
        except Unavailable:
            log.warning("push.unavailable", at="ring")  # the ring expires, and somebody else is rung
        except Exception:
            log.exception("push.failed", at="ring")

    async def _ring_one(self, device: Device, offer: UUID, message: Message, until: float) -> bool:
        """Whether the device was rung, or did not have to be any more."""

        async def wanted() -> bool:
            try:
                return await self._rings.wanted(offer)
            except Unavailable:
                return True

        try:
            await self._deliver(device, message, until, wanted)
        except Withdrawn:
            return True
        except PushFailed:
            return False
        try:
            rings = await self._rings.rung(offer, device.id)
        except Unavailable:
            rings = True
        if not rings:
            await self._quieten(device, offer)
        return True

    async def _withdraw(self, volunteer: UUID, offer: UUID) -> None:
        try:
            rung = await self._rings.take_back(offer)
            if not rung:
                return
            async with borrowed(self._pool) as connection:
                found = await devices.by_ids(connection, volunteer, rung)
            await asyncio.gather(*(self._quieten(device, offer) for device in found))
        except Unavailable:
            log.warning("push.unavailable", at="withdraw")  # a tap finds out; and the ring has an end of its own
        except Exception:
            log.exception("push.failed", at="withdraw")

    async def _quieten(self, device: Device, offer: UUID) -> None:
        life = self._settings.withdrawal_life
        try:
            await self._deliver(device, messages.withdrawal(offer, life), time.monotonic() + life)
        except PushFailed:
            return

    # --- one message

    async def _deliver(
        self,
        device: Device,
        message: Message,
        until: float,
        wanted: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        """Send, count, and remember how it went. Raises `PushFailed`."""
        outcome = "sent"
        try:
            if self._noted is not None and not self._leaves(device):
                outcome = "noted"
            elif wanted is not None:
                await self._sender.send(device, message, until, wanted)
            else:
                await self._sender.send(device, message, until)
        except PushFailed as failed:
            outcome = failed.outcome
            await self._settle(device, failed)
            raise
        else:
            if device.failures:
                await self._settle(device, None)
        finally:
            PUSH.labels(device.kind, outcome).inc()
            if self._noted is not None:
                await self._noted.note(
                    SentPush(
                        device.address,
                        device.person_id,
                        device.id,
                        device.kind,
                        message.payload,
                        message.ttl,
                        message.topic,
                        now(),
                        outcome,
                    )
                )

    def _leaves(self, device: Device) -> bool:
        """Whether a development server really sends there: only where the operator has named it."""
        try:
            return device.kind is not DeviceKind.WEB_PUSH or self._web_push.named(device)
        except Refused:
            return True  # to be refused by the sender, as in production

    async def _settle(self, device: Device, failed: PushFailed | None) -> None:
        if isinstance(failed, SetUp | Refused):
            log.error("push.refused", type=device.kind, reason=failed.outcome, why=str(failed))
        elif failed is not None:
            log.info("push.failed", type=device.kind, reason=failed.outcome, why=str(failed))
        try:
            async with borrowed(self._pool) as connection:
                match failed:
                    case None:
                        await devices.well(connection, device)
                    case Gone():
                        await devices.drop(connection, device)
                    case Overflow() | Withdrawn():
                        pass
                    case _:
                        await devices.rest(connection, device, self._sender.rest(device, failed))
        except Unavailable:
            log.warning("push.unavailable", at="settle")
