"""What passes from one side of a call to the other, and what does not."""

from __future__ import annotations

import uuid
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.model import Role
from signaling.codec import decode, encode
from signaling.protocol import CallSignal
from signaling.relay import (
    SignalMalformed,
    SignalNotYours,
    VideoRefused,
    is_relay,
    only_relays,
    passed,
    refuse_video,
)

CALLER, VOLUNTEER = Role.CALLER, Role.VOLUNTEER
HOST = "candidate:1 1 udp 2122260223 192.168.1.7 54321 typ host generation 0"
REFLEXIVE = "candidate:2 1 udp 1686052607 203.0.113.9 54321 typ srflx raddr 192.168.1.7 rport 54321"
RELAY = "candidate:3 1 udp 41885439 198.51.100.2 50000 typ relay raddr 203.0.113.9 rport 54321 generation 0"
MDNS = "candidate:4 1 udp 2122260223 9b36eaac-bb2e-49bb-bb78-21c41c499900.local 54400 typ host"
FINGERPRINT = "a=fingerprint:sha-256 " + ":".join(["AB"] * 32)
SDP = "\r\n".join(
    (
        "v=0",
        "o=- 4611731400430051336 2 IN IP4 192.168.1.7",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0 1",
        "m=audio 54321 UDP/TLS/RTP/SAVPF 111",
        "c=IN IP4 192.168.1.7",
        "a=rtcp:9 IN IP4 192.168.1.7",
        f"a={HOST}",
        f"a={REFLEXIVE}",
        f"a={RELAY}",
        FINGERPRINT,
        "a=sendrecv",
        "m=video 9 UDP/TLS/RTP/SAVPF 96",
        "c=IN IP6 2001:db8::7",
        "a=recvonly",
        "",
    )
)


def signal(**fields: Any) -> CallSignal:
    frame = {"type": "call.signal", "id": "1", "call_id": str(uuid.uuid4()), "generation": 1} | fields
    command = decode(encode(frame).decode())
    assert isinstance(command, CallSignal)
    return command


def description(kind: str = "answer", sdp: str = SDP) -> dict[str, str]:
    return {"type": kind, "sdp": sdp}


# --- untouched


def test_without_a_relay_everything_passes_to_the_byte() -> None:
    offer = '{"sdp":"v=0\\r\\n\\u00e9","type":"offer"}'
    frame = (
        '{"type":"call.signal","id":"1","call_id":"00000000-0000-7000-8000-000000000001","generation":1,'
        f'"description":{offer}}}'
    )
    command = decode(frame)
    assert isinstance(command, CallSignal)
    assert passed(command, CALLER, "all") == b'"description":' + offer.encode()


def test_candidates_pass_untouched_with_fields_we_do_not_know() -> None:
    given = [{"candidate": HOST, "sdpMid": "0", "sdpMLineIndex": 0, "somethingNew": 1}, None, {"candidate": ""}]
    assert passed(signal(candidates=given), VOLUNTEER, "all") == b'"candidates":' + encode(given)


# --- whose it is to send, and what it must be


@pytest.mark.parametrize(("role", "kind"), [(CALLER, "answer"), (VOLUNTEER, "offer")])
def test_the_caller_offers_and_the_volunteer_answers(role: Role, kind: str) -> None:
    with pytest.raises(SignalNotYours):
        passed(signal(description=description(kind)), role, "all")


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"description": description(), "candidates": []},
        {"description": {"type": "pranswer", "sdp": "v=0"}},
        {"description": {"type": "answer"}},
        {"description": "v=0"},
        {"description": None},
        {"description": description() | {"extra": 1}},
        {"candidates": {"candidate": HOST}},
        {"candidates": [HOST]},
        {"candidates": [{"sdpMid": "0"}]},
        {"candidates": [{"candidate": "x" * 1001}]},
        {"candidates": [None] * 201},
    ],
)
def test_what_webrtc_does_not_make_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(SignalMalformed):
        passed(signal(**fields), VOLUNTEER, "all")


# --- a volunteer's video


def test_an_answer_that_only_receives_passes() -> None:
    assert passed(signal(description=description()), VOLUNTEER, "all")
    assert passed(signal(description=description(sdp=SDP.replace("recvonly", "inactive"))), VOLUNTEER, "all")


@pytest.mark.parametrize(
    "sdp",
    [
        SDP.replace("a=recvonly", "a=sendrecv"),
        SDP.replace("a=recvonly", "a=sendonly"),
        SDP.replace("a=recvonly", "a=x-nothing"),
        SDP.replace("a=recvonly", "a=recvonly\r\na=sendonly"),
        SDP.replace("a=recvonly", "a=SendRecv"),
        SDP.replace("a=recvonly", " a=sendrecv"),
        SDP.replace("a=recvonly", "a= sendonly"),
        SDP + "m=video 9 UDP/TLS/RTP/SAVPF 97\r\na=sendonly\r\n",
        SDP + "M=VIDEO 9 UDP/TLS/RTP/SAVPF 97\r\n",
        SDP.replace("\r\n", "\n").replace("recvonly", "sendonly"),
        SDP.replace("\r\n", "\r").replace("recvonly", "sendonly"),
        SDP.replace("t=0 0", "t=0 0\r\na=recvonly").replace("SAVPF 96", "SAVPF 96\r\na=sendonly"),
        "m=video 9 UDP/TLS/RTP/SAVPF 96",
    ],
)
def test_an_answer_that_would_send_video_is_refused(sdp: str) -> None:
    with pytest.raises(VideoRefused):
        passed(signal(description=description(sdp=sdp)), VOLUNTEER, "all")


def test_the_caller_may_send_video() -> None:
    sdp = SDP.replace("a=recvonly", "a=sendonly")
    assert passed(signal(description=description("offer", sdp)), CALLER, "all")


@given(before=st.text(max_size=60), after=st.text(max_size=60), direction=st.sampled_from(["sendrecv", "sendonly"]))
def test_nothing_around_it_hides_a_sending_section(before: str, after: str, direction: str) -> None:
    sdp = f"{before}\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na={direction}\r\n{after}"
    with pytest.raises(VideoRefused):
        refuse_video(sdp)


# --- nobody's address


def test_through_a_relay_no_address_but_the_relays_is_left() -> None:
    kept = only_relays(SDP)
    for address in ("192.168.1.7", "203.0.113.9", "2001:db8::7"):
        assert address not in kept
    assert "198.51.100.2 50000 typ relay raddr 0.0.0.0 rport 0" in kept
    assert FINGERPRINT in kept
    assert kept.endswith("\r\n")


def test_through_a_relay_only_relay_candidates_pass() -> None:
    given = [{"candidate": each, "sdpMid": "0"} for each in (HOST, REFLEXIVE, RELAY, MDNS, "a=" + HOST, "")] + [None]
    payload = passed(signal(candidates=given), CALLER, "relay")
    kept = msgspec.json.decode(b"{" + payload + b"}")["candidates"]
    assert [each and each["candidate"] for each in kept] == [
        RELAY.replace("raddr 203.0.113.9 rport 54321", "raddr 0.0.0.0 rport 0"),
        "",
        None,
    ]


def test_a_description_is_cleaned_in_the_frame_too() -> None:
    payload = passed(signal(description=description("offer")), CALLER, "relay")
    assert b"192.168" not in payload
    assert msgspec.json.decode(b"{" + payload + b"}")["description"]["type"] == "offer"


@pytest.mark.parametrize(
    "candidate", [HOST, REFLEXIVE, MDNS, "typ relay", "", "candidate:1 1 udp 1 1.2.3.4 5 type relay"]
)
def test_what_is_no_relays_candidate(candidate: str) -> None:
    assert not is_relay(candidate)
