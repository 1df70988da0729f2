"""What can go wrong with a request, an offer or a call."""

from __future__ import annotations

from accounts.errors import VisavisError


class MatchingError(VisavisError):
    """Any refusal by this floor."""


class IllegalMove(MatchingError):
    """A state machine was asked for a move it does not have: `state` and `event` say which."""

    code = "wrong_state"
    detail = "This cannot be done now (%(event)s while %(state)s)."


class NotForRole(MatchingError):
    code = "wrong_role"
    detail = "Only a %(role)s can do this."


class RequestOpen(MatchingError):
    code = "request_open"
    detail = "You already have an open request. Cancel it, or wait for its answer."


class RequestUnknown(MatchingError):
    code = "request_unknown"
    detail = "You have no such request."


class RequestClosed(MatchingError):
    code = "request_closed"
    detail = "This request is over. Ask again with a new request_id."


class RequestIdTaken(MatchingError):
    code = "request_id_taken"
    detail = "This request_id cannot be used. Make a new UUID."


class InCall(MatchingError):
    code = "in_call"
    detail = "You are in a call. End it first."


class OfferUnknown(MatchingError):
    code = "offer_unknown"
    detail = "You have no such offer."


class OfferTaken(MatchingError):
    """The late tap. Not a failure of the person: the words are a thank-you."""

    code = "offer_taken"
    detail = "Someone else was a moment faster and is helping now. Thank you for being there!"

    @property
    def points(self) -> int | None:
        """What having been there has earned; None if nothing, or if it was earned by an earlier tap."""
        points = self.data.get("points")
        return points if isinstance(points, int) and points > 0 else None


class OfferClosed(MatchingError):
    code = "offer_closed"
    detail = "The caller does not need help any more. Thank you for being there!"


class OfferAnswered(MatchingError):
    code = "offer_answered"
    detail = "You have declined this offer already."


class CallbackNotPossible(MatchingError):
    code = "callback_not_possible"
    detail = "This call was not cut off, so the same volunteer is not rung again. Ask for help as usual."


class CallbackTooLate(MatchingError):
    code = "callback_too_late"
    detail = "It is too late to call the same volunteer back. Ask for help as usual."


class CallUnknown(MatchingError):
    """Also for a stranger's call: whether it exists is nobody else's business."""

    code = "call_unknown"
    detail = "You have no such call."


class CallOver(MatchingError):
    code = "call_over"
    detail = "This call has ended."


class IndexBusy(MatchingError):
    code = "index_busy"
    detail = "The candidate index is being rebuilt already. Wait until that is done; `visavis index status` tells."
