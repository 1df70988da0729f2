"""Giving a person a standing, with everything that follows at once: tokens die, calls end, sockets close."""

from __future__ import annotations

from uuid import UUID

from accounts import service as accounts
from accounts.model import Standing
from accounts.postgres import transaction
from signaling.house import House


async def set_standing(house: House, person_id: UUID, standing: Standing, *, actor: str, reason: str) -> None:
    """In one transaction the standing, the audit row, the end of a live call and of an open request, and the parcels
    that tell everybody; then they are carried. Raises `PersonUnknown`, `Unavailable`."""
    async with transaction(house.pool) as connection:
        # First: it holds the person's row, so that no claim of theirs begins until this is committed.
        parcels = await accounts.set_standing(connection, person_id, standing, actor=actor, reason=reason)
        touched: list[UUID] = []
        if not standing.may_meet:
            ended, touched = await house.help.bar(connection, person_id)
            parcels = [*ended, *parcels]
    await house.carrier.carry(parcels)
    await house.help.after_bar(touched)
