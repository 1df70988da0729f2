"""The devices on which a person can be rung while no page is open, and how the push services last took to them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from accounts.model import new_id
from accounts.postgres import Connection, Row


class DeviceKind(StrEnum):
    """Who brings a message to a device."""

    WEB_PUSH = "web_push"
    FCM = "fcm"
    APNS = "apns"


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """An address of a person. Its keys are the browser's, made for this subscription alone."""

    id: UUID
    person_id: UUID
    kind: DeviceKind
    address: str
    """An endpoint, or a registration token: whoever knows it may send there, so it is told to nobody."""
    key: bytes | None
    auth: bytes | None
    failures: int
    created_at: datetime


def _device(row: Row) -> Device:
    return Device(
        id=row["id"],
        person_id=row["person_id"],
        kind=DeviceKind(row["kind"]),
        address=row["address"],
        key=row["key"],
        auth=row["auth"],
        failures=row["failures"],
        created_at=row["created_at"],
    )


_DEVICE = "d.id, d.person_id, d.kind, d.address, d.key, d.auth, d.failures, d.created_at"
_AWAKE = "(d.retry_at IS NULL OR d.retry_at <= now())"

REACHABLE = f"EXISTS (SELECT FROM accounts.device d WHERE d.person_id = p.id AND {_AWAKE})"
"""A condition on `accounts.person p`: a push can be tried now."""

# The person is locked first, so that two browsers at once cannot both be the tenth.
HOLD = "SELECT id FROM accounts.person WHERE id = $1 FOR NO KEY UPDATE"
SAVE = """
INSERT INTO accounts.device (id, person_id, family_id, kind, address, key, auth)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT ON CONSTRAINT device_once DO UPDATE
SET person_id = excluded.person_id, family_id = excluded.family_id, key = excluded.key, auth = excluded.auth,
    created_at = now(), failures = 0, retry_at = NULL
RETURNING id
"""
MAKE_ROOM = """
DELETE FROM accounts.device WHERE person_id = $1 AND id NOT IN (
    SELECT id FROM accounts.device WHERE person_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2)
"""


async def save(
    connection: Connection,
    person_id: UUID,
    family: UUID,
    kind: DeviceKind,
    address: str,
    key: bytes | None,
    auth: bytes | None,
    at_most: int,
) -> UUID:
    """Remember an address, in the caller's transaction. It belongs to whoever registered it last; beyond `at_most` the
    oldest of the person go. The same address again is the same device."""
    await connection.execute(HOLD, person_id)
    device_id: UUID = await connection.fetchval(SAVE, new_id(), person_id, family, kind, address, key, auth)
    await connection.execute(MAKE_ROOM, person_id, at_most)
    return device_id


OF_PERSON = f"SELECT {_DEVICE} FROM accounts.device d WHERE d.person_id = $1 ORDER BY d.created_at DESC, d.id DESC"
TO_RING = f"SELECT {_DEVICE} FROM accounts.device d WHERE d.person_id = $1 AND {_AWAKE} ORDER BY d.created_at DESC"
BY_IDS = f"SELECT {_DEVICE} FROM accounts.device d WHERE d.person_id = $1 AND d.id = ANY($2)"


async def of_person(connection: Connection, person_id: UUID) -> list[Device]:
    """All devices of a person, newest first."""
    return [_device(row) for row in await connection.fetch(OF_PERSON, person_id)]


async def to_ring(connection: Connection, person_id: UUID) -> list[Device]:
    """The devices of a person that can be tried now."""
    return [_device(row) for row in await connection.fetch(TO_RING, person_id)]


async def by_ids(connection: Connection, person_id: UUID, ids: Sequence[UUID]) -> list[Device]:
    """Those devices, as far as they still are this person's."""
    return [_device(row) for row in await connection.fetch(BY_IDS, person_id, list(ids))]


PUSHABLE = f"SELECT p.id FROM accounts.person p WHERE p.id = ANY($1) AND {REACHABLE}"


async def pushable(connection: Connection, people: Sequence[UUID]) -> set[UUID]:
    """Those of the people who have a device that can be tried now."""
    return {row["id"] for row in await connection.fetch(PUSHABLE, list(people))}


REMOVE = "DELETE FROM accounts.device WHERE id = $1 AND person_id = $2 RETURNING id"
REMOVE_ALL = "DELETE FROM accounts.device WHERE person_id = $1"


async def remove(connection: Connection, person_id: UUID, device_id: UUID) -> bool:
    """Forget a device of the person; false if they have no such device."""
    return await connection.fetchval(REMOVE, device_id, person_id) is not None


async def remove_all(connection: Connection, person_id: UUID) -> None:
    """Forget every device of the person."""
    await connection.execute(REMOVE_ALL, person_id)


# --- what the push services say. An address that was registered anew meanwhile is left alone.

DROP = "DELETE FROM accounts.device WHERE id = $1 AND created_at = $2"
REST = """
UPDATE accounts.device SET failures = least(failures + 1, 1000), retry_at = now() + make_interval(secs => $3)
WHERE id = $1 AND created_at = $2
"""
WELL = "UPDATE accounts.device SET failures = 0, retry_at = NULL WHERE id = $1 AND failures > 0"


async def drop(connection: Connection, device: Device) -> None:
    """The push service says that this address leads nowhere any more."""
    await connection.execute(DROP, device.id, device.created_at)


async def rest(connection: Connection, device: Device, seconds: float) -> None:
    """The address failed: leave it alone for that long."""
    await connection.execute(REST, device.id, device.created_at, seconds)


async def well(connection: Connection, device: Device) -> None:
    """The address took a message."""
    if device.failures:
        await connection.execute(WELL, device.id)
