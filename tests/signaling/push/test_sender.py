"""How many at once, how often, and when again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import aiohttp
import pytest
from aiohttp import web

from accounts.devices import Device, DeviceKind
from signaling.push.addresses import Allowed
from signaling.push.errors import Gone, Overflow, PushFailed, Quota, Refused, RetryAfter, SetUp, Temporary
from signaling.push.message import Message, ring
from signaling.push.sender import Sender, Withdrawn
from signaling.push.settings import PushSettings
from signaling.push.web_push import WebPush
from tests.signaling.push.services import Browser, Got, device, stand_in, until
from tests.signaling.push.test_web_push import OFFER, vapid

QUICK = {"first_wait": 0.001, "patience": 5.0}
MESSAGE = ring(OFFER, 30)


class Scripted:
    """A service that does what the test says, one try after the other."""

    def __init__(self, *script: PushFailed | Callable[[], Awaitable[None]] | None) -> None:
        self.script = list(script)
        self.tries = 0

    def host(self, device: Device) -> str:
        return device.address

    async def send(self, device: Device, message: Message) -> None:
        self.tries += 1
        do = self.script.pop(0) if self.script else None
        if isinstance(do, PushFailed):
            raise do
        if do is not None:
            await do()

    async def close(self) -> None: ...


def sender(service: Scripted, **numbers: float) -> Sender:
    settings = PushSettings(**{**QUICK, **numbers})  # type: ignore[arg-type]
    return Sender({DeviceKind.WEB_PUSH: service}, settings)


def phone(host: str = "a", failures: int = 0) -> Device:
    return device(DeviceKind.WEB_PUSH, host, failures=failures)


def soon() -> float:
    return time.monotonic() + 30


async def hang() -> None:
    await asyncio.Event().wait()


async def test_what_is_temporary_is_tried_again() -> None:
    service = Scripted(Temporary("x"), Temporary("x"), None)
    await sender(service).send(phone(), MESSAGE, soon())
    assert service.tries == 3


async def test_but_not_for_ever() -> None:
    service = Scripted(*[Temporary("x")] * 9)
    with pytest.raises(Temporary):
        await sender(service, tries=4).send(phone(), MESSAGE, soon())
    assert service.tries == 4


@pytest.mark.parametrize("failed", [Gone("x"), SetUp("x"), Refused("x"), RetryAfter("x", 1), Quota("x", 1)])
async def test_nothing_else_is(failed: PushFailed) -> None:
    service = Scripted(failed)
    with pytest.raises(type(failed)):
        await sender(service).send(phone(), MESSAGE, soon())
    assert service.tries == 1


async def test_a_service_that_hangs_is_given_up() -> None:
    service = Scripted(hang, hang, hang)
    with pytest.raises(Temporary):
        await sender(service, patience=0.01, tries=2).send(phone(), MESSAGE, soon())
    assert service.tries == 2


async def test_nothing_goes_on_after_its_time() -> None:
    service = Scripted(hang)
    with pytest.raises(Temporary, match="time was up"):
        await sender(service).send(phone(), MESSAGE, time.monotonic() + 0.01)
    assert service.tries == 1
    with pytest.raises(Temporary, match="time was up"):
        await sender(service).send(phone(), MESSAGE, time.monotonic() - 1)
    assert service.tries == 1


async def test_a_quota_lets_the_whole_service_rest_and_no_other() -> None:
    service = Scripted(*[Quota("x", 30)] * 3)
    sends = sender(service)
    for _ in range(5):
        with pytest.raises(Quota):
            await sends.send(phone("a"), MESSAGE, soon())
    assert service.tries == 3
    await sends.send(phone("b"), MESSAGE, soon())
    assert service.tries == 4


async def test_the_quota_of_one_device_silences_no_other() -> None:
    service = Scripted(*[Quota("x", 30)] * 4, None, *[Quota("x", 30)] * 2)
    sends = sender(service)
    one = phone("a")
    for _ in range(4):
        with pytest.raises(Quota):
            await sends.send(one, MESSAGE, soon())
    await sends.send(phone("a"), MESSAGE, soon())
    for _ in range(2):
        with pytest.raises(Quota):
            await sends.send(phone("a"), MESSAGE, soon())
    await sends.send(phone("a"), MESSAGE, soon())


async def test_patience_for_one_device_is_for_that_one() -> None:
    service = Scripted(RetryAfter("x", 30))
    sends = sender(service)
    with pytest.raises(RetryAfter):
        await sends.send(phone("a"), MESSAGE, soon())
    await sends.send(phone("a"), MESSAGE, soon())


async def test_a_quota_is_over_some_time() -> None:
    service = Scripted(*[Quota("x", 0)] * 3)
    sends = sender(service)
    for _ in range(3):
        with pytest.raises(Quota):
            await sends.send(phone(), MESSAGE, soon())
    await sends.send(phone(), MESSAGE, soon())


async def test_what_is_taken_back_while_it_waits_is_not_sent() -> None:
    service = Scripted()

    async def unwanted() -> bool:
        return False

    with pytest.raises(Withdrawn):
        await sender(service).send(phone(), MESSAGE, soon(), unwanted)
    assert service.tries == 0


async def test_a_kind_that_is_not_switched_on() -> None:
    with pytest.raises(SetUp):
        await sender(Scripted()).send(device(DeviceKind.FCM, "token"), MESSAGE, soon())


@pytest.mark.parametrize(("numbers", "most"), [({"at_once": 3}, 3), ({"at_once": 50, "at_once_per_host": 2}, 2)])
async def test_no_more_at_once_than_allowed(numbers: dict[str, int], most: int) -> None:
    """Counted by the service, which holds the first ones until any others on their way must have arrived."""
    inside: set[str] = set()
    most_inside = 0
    open_now = asyncio.Event()

    async def hold(got: Got) -> web.Response:
        nonlocal most_inside
        if got.path != "/marker":
            inside.add(got.path)
            most_inside = max(most_inside, len(inside))
            await open_now.wait()
            inside.discard(got.path)
        return web.Response(status=201)

    async with stand_in() as door, aiohttp.ClientSession() as http:
        door.answer = hold
        service = WebPush(Allowed(here=(door.base,)), vapid(), 60)
        sends = Sender({DeviceKind.WEB_PUSH: service}, PushSettings(**numbers))  # type: ignore[arg-type]
        browser = Browser()
        try:
            all_of_them = asyncio.gather(
                *(sends.send(browser.device(f"{door.base}/{n}"), MESSAGE, soon()) for n in range(20))
            )
            await until(lambda: len(inside) >= most)
            for _ in range(20):
                await http.post(f"{door.base}/marker")
            open_now.set()
            await all_of_them
        finally:
            await sends.close()
    assert len([got for got in door.got if got.path != "/marker"]) == 20
    assert most_inside == most


async def test_a_slow_service_leaves_room_for_the_others() -> None:
    service = Scripted(hang, hang)
    sends = sender(service, at_once=3, at_once_per_host=2)
    slow = [asyncio.create_task(sends.send(phone("slow"), MESSAGE, soon())) for _ in range(8)]
    await until(lambda: service.tries == 2)
    async with asyncio.timeout(10):
        await asyncio.gather(*(sends.send(phone("quick"), MESSAGE, soon()) for _ in range(5)))
    for task in slow:
        task.cancel()
    await asyncio.gather(*slow, return_exceptions=True)
    assert sends.waiting == 0


async def test_the_queue_has_an_end() -> None:
    service = Scripted(hang)
    sends = sender(service, waiting_at_most=1)
    first = asyncio.create_task(sends.send(phone(), MESSAGE, soon()))
    await until(lambda: service.tries == 1)
    with pytest.raises(Overflow):
        await sends.send(phone(), MESSAGE, soon())
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    await sends.send(phone(), MESSAGE, soon())


def test_a_device_that_fails_again_and_again_is_left_alone_for_longer() -> None:
    sends = sender(Scripted(), rest=60, rest_at_most=3600)
    times = [sends.rest(phone(failures=n), Temporary("x")) for n in range(9)]
    assert times == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]
    assert sends.rest(phone(failures=1000), SetUp("x")) == 3600
    assert sends.rest(phone(failures=5), RetryAfter("x", 90)) == 90
    assert sends.rest(phone(), RetryAfter("x", 0)) == 1
    assert sends.rest(phone(), RetryAfter("x", 1e9)) == 3600
