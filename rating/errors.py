"""What can go wrong after a call."""

from __future__ import annotations

from accounts.errors import VisavisError


class RatingError(VisavisError):
    """Any refusal by this floor."""


class NotYourCall(RatingError):
    """Also for a call that does not exist: whose calls exist is nobody else's business."""

    code = "call_unknown"
    detail = "You have no such call."


class CallStillOn(RatingError):
    code = "call_still_on"
    detail = "This call has not ended yet. You can say how it was afterwards."


class RatingSealed(RatingError):
    code = "rating_sealed"
    detail = "Ratings are sealed 72 hours after a call. You can still report a problem for 30 days."


class OutcomeNotYours(RatingError):
    code = "outcome_not_yours"
    detail = "Only the caller says whether the problem was solved. Leave “outcome” out."


class TextTooLong(RatingError):
    code = "text_too_long"
    detail = "This text is too long: at most %(at_most)s characters."


class TooLateToReport(RatingError):
    code = "too_late_to_report"
    detail = "Calls can be reported for 30 days. In danger, call your local emergency number."


class TooManyReports(RatingError):
    code = "too_many_reports"
    detail = "You have sent many reports today. Please write to us if this goes on; you can report again tomorrow."


class AlreadyReported(RatingError):
    code = "already_reported"
    detail = "You have reported this call already. We look at every report."
