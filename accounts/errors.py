"""What can go wrong with an account. Each error carries data and a stable `code`; only the edge knows status codes."""

from __future__ import annotations


class VisavisError(Exception):
    """The root of every floor's errors. `code` never changes once published; `detail` is an English message id
    that the edge translates and fills with `data`."""

    code = "error"
    detail = "Something went wrong."

    def __init__(self, **data: object) -> None:
        super().__init__(self.detail % data if data else self.detail)
        self.data = data

    @property
    def retry_after(self) -> float | None:
        """Seconds until the same request may succeed, where that is known."""
        value = self.data.get("retry_after")
        return float(value) if isinstance(value, (int, float)) else None


class AccountError(VisavisError):
    """Any refusal by this floor."""


class EmailInvalid(AccountError):
    code = "email_invalid"
    detail = "This is not an e-mail address we can write to. Please check it for typing mistakes."


class LanguageUnknown(AccountError):
    code = "language_unknown"
    detail = "We do not know the language “%(language)s”. Use a BCP 47 tag such as “en” or “pt-BR”."


class LanguagesMissing(AccountError):
    code = "languages_missing"
    detail = "Name at least one language you speak, and at most ten."


class TimeZoneUnknown(AccountError):
    code = "time_zone_unknown"
    detail = "We do not know the time zone “%(time_zone)s”. Use an IANA name such as “Europe/Paris”."


class QuietHoursInvalid(AccountError):
    code = "quiet_hours_invalid"
    detail = "Quiet hours need a start and an end such as “22:00” and “07:30”, and they must differ."


class SnoozeInvalid(AccountError):
    code = "snooze_invalid"
    detail = "Alerts can be paused for a time between now and a year from now, in hours or until a time with its zone."


class MutedNotSpoken(AccountError):
    code = "muted_not_spoken"
    detail = "Only a language that you speak can be muted, and “%(language)s” is not one of yours."


class AliasInvalid(AccountError):
    code = "alias_invalid"
    detail = "An alias has 1 to 30 letters, digits or spaces, and no address, link or number to call."


class RoleFixed(AccountError):
    code = "role_fixed"
    detail = "The role is chosen once. To change it, erase this account and make a new one."


class ProfileIncomplete(AccountError):
    code = "profile_incomplete"
    detail = "Please complete your profile first: role, languages, and your consent."


class ConsentMissing(AccountError):
    code = "consent_missing"
    detail = "We need your consent to the current terms (version %(version)s) before we may go on."


class AdultsOnly(AccountError):
    code = "adults_only"
    detail = "Volunteers must be adults. Please confirm that you are 18 or older."


class CodeWrong(AccountError):
    code = "code_wrong"
    detail = "This code is not right, or its ten minutes have passed. Check it, or ask for a new one in this browser."


class CodeExhausted(AccountError):
    code = "code_exhausted"
    detail = "There were too many wrong codes. Ask for a new one."


class TooManyCodes(AccountError):
    code = "too_many_codes"
    detail = "Too many codes were asked for. Please wait %(retry_after)s seconds, then ask again."


class TokenInvalid(AccountError):
    code = "token_invalid"
    detail = "You are signed out, or the access token is not valid any more. Please sign in again."


class RefreshInvalid(AccountError):
    code = "refresh_invalid"
    detail = "Your sign-in on this device has ended. Please sign in again."


class Barred(AccountError):
    """Banned, suspended or erased: no way in."""

    code = "banned"
    detail = "This account is closed for visavis. The reasons and the way to appeal were sent to your e-mail address."


class NotAllowed(AccountError):
    code = "not_allowed"
    detail = "Your account may not do this."


class PersonUnknown(AccountError):
    code = "person_unknown"
    detail = "There is no such person: %(who)s."


class DeviceInvalid(AccountError):
    code = "device_invalid"
    detail = "This device cannot be rung: its keys or its token are not right. Allow notifications once more."


class DeviceUnknown(AccountError):
    code = "device_unknown"
    detail = "You have no such device."


class Unavailable(VisavisError):
    """The database or the cache does not answer; nothing was changed or the change can be asked for again by its id."""

    code = "unavailable"
    detail = "Our service cannot do this right now. Nothing is lost; please try again in %(retry_after)s seconds."
