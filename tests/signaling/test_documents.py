"""The two documents are valid, whole, and say what the server does."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest
from openapi_spec_validator import validate

from signaling import asyncapi, openapi, protocol
from signaling.problems import STATUS
from signaling.routes import table
from signaling.schemas import tag_of
from tests.client import Client
from tests.flows.test_one_call import matched
from tests.house import Server, serving

URL = "https://visavis.example"
NAMES = {
    "help.ask", "help.cancel", "help.wait", "shift.start", "shift.end", "offer.accept", "offer.decline", "offer.open",
    "call.signal", "call.connected", "call.quality", "call.hint", "call.text", "call.control", "call.restart",
    "call.end", "hello", "ack", "welcome", "ok", "problem", "help.status", "help.nobody", "help.closed", "offer.ring",
    "offer.gone", "call.begin", "call.partner", "call.ended", "account.changed", "bye", "call.did",
}  # fmt: skip


@pytest.fixture
async def server(database_url: str, redis_url: str, prefix: str) -> AsyncIterator[Server]:
    async with serving(database_url, redis_url, prefix) as made:
        yield made


def test_the_openapi_document_is_valid() -> None:
    document = openapi.document(table(development=False), URL, "1")
    validate(document)
    assert document["openapi"] == "3.1.0"


def test_every_route_says_what_it_reads_and_answers() -> None:
    for route in table(development=True):
        assert not route.public or route.summary, route.path
        assert route.method in ("GET", "PUT", "POST", "DELETE")
        assert all(error in STATUS for error in route.errors)


def test_the_development_routes_are_in_no_document() -> None:
    document = openapi.document(table(development=True), URL, "1")
    assert not [path for path in document["paths"] if path.startswith("/dev")]


def test_the_asyncapi_document_is_valid() -> None:
    schema = json.loads((Path(__file__).parent.parent / "data" / "asyncapi-3.0.0.json").read_text())
    jsonschema.Draft7Validator(schema).validate(asyncapi.document(URL, "1"))


def test_every_frame_of_the_contract_is_described() -> None:
    messages = asyncapi.document(URL, "1")["components"]["messages"]
    assert {message["name"] for message in messages.values()} >= NAMES


async def test_frames_on_the_wire_are_as_described(server: Server) -> None:
    """Every frame of a whole call, against its schema."""
    document = asyncapi.document(URL, "1")
    by_name: dict[str, list[Any]] = {}
    for message in document["components"]["messages"].values():
        by_name.setdefault(message["name"], []).append(message["payload"])
    async with Client(server.base) as asker, Client(server.base) as helper:
        for client, role in ((asker, "caller"), (helper, "volunteer")):
            await (await client.sign_in()).profile(role)
            await client.connect()
        await helper.command("shift.start")
        call_id = await matched(asker, helper)
        await asker.command("call.signal", call_id=call_id, generation=1, candidates=[{"candidate": ""}])
        await helper.command("call.hint", call_id=call_id, hint="left")
        await asker.command("call.restart", call_id=call_id)
        await asker.command("call.end", call_id=call_id)
        await helper.expect("call.ended")
        frames = [asker.welcome, helper.welcome, *asker.log, *helper.log]
    assert len(frames) > 12
    for frame in frames:
        named = by_name[frame["type"]]
        schema = {"anyOf": named, "components": document["components"]}
        jsonschema.Draft202012Validator(schema).validate(frame)


def test_no_two_frames_share_a_name() -> None:
    tags = [tag_of(kind) for kind in (*asyncapi.FROM_CLIENT, *asyncapi.ANSWERS)]
    assert len(tags) == len(set(tags))
    events = [tag_of(kind) for kind in get_args(protocol.Events)]
    assert len(events) == len(set(events))


async def test_both_are_served_and_can_be_read(server: Server) -> None:
    async with Client(server.base) as anybody:
        assert (await anybody.call("GET", "/v1/openapi.json"))["servers"] == [{"url": server.house.settings.public_url}]
        assert (await anybody.call("GET", "/v1/asyncapi.json"))["asyncapi"] == "3.0.0"


async def test_the_page_names_every_route_and_frame(server: Server) -> None:
    async with Client(server.base) as anybody, anybody.http.get(server.base + "/docs") as response:
        page = await response.text()
        assert response.status == 200
    for name in (*NAMES, "/v1/auth/code", "/v1/me", "/readyz", "4429"):
        assert name in page
