"""A person's past calls: what matching knows of them, and what the person has said of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec

from accounts.model import Role
from accounts.postgres import Pool, borrowed
from matching.ledger import calls, pairs
from matching.lifecycle import told_reason
from matching.model import EndReason
from rating.model import Conduct, Kind, SolvedOutcome
from rating.service import RatingService
from rating.settings import RatingSettings


class MyRating(msgspec.Struct, frozen=True):
    """What the person said of a call."""

    outcome: SolvedOutcome | None
    conduct: Conduct
    technical: bool
    comment: str | None


class PastCall(msgspec.Struct, frozen=True, kw_only=True):
    """One call of the history. Nothing in it identifies the other person."""

    call_id: UUID
    role: Role
    began_at: datetime
    duration: float
    """Connected seconds."""
    reason: EndReason
    partner_languages: tuple[str, ...]
    partner_alias: str | None
    rating: MyRating | None
    may_rate: bool
    rate_until: datetime
    may_report: bool
    reported: Kind | None
    never_again: bool
    points: int


class PastCalls:
    """Reads histories."""

    def __init__(self, pool: Pool, rating: RatingService, settings: RatingSettings) -> None:
        self._pool = pool
        self._rating = rating
        self._settings = settings

    async def calls(self, person_id: UUID, before: datetime | None, at_most: int) -> list[PastCall]:
        """Calls that were connected, newest first."""
        async with borrowed(self._pool) as connection:
            rows = await calls.history(connection, person_id, before, at_most)
            apart = await pairs.wished_by(connection, person_id)
        said = await self._rating.said(person_id, [call.id for call, _ in rows])
        now = datetime.now(UTC)
        past = []
        for call, row in rows:
            role = call.role_of(person_id)
            mine = said[call.id]
            assert role is not None
            assert call.ended_at is not None
            assert call.end_reason is not None
            until = call.ended_at + timedelta(seconds=self._settings.rate_within)
            rated = mine["conduct"] is not None
            past.append(
                PastCall(
                    call_id=call.id,
                    role=role,
                    began_at=call.claimed_at,
                    duration=round(call.duration, 1),
                    reason=told_reason(call.end_reason, call.ended_by, role),
                    partner_languages=tuple(row["partner_languages"]),
                    partner_alias=row["partner_alias"],
                    rating=MyRating(
                        SolvedOutcome(mine["outcome"]) if mine["outcome"] else None,
                        Conduct(mine["conduct"]),
                        mine["technical"],
                        mine["comment"],
                    )
                    if rated
                    else None,
                    may_rate=now < until,
                    rate_until=until,
                    may_report=now < call.ended_at + timedelta(seconds=self._settings.report_within),
                    reported=Kind(mine["report_kind"]) if mine["report_kind"] else None,
                    never_again=call.other(role) in apart,
                    points=mine["points"],
                )
            )
        return past
