"""What the pages make of WebRTC's counters, with counters of our own making and a clock that is set by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Browser

from tests.house import serving
from tests.web.people import Visitor

HARNESS = """
async ([folder, role]) => {
  const {Flow} = await import(folder + 'flow.js');
  window.flow?.stop();
  window.happened = [];
  window.sent = [];
  window.stats = [];
  const connection = {connectionState: 'connected', getStats: async () => new Map(stats.map((one, id) => [id, one]))};
  window.flow = new Flow(connection, role, {
    call: 'c1', on: (event) => happened.push(event.type), send: (frame) => sent.push(frame),
  });
}
"""


@pytest.fixture(scope="module")
async def page(browser: Browser, services: Any, databases: Any) -> AsyncIterator[Visitor]:
    url = await databases.migrated()
    async with serving(url, services.redis_url, "flow:") as server:
        visitor = await Visitor.coming(browser, server, None)
        await visitor.page.clock.install(time=0)
        await visitor.page.clock.pause_at(1000)
        await visitor.go("/terms")
        yield visitor
        await visitor.leave()
        assert not visitor.complaints
    await databases.drop(url)


class Flow:
    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor

    async def begin(self, role: str) -> None:
        await self._visitor.page.evaluate(HARNESS, [folder(self._visitor), role])

    async def look(self, *stats: dict[str, Any], times: int = 1, every: int = 2000) -> None:
        """Give these counters and let the flow look at them."""
        await self._visitor.page.evaluate("(given) => { window.stats = given; }", list(stats))
        for _ in range(times):
            await self._visitor.page.clock.run_for(every)

    async def happened(self) -> list[str]:
        events: list[str] = await self._visitor.page.evaluate("happened")
        return events

    async def sent(self) -> list[dict[str, Any]]:
        frames: list[dict[str, Any]] = await self._visitor.page.evaluate("sent")
        return frames


def folder(visitor: Visitor) -> str:
    return f"/static/{visitor.server.house.pages.static.version}/js/"


def heard(count: int, lost: int = 0) -> dict[str, Any]:
    return {
        "type": "inbound-rtp", "kind": "audio", "bytesReceived": count, "packetsReceived": count, "packetsLost": lost,
    }  # fmt: skip


def pair(seconds: float) -> dict[str, Any]:
    return {
        "type": "candidate-pair", "nominated": True, "state": "succeeded", "currentRoundTripTime": seconds,
        "localCandidateId": "L",
    }  # fmt: skip


RELAY = {"id": "L", "type": "local-candidate", "candidateType": "relay"}
SEEN = {
    "type": "inbound-rtp", "kind": "video", "framesDecoded": 3, "packetsReceived": 0, "packetsLost": 0,
    "frameWidth": 640, "frameHeight": 480, "framesPerSecond": 24,
}  # fmt: skip
SENT = {"type": "outbound-rtp", "kind": "video", "bytesSent": 9}


async def test_when_media_has_begun(page: Visitor) -> None:
    """A caller hears and sends; a volunteer sees or, while no picture comes for some seconds, hears."""
    flow = Flow(page)
    await flow.begin("caller")
    await flow.look(heard(0), SENT, times=4, every=250)
    await flow.look(heard(5), times=4, every=250)
    assert await flow.happened() == []
    await flow.look(heard(5), SENT, every=250)
    assert await flow.happened() == ["media.flowing"]
    await flow.begin("volunteer")
    await flow.look(SEEN | {"framesDecoded": 0}, times=4, every=250)
    assert await flow.happened() == []
    await flow.look(SEEN, every=250)
    assert await flow.happened() == ["media.flowing"]
    await flow.begin("volunteer")
    await flow.look(heard(5), times=12, every=250)
    assert await flow.happened() == []
    await flow.look(heard(5), times=6, every=250)
    assert await flow.happened() == ["media.flowing"]


async def test_quality_is_reported(page: Visitor) -> None:
    """Every third look, what is known and nothing else: the server refuses fields without a value."""
    flow = Flow(page)
    await flow.begin("volunteer")
    await flow.look(SEEN, every=250)
    await flow.look(SEEN, heard(90, 10), pair(0.2), RELAY, times=3)
    assert await flow.sent() == [
        {
            "type": "call.quality", "call_id": "c1", "round_trip": 0.2, "width": 640, "height": 480,
            "frames_per_second": 24, "relayed": True,
        }
    ]  # fmt: skip
    await flow.look(heard(100, 10), times=2)
    await flow.look(heard(175, 35))
    assert (await flow.sent())[-1] == {"type": "call.quality", "call_id": "c1", "lost": 0.25}


async def test_poor_is_said_after_two_looks_either_way(page: Visitor) -> None:
    flow = Flow(page)
    await flow.begin("caller")
    await flow.look(heard(5), SENT, every=250)
    for seconds in (0.1, 2.0, 0.1, 2.0):
        await flow.look(heard(5), pair(seconds))
    assert await flow.happened() == ["media.flowing"]
    await flow.look(heard(5), pair(2.0), times=3)
    assert await flow.happened() == ["media.flowing", "media.poor"]
    await flow.look(heard(5), pair(0.1), times=3)
    assert await flow.happened() == ["media.flowing", "media.poor", "media.good"]


async def test_session_descriptions(page: Visitor) -> None:
    """Error correction is asked for where it was not; the fingerprint is read as any browser writes it."""
    script = "async ([folder, name, sdp]) => (await import(folder + 'sdp.js'))[name](sdp)"
    plain = "v=0\r\na=fingerprint:SHA-256 AA:BB\r\nm=audio 9 X 111\r\na=rtpmap:111 opus/48000/2\r\n"
    for sdp, asked in (
        (plain, "a=rtpmap:111 opus/48000/2\r\na=fmtp:111 useinbandfec=1\r\n"),
        (plain + "a=fmtp:111 minptime=10\r\n", "a=fmtp:111 minptime=10;useinbandfec=1\r\n"),
        (plain + "a=fmtp:111 useinbandfec=0\r\n", "a=fmtp:111 useinbandfec=0\r\n"),
    ):
        assert asked in await page.page.evaluate(script, [folder(page), "withFec", sdp])
    assert await page.page.evaluate(script, [folder(page), "withFec", "v=0\r\n"]) == "v=0\r\n"
    assert await page.page.evaluate(script, [folder(page), "fingerprint", plain]) == "sha-256 aa:bb"
