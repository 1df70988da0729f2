"""What can go wrong with a push, by what is to be done about it; the services' own codes end here."""

from __future__ import annotations

from typing import ClassVar

from accounts.errors import VisavisError


class PushFailed(Exception):
    """A push service did not take a message. The text is for the log and names nobody."""

    outcome: ClassVar[str] = "failed"


class Gone(PushFailed):
    """The address leads nowhere any more: forget the device."""

    outcome = "gone"


class RetryAfter(PushFailed):
    """The service asks for patience: this device is left alone for `seconds`."""

    outcome = "retry_after"

    def __init__(self, why: str, seconds: float) -> None:
        super().__init__(why)
        self.seconds = seconds


class Quota(RetryAfter):
    """We have sent too much: the device is left alone for `seconds`, and the whole service if others say the same."""

    outcome = "quota"


class Temporary(PushFailed):
    """Something broke on the way: try again in a moment."""

    outcome = "temporary"


class SetUp(PushFailed):
    """Our fault: a key, a setting or a message that the service will not have. The device is kept; people who run the
    server must look."""

    outcome = "set_up"


class Refused(PushFailed):
    """We will not send there: the address is not a push service's, or has begun to lead inside. Nothing was sent."""

    outcome = "refused"


class Overflow(PushFailed):
    """More is waiting to be sent than can be sent while it rings."""

    outcome = "overflow"


# --- what whoever registers a device is told


class EndpointRefused(VisavisError):
    code = "push_endpoint_refused"
    detail = "We do not send notifications to this address. Allow notifications once more in a current browser."


class KindOff(VisavisError):
    code = "push_kind_off"
    detail = "This server does not send notifications of the kind “%(kind)s”."
