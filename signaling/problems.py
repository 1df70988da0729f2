"""Errors as the outside sees them: the only place that knows which error is which status. RFC 9457."""

from __future__ import annotations

import msgspec

from accounts import errors as accounts
from accounts.errors import VisavisError
from matching import errors as matching
from rating import errors as rating
from signaling import relay
from signaling.i18n import Words
from signaling.push import errors as push


class BadRequest(VisavisError):
    code = "bad_request"
    detail = "We did not understand this request: %(why)s."


class TooManyRequests(VisavisError):
    code = "too_many_requests"
    detail = "That was too often. Please wait %(retry_after)s seconds, then try again."


class NotFound(VisavisError):
    code = "not_found"
    detail = "There is nothing at this address."


class WrongMethod(VisavisError):
    code = "method_not_allowed"
    detail = "This address does not know that method."


class BodyTooLarge(VisavisError):
    code = "body_too_large"
    detail = "This is too large: at most %(at_most)s bytes."


class WrongOrigin(VisavisError):
    code = "wrong_origin"
    detail = "Pages of this address may not connect here."


class TicketInvalid(VisavisError):
    code = "ticket_invalid"
    detail = "This socket ticket is unknown, used or older than 30 seconds. Ask for a new one."


class TooManySockets(VisavisError):
    code = "too_many_sockets"
    detail = "You have visavis open in too many places. Close one of them, then try again."


class SignedOut(VisavisError):
    code = "signed_out"
    detail = "Please sign in first."


class ShuttingDown(VisavisError):
    code = "shutting_down"
    detail = "This server is restarting. Please try again in %(retry_after)s seconds."


class Internal(VisavisError):
    code = "internal"
    detail = "Something went wrong on our side. It was noted; please try again."


STATUS: dict[type[VisavisError], int] = {
    BadRequest: 400,
    TooManyRequests: 429,
    NotFound: 404,
    WrongMethod: 405,
    BodyTooLarge: 413,
    WrongOrigin: 403,
    TicketInvalid: 401,
    TooManySockets: 429,
    SignedOut: 401,
    ShuttingDown: 503,
    Internal: 500,
    accounts.EmailInvalid: 422,
    accounts.LanguageUnknown: 422,
    accounts.LanguagesMissing: 422,
    accounts.TimeZoneUnknown: 422,
    accounts.QuietHoursInvalid: 422,
    accounts.SnoozeInvalid: 422,
    accounts.MutedNotSpoken: 422,
    accounts.AliasInvalid: 422,
    accounts.RoleFixed: 409,
    accounts.ProfileIncomplete: 409,
    accounts.ConsentMissing: 422,
    accounts.AdultsOnly: 422,
    accounts.CodeWrong: 401,
    accounts.CodeExhausted: 401,
    accounts.TooManyCodes: 429,
    accounts.TokenInvalid: 401,
    accounts.RefreshInvalid: 401,
    accounts.Barred: 403,
    accounts.NotAllowed: 403,
    accounts.PersonUnknown: 404,
    accounts.DeviceInvalid: 422,
    accounts.DeviceUnknown: 404,
    accounts.Unavailable: 503,
    matching.IllegalMove: 409,
    matching.NotForRole: 403,
    matching.RequestOpen: 409,
    matching.RequestUnknown: 404,
    matching.RequestClosed: 409,
    matching.RequestIdTaken: 409,
    matching.InCall: 409,
    matching.OfferUnknown: 404,
    matching.OfferTaken: 409,
    matching.OfferClosed: 409,
    matching.OfferAnswered: 409,
    matching.CallbackNotPossible: 409,
    matching.CallbackTooLate: 409,
    matching.CallUnknown: 404,
    matching.CallOver: 409,
    matching.IndexBusy: 409,
    rating.NotYourCall: 404,
    rating.CallStillOn: 409,
    rating.RatingSealed: 409,
    rating.OutcomeNotYours: 422,
    rating.TextTooLong: 422,
    rating.TooLateToReport: 409,
    rating.TooManyReports: 429,
    rating.AlreadyReported: 409,
    push.EndpointRefused: 422,
    push.KindOff: 422,
    relay.SignalMalformed: 422,
    relay.SignalNotYours: 409,
    relay.VideoRefused: 403,
    relay.SignalStale: 409,
}


class ProblemDetails(msgspec.Struct, frozen=True, omit_defaults=True):
    """The body of a refusal, as `application/problem+json`."""

    title: str
    status: int
    code: str
    detail: str
    retry_after: float | None = None


def details(error: VisavisError, words: Words) -> ProblemDetails:
    """The problem for an error, in words."""
    detail = words(error.detail, error.data)
    status = STATUS[type(error)]
    return ProblemDetails(detail.split(". ")[0].rstrip("."), status, error.code, detail, error.retry_after)
