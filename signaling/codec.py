"""From bytes to frames and back, by codecs built once. A frame that cannot be decoded gets a code and a sentence."""

from __future__ import annotations

from typing import Annotated, Any, get_args

import msgspec
from msgspec import Meta

from signaling.protocol import Ack, AnyCommand, Candidate, Description, Hello

COMMANDS: msgspec.json.Decoder[AnyCommand | Ack] = msgspec.json.Decoder(AnyCommand | Ack)
HELLO = msgspec.json.Decoder(Hello)
DESCRIPTION = msgspec.json.Decoder(Description)
CANDIDATES: msgspec.json.Decoder[list[Candidate | None]] = msgspec.json.Decoder(
    Annotated[list[Candidate | None], Meta(max_length=200)]
)
ENCODER = msgspec.json.Encoder()
encode = ENCODER.encode


class _Envelope(msgspec.Struct):
    id: Any = None
    type: Any = None


class FrameRefused(Exception):
    """A frame that cannot be carried out. `fatal` ones are no JSON object at all."""

    def __init__(self, code: str, detail: str, re: str | None, fatal: bool) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.re = re
        self.fatal = fatal


_TYPES = {str(kind.__struct_config__.tag) for kind in get_args(AnyCommand)} | {"ack", "hello"}


def decode(frame: str) -> AnyCommand | Ack:
    """The command in a frame. Raises `FrameRefused` with a code, a sentence, and the command's id where it had one."""
    try:
        return COMMANDS.decode(frame)
    except msgspec.ValidationError as error:
        raise _refused(frame, str(error)) from error
    except msgspec.DecodeError as error:
        raise FrameRefused("bad_frame", f"This frame is not JSON: {error}.", None, True) from error


def _refused(frame: str, why: str) -> FrameRefused:
    try:
        envelope = msgspec.json.decode(frame, type=_Envelope)
    except msgspec.ValidationError:
        return FrameRefused("bad_frame", "A frame must be one JSON object.", None, True)
    re = envelope.id if isinstance(envelope.id, str) and 0 < len(envelope.id) <= 64 else None
    if envelope.type == "hello":
        return FrameRefused("wrong_state", "This socket has said hello already.", re, False)
    if not isinstance(envelope.type, str) or envelope.type not in _TYPES:
        named = envelope.type if isinstance(envelope.type, str) else ""
        return FrameRefused("unknown_type", f"There is no frame of the type “{named[:64]}”. See /docs.", re, False)
    return FrameRefused("bad_field", f"{why}. See /docs for the fields of “{envelope.type}”.", re, False)
