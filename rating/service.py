"""What people can say after a call, and what a call earns."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec

from accounts import audit
from accounts.model import Role
from accounts.postgres import Connection, Pool, Row, borrowed, transaction
from rating import points, store
from rating.errors import (
    AlreadyReported,
    CallStillOn,
    NotYourCall,
    OutcomeNotYours,
    RatingSealed,
    TooLateToReport,
    TooManyReports,
)
from rating.model import CallFacts, Conduct, EndedCall, Kind, Rating, tidy
from rating.ports import Calls, Pairs
from rating.settings import RatingSettings


class RatingService:
    """Ratings, reports, never-again and points over one Postgres."""

    def __init__(self, pool: Pool, calls: Calls, pairs: Pairs, settings: RatingSettings) -> None:
        self._pool = pool
        self._calls = calls
        self._pairs = pairs
        self._settings = settings

    # --- what people say

    async def rate(self, person_id: UUID, call_id: UUID, rating: Rating) -> None:
        """Say how a call was, or change what was said. "A problem" also keeps the two apart for good.
        Raises `NotYourCall`, `CallStillOn`, `RatingSealed`, `OutcomeNotYours`, `TextTooLong`."""
        call = await self._ended(person_id, call_id)
        if call.since_end > self._settings.rate_within:
            raise RatingSealed()
        if rating.outcome is not None and call.role is not Role.CALLER:
            raise OutcomeNotYours()
        rating = msgspec.structs.replace(rating, comment=tidy(rating.comment, self._settings.comment_at_most))
        async with transaction(self._pool) as connection:
            await store.rate(connection, call_id, person_id, call.other_id, rating)
            if rating.conduct is Conduct.PROBLEM:
                await self._pairs.never_again(connection, person_id, call.other_id, True)

    async def never_again(self, person_id: UUID, call_id: UUID, wished: bool) -> None:
        """Wish never to meet the other person of a call again, or take that back.
        Raises `NotYourCall`, `CallStillOn`."""
        call = await self._ended(person_id, call_id)
        async with transaction(self._pool) as connection:
            await self._pairs.never_again(connection, person_id, call.other_id, wished)

    async def report(self, person_id: UUID, call_id: UUID, kind: Kind, text: str | None) -> UUID:
        """Report the other person of a call; the two are kept apart, and what the call earned the other is taken back.
        Raises `NotYourCall`, `TooLateToReport`, `TooManyReports`, `AlreadyReported`, `TextTooLong`."""
        call = await self._ended(person_id, call_id)
        if call.since_end > self._settings.report_within:
            raise TooLateToReport()
        text = tidy(text, self._settings.report_text_at_most)
        async with transaction(self._pool) as connection:
            if await store.reports_today(connection, person_id, call_id) >= self._settings.reports_a_day:
                raise TooManyReports()
            return await self._report(connection, call_id, person_id, call.other_id, kind, text)

    async def _report(
        self, connection: Connection, call_id: UUID, reporter: UUID, subject: UUID, kind: Kind, text: str | None
    ) -> UUID:
        report_id = await store.report(connection, call_id, reporter, subject, kind, text)
        if report_id is None:
            raise AlreadyReported()
        await self._pairs.never_again(connection, reporter, subject, True)
        await store.reverse(connection, call_id, subject)
        await audit.append(connection, str(reporter), "rating:call:report", call_id, kind=kind)
        return report_id

    async def _ended(self, person_id: UUID, call_id: UUID) -> CallFacts:
        call = await self._calls.facts(person_id, call_id)
        if call is None:
            raise NotYourCall()
        if call.ended_at is None:
            raise CallStillOn()
        return call

    # --- what a call earns: in the transaction that ends it

    async def call_ended(self, connection: Connection, call: EndedCall) -> None:
        """Settle points, and open the report that "end, block, report" asks for."""
        if call.abuse_by is not None:
            reporter, subject = (call.caller_id, call.volunteer_id)[:: 1 if call.abuse_by is Role.CALLER else -1]
            await self._report(connection, call.id, reporter, subject, Kind.ABUSE, None)
        if call.connected < self._settings.least_connected:
            return
        history = await store.call_history(connection, call.volunteer_id, call.caller_id, self._settings.pair_window)
        reported = call.abuse_by is Role.CALLER
        earned = points.for_call(call.connected, reported, history, self._settings)
        await store.award(connection, call.volunteer_id, earned, call_id=call.id)

    async def late_tap(self, connection: Connection, volunteer_id: UUID, offer_id: UUID) -> int:
        """Thank a volunteer who was a moment too late; the points that earns."""
        today = await store.standbys_today(connection, volunteer_id)
        earned = points.for_late_tap(today, self._settings)
        return await store.award(connection, volunteer_id, earned, offer_id=offer_id)

    # --- what people see

    async def points_of(self, person_id: UUID, at_most: int = 100) -> tuple[int, list[Row]]:
        """A volunteer's balance and latest awards, newest first."""
        async with borrowed(self._pool) as connection:
            return await store.balance(connection, person_id), await store.awards(connection, person_id, at_most)

    async def said(self, person_id: UUID, call_ids: Sequence[UUID]) -> dict[UUID, Row]:
        """What a person has said of each of these calls."""
        async with borrowed(self._pool) as connection:
            return await store.said(connection, person_id, call_ids)
