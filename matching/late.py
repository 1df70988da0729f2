"""The late tap: somebody was there, a moment after somebody else. They are thanked, and earn standby credit once."""

from __future__ import annotations

from uuid import UUID

from accounts.postgres import Connection
from matching import figures
from matching.ledger import offers
from matching.model import Outcome
from matching.ports import Rewards


async def tapped_late(connection: Connection, rewards: Rewards, volunteer_id: UUID, offer_id: UUID) -> int:
    """Write a late tap; the points it earns, which are 0 for one that was written before."""
    async with connection.transaction():
        if not await offers.answer(connection, [offer_id], Outcome.LATE):
            return 0
        figures.LATE_TAPS.inc()
        return await rewards.late_tap(connection, volunteer_id, offer_id)
