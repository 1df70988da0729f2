"""What may pass from one side of a call to the other. Pure.

SDP and ICE pass untouched and are stored nowhere, with three exceptions: a description that would send a volunteer's
video is refused; so is one that is not that side's to send; and where media must go through our own TURN server, every
candidate that is not a relay's is taken out and every related address blanked, so that neither side learns the other's
address (RFC 8828 section 5.2, mode 4)."""

from __future__ import annotations

import re

import msgspec

from accounts.errors import VisavisError
from accounts.model import Role
from signaling.codec import CANDIDATES, DESCRIPTION, encode
from signaling.protocol import CallSignal, Candidate, IcePolicy


class SignalRefused(VisavisError):
    """Any refusal to pass a signal on."""


class SignalMalformed(SignalRefused):
    code = "signal_malformed"
    detail = "A signal has either a description or candidates, as WebRTC makes them: %(why)s."


class SignalNotYours(SignalRefused):
    code = "signal_not_yours"
    detail = "The caller offers and the volunteer answers. Use call.restart to ask for a new offer."


class VideoRefused(SignalRefused):
    code = "video_refused"
    detail = "Video flows only from the caller to the volunteer. Answer video with “recvonly” or “inactive”."


class SignalStale(SignalRefused):
    code = "signal_stale"
    detail = "This belongs to an offer that a newer one has replaced."


DIRECTIONS = {"sendrecv", "sendonly", "recvonly", "inactive"}
_LINE = re.compile(r"\r\n|\r|\n")
_RELATED = re.compile(r"\braddr\s+\S+\s+rport\s+\S+", re.IGNORECASE)
_CONNECTION = re.compile(r"^c=IN (IP4|IP6) \S+$")
_RTCP = re.compile(r"^(a=rtcp:\d+)(?: IN IP[46] \S+)?$")
_ORIGIN = re.compile(r"^(o=\S+ \S+ \S+ IN) IP[46] \S+$")


def passed(signal: CallSignal, role: Role, policy: IcePolicy) -> bytes:
    """The signal's payload for the other side, as `"description":…` or `"candidates":…`. Raises `SignalRefused`."""
    has_description = isinstance(signal.description, msgspec.Raw)
    if has_description == isinstance(signal.candidates, msgspec.Raw):
        raise SignalMalformed(why="exactly one of them")
    if isinstance(signal.description, msgspec.Raw):
        return b'"description":' + _description(signal.description, role, policy)
    assert isinstance(signal.candidates, msgspec.Raw)
    return b'"candidates":' + _candidates(signal.candidates, policy)


def _description(raw: msgspec.Raw, role: Role, policy: IcePolicy) -> bytes:
    try:
        description = DESCRIPTION.decode(raw)
    except msgspec.MsgspecError as error:
        raise SignalMalformed(why=str(error)) from error
    if (description.type == "offer") is not (role is Role.CALLER):
        raise SignalNotYours()
    if role is Role.VOLUNTEER:
        refuse_video(description.sdp)
    if policy == "all":
        return bytes(raw)
    return encode(msgspec.structs.replace(description, sdp=only_relays(description.sdp)))


def _candidates(raw: msgspec.Raw, policy: IcePolicy) -> bytes:
    try:
        candidates = CANDIDATES.decode(raw)
    except msgspec.MsgspecError as error:
        raise SignalMalformed(why=str(error)) from error
    if policy == "all":
        return bytes(raw)
    kept: list[Candidate | None] = []
    for candidate in candidates:
        if candidate is None or not candidate.candidate:
            kept.append(candidate)
        elif is_relay(candidate.candidate):
            kept.append(msgspec.structs.replace(candidate, candidate=blanked(candidate.candidate)))
    return encode(kept)


def refuse_video(sdp: str) -> None:
    """Raises `VideoRefused` unless every video section says, at its own level, that nothing is sent.

    Strict on purpose: a section without a direction sends (RFC 8866 section 6.7), and of two directions in one section
    parsers disagree which one counts."""
    directions: list[str] | None = None  # of the current video section
    for line in [*_LINE.split(sdp), "m="]:
        bare = line.strip().lower()
        if bare.startswith("m="):
            if directions is not None and (not directions or not set(directions) <= {"recvonly", "inactive"}):
                raise VideoRefused()
            directions = [] if bare[2:].lstrip().startswith("video") else None
        elif directions is not None and bare.startswith("a=") and bare[2:].strip() in DIRECTIONS:
            directions.append(bare[2:].strip())


def is_relay(candidate: str) -> bool:
    """Whether an ICE candidate is a relay's (RFC 8839 section 5.1)."""
    words = candidate.split()
    return len(words) >= 8 and words[6].lower() == "typ" and words[7].lower() == "relay"


def blanked(candidate: str) -> str:
    """The candidate without the address from which the relay was reached."""
    return _RELATED.sub("raddr 0.0.0.0 rport 0", candidate)


def only_relays(sdp: str) -> str:
    """The description with relay candidates only, and no other address anywhere in it."""
    kept = []
    for line in _LINE.split(sdp):
        if line.lower().startswith("a=candidate:"):
            if not is_relay(line):
                continue
            line = blanked(line)
        line = _CONNECTION.sub("c=IN IP4 0.0.0.0", line)
        line = _ORIGIN.sub(r"\1 IP4 0.0.0.0", line)
        kept.append(_RTCP.sub(r"\1 IN IP4 0.0.0.0", line))
    return "\r\n".join(kept)
