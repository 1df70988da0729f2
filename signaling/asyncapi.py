"""The AsyncAPI 3.0 document of the socket, made from the structs of `protocol.py`."""

from __future__ import annotations

from typing import Any, get_args
from urllib.parse import urlsplit

from signaling import protocol
from signaling.protocol import Close, Description
from signaling.schemas import Json, components, summary_of, tag_of

RELAYED = (
    protocol.CallSignal,
    protocol.CallHint,
    protocol.CallText,
    protocol.CallControl,
    protocol.CallDid,
)
"""Commands that reach the other side as events, with `seq` in the place of `id`."""
FROM_CLIENT: tuple[Any, ...] = (protocol.Hello, protocol.Ack, *get_args(protocol.AnyCommand))
ANSWERS: tuple[Any, ...] = (protocol.Welcome, protocol.Ok, protocol.Problem)
EVENTS: tuple[Any, ...] = get_args(protocol.Events)


def document(public_url: str, version: str) -> Json:
    """The whole document."""
    kinds = [*FROM_CLIENT, *ANSWERS, *EVENTS, Description, protocol.Candidate]
    _, named = components(kinds)
    _complete_signal(named["CallSignal"])
    messages: Json = {}
    sent, received = [], []
    for kind in FROM_CLIENT:
        messages[tag_of(kind)] = _message(kind, kind.__name__)
        sent.append(tag_of(kind))
    for kind in ANSWERS:
        messages[tag_of(kind)] = _message(kind, kind.__name__)
        received.append(tag_of(kind))
    for kind in EVENTS:
        name = f"{tag_of(kind)}.event" if tag_of(kind) in messages else tag_of(kind)
        _count(named[kind.__name__])
        messages[name] = _message(kind, kind.__name__)
        received.append(name)
    for kind in RELAYED:
        schema = f"{kind.__name__}Event"
        named[schema] = _relayed(named[kind.__name__])
        name = f"{tag_of(kind)}.event"
        messages[name] = _message(kind, schema)
        received.append(name)
    parts = urlsplit(public_url)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "visavis socket",
            "version": version,
            "description": _description(),
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "visavis": {"host": parts.netloc, "protocol": "wss" if parts.scheme == "https" else "ws"},
        },
        "channels": {
            "socket": {
                "address": "/v1/socket",
                "description": f"WebSocket subprotocol `{protocol.SUBPROTOCOL}`; one JSON object a text frame.",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
            }
        },
        "operations": {
            "fromClient": _operation("receive", "What clients send.", sent),
            "toClient": _operation("send", "What clients hear.", received),
        },
        "components": {"schemas": named, "messages": messages},
    }


def _message(kind: Any, schema: str) -> Json:
    return {
        "name": tag_of(kind),
        "summary": summary_of(kind),
        "payload": {"$ref": f"#/components/schemas/{schema}"},
    }


def _operation(action: str, summary: str, names: list[str]) -> Json:
    return {
        "action": action,
        "summary": summary,
        "channel": {"$ref": "#/channels/socket"},
        "messages": [{"$ref": f"#/channels/socket/messages/{name}"} for name in names],
    }


def _count(schema: Json) -> None:
    """Every event carries `seq`, which the session adds."""
    schema["properties"]["seq"] = {"type": "integer", "minimum": 1}
    schema["required"] = [*schema.get("required", []), "seq"]


def _relayed(command: Json) -> Json:
    """A command as the other side hears it."""
    properties = {name: schema for name, schema in command["properties"].items() if name != "id"}
    event = {**command, "properties": properties, "required": [name for name in command["required"] if name != "id"]}
    _count(event)
    return event


def _complete_signal(schema: Json) -> None:
    """What passes through undecoded has no type of its own in the struct."""
    schema["properties"]["description"] = {"$ref": "#/components/schemas/Description"}
    schema["properties"]["candidates"] = {
        "type": "array",
        "maxItems": 200,
        "items": {"anyOf": [{"$ref": "#/components/schemas/Candidate"}, {"type": "null"}]},
    }


def _description() -> str:
    codes = "\n".join(f"- {code.value}: {code.name.lower().replace('_', ' ')}" for code in Close)
    return (
        "The first frame is `hello` with a ticket from `POST /v1/socket-ticket`; `welcome` answers it with the whole "
        "present. Every command carries an `id` of the client's and is answered by `ok` or `problem`; the same `id` "
        "again gets the same answer and has no second effect. Every event carries `seq`, which rises by one within a "
        "session; `ack` frees the server's buffer, and a `hello` with `resume` replays what was missed. "
        f"Frames are at most {protocol.FRAME_LIMIT} bytes.\n\n"
        "Close codes (4000 to 4099: come back; 4400 to 4499: do not):\n\n"
        f"{codes}\n- 1012: the server restarts, come back\n"
    )
