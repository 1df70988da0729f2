"""Where the two middle floors meet: each knows the other only through these."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import structlog

from accounts.errors import VisavisError
from accounts.model import Role
from accounts.postgres import Connection, Pool, borrowed
from accounts.service import AccountService
from matching.events import HelpFree
from matching.ledger import calls, pairs
from matching.model import Call, EndReason
from rating.model import CallFacts, EndedCall
from rating.service import RatingService
from signaling.mail import Mailer

log = structlog.get_logger()


class CallsForRating:
    """matching's calls, as rating wants to know them."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def facts(self, person_id: UUID, call_id: UUID) -> CallFacts | None:
        async with borrowed(self._pool) as connection:
            call = await calls.call(connection, call_id)
        role = call.role_of(person_id) if call else None
        if call is None or role is None:
            return None
        since = (datetime.now(UTC) - call.ended_at).total_seconds() if call.ended_at else 0.0
        return CallFacts(
            id=call.id,
            person_id=person_id,
            role=role,
            other_id=call.other(role),
            ended_at=call.ended_at,
            connected=call.duration,
            since_end=since,
        )


class PairsForRating:
    """matching's pairs that never meet again."""

    async def never_again(self, connection: Connection, person_id: UUID, other: UUID, wished: bool) -> None:
        await pairs.set_wish(connection, person_id, other, wished)


class RewardsForMatching:
    """rating's points, as matching settles them."""

    def __init__(self, rating: RatingService) -> None:
        self._rating = rating

    async def call_ended(self, connection: Connection, call: Call) -> None:
        abuse_by: Role | None = call.ended_by if call.end_reason is EndReason.ABUSE else None
        await self._rating.call_ended(
            connection,
            EndedCall(
                id=call.id,
                caller_id=call.caller_id,
                volunteer_id=call.volunteer_id,
                connected=call.duration,
                abuse_by=abuse_by,
            ),
        )

    async def late_tap(self, connection: Connection, volunteer_id: UUID, offer_id: UUID) -> int:
        return await self._rating.late_tap(connection, volunteer_id, offer_id)


class ReachByMail:
    """Reaches callers whose page is closed by mail; the page will say it, too."""

    def __init__(self, accounts: AccountService, mailer: Mailer, public_url: str) -> None:
        self._accounts = accounts
        self._mailer = mailer
        self._public_url = public_url

    async def free(self, caller: UUID, event: HelpFree) -> None:
        try:
            person = await self._accounts.person(caller)
        except VisavisError as error:  # erased, or the database is away: then the page says it
            log.warning("reach.failed", code=error.code)
            return
        if person.email:
            self._mailer.send_free(person.email, f"{self._public_url}/call", person.locale)
