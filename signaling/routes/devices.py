"""Where a person can be rung while no page is open."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from aiohttp import web
from msgspec import Meta

from accounts import devices
from accounts.devices import DeviceKind
from accounts.errors import DeviceInvalid, DeviceUnknown
from accounts.postgres import borrowed, transaction
from signaling.house import HOUSE
from signaling.http import Body, Route, answer, bearer, empty, read
from signaling.problems import BadRequest, TooManyRequests
from signaling.push.addresses import look_up
from signaling.push.errors import EndpointRefused, KindOff
from signaling.push.web_push import base64url, valid_keys

FCM_TOKEN = re.compile(r"[A-Za-z0-9_:.-]{16,2048}")
APNS_TOKEN = re.compile(r"[0-9a-fA-F]{64,200}")
"""It becomes part of a path, so nothing else may be in it."""


class PushKeys(Body, frozen=True):
    """The keys of a browser's subscription, as base64url."""

    p256dh: Annotated[str, Meta(max_length=120)]
    auth: Annotated[str, Meta(max_length=60)]


class WebPushDevice(Body, frozen=True, tag_field="kind", tag="web_push", rename={"expiration_time": "expirationTime"}):
    """What `PushSubscription.toJSON()` gives, and `kind`."""

    endpoint: Annotated[str, Meta(max_length=2048)]
    keys: PushKeys
    expiration_time: float | None = None


class FcmDevice(Body, frozen=True, tag_field="kind", tag="fcm"):
    """An Android app's registration token."""

    token: Annotated[str, Meta(max_length=2048)]


class ApnsDevice(Body, frozen=True, tag_field="kind", tag="apns"):
    """An iOS app's device token, as hexadecimal digits."""

    token: Annotated[str, Meta(max_length=2048)]


PostDevice = WebPushDevice | FcmDevice | ApnsDevice


class Saved(msgspec.Struct, frozen=True):
    """A device that can be rung."""

    id: UUID
    kind: DeviceKind


class MyDevice(msgspec.Struct, frozen=True):
    """A device of the person, without its address."""

    id: UUID
    kind: DeviceKind
    created_at: datetime


class MyDevices(msgspec.Struct, frozen=True):
    """All of them, newest first."""

    devices: tuple[MyDevice, ...]


class PushKey(msgspec.Struct, frozen=True):
    """What a browser subscribes with, and which kinds of devices can be registered."""

    key: str
    """`applicationServerKey`: our public P-256 point, uncompressed, as base64url (RFC 8292 section 3.2)."""
    kinds: tuple[DeviceKind, ...]


async def push_key(request: web.Request) -> web.StreamResponse:
    house = request.app[HOUSE]
    return answer(PushKey(base64url(house.keys.current.push_point), house.pushes.kinds))


async def my_devices(request: web.Request) -> web.StreamResponse:
    house = request.app[HOUSE]
    person, _ = await house.accounts.who(bearer(request))
    async with borrowed(house.pool) as connection:
        found = await devices.of_person(connection, person.id)
    return answer(MyDevices(tuple(MyDevice(each.id, each.kind, each.created_at) for each in found)))


async def add_device(request: web.Request) -> web.StreamResponse:
    house = request.app[HOUSE]
    person, family = await house.accounts.who(bearer(request))
    await house.limits.check("device", person.id, house.settings.limits.devices_per_person)
    body: PostDevice = await read(request, PostDevice)  # type: ignore[arg-type]  # a union is no class to mypy
    kind = DeviceKind(str(body.__struct_config__.tag))
    if kind not in house.pushes.kinds:
        raise KindOff(kind=str(kind))
    key = auth = None
    if isinstance(body, WebPushDevice):
        endpoint = house.settings.push_services.check(body.endpoint)
        key, auth = _raw(body.keys.p256dh), _raw(body.keys.auth)
        if not valid_keys(key, auth):
            raise DeviceInvalid()
        await look_up(house.web_push.resolver, endpoint)
        address = endpoint.url
    else:
        address = body.token
        if not (FCM_TOKEN if kind is DeviceKind.FCM else APNS_TOKEN).fullmatch(address):
            raise DeviceInvalid()
    at_most = house.settings.accounts.devices_at_most
    async with transaction(house.pool) as connection:
        device = await devices.save(connection, person.id, family, kind, address, key, auth, at_most)
    house.keeper.touched([person.id])
    return answer(Saved(device, kind), 201)


def _raw(text: str) -> bytes:
    """Of base64url, with or without padding. Raises `DeviceInvalid`."""
    try:
        return base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise DeviceInvalid() from error


async def remove_device(request: web.Request) -> web.StreamResponse:
    house = request.app[HOUSE]
    person, _ = await house.accounts.who(bearer(request))
    try:
        device = UUID(request.match_info["id"])
    except ValueError as error:
        raise DeviceUnknown() from error
    async with borrowed(house.pool) as connection:
        if not await devices.remove(connection, person.id, device):
            raise DeviceUnknown()
    house.keeper.touched([person.id])
    return empty()


ROUTES = [
    Route(
        method="GET",
        path="/v1/push/key",
        handler=push_key,
        summary="What a browser subscribes to pushes with.",
        tag="me",
        answer=PushKey,
        signed_in=False,
    ),
    Route(
        method="GET",
        path="/v1/me/devices",
        handler=my_devices,
        summary="Devices that are rung while no page is open.",
        tag="me",
        answer=MyDevices,
    ),
    Route(
        method="POST",
        path="/v1/me/devices",
        handler=add_device,
        summary="Ring this device too. The same address again is the same device.",
        tag="me",
        body=PostDevice,
        answer=Saved,
        status=201,
        errors=(BadRequest, DeviceInvalid, EndpointRefused, KindOff, TooManyRequests),
    ),
    Route(
        method="DELETE",
        path="/v1/me/devices/{id}",
        handler=remove_device,
        summary="Ring this device no more.",
        tag="me",
        status=204,
        errors=(DeviceUnknown,),
    ),
]
