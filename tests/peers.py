"""Two ends of a call with real media (aiortc), signalled through the service. Media stays on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import aioice.ice
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, MediaStreamError, VideoStreamTrack

from tests.client import Client, Json


@contextmanager
def on_loopback() -> Iterator[None]:
    """aioice leaves 127.0.0.1 out; a test machine may have nothing else, and no packet should leave it."""
    original = aioice.ice.get_host_addresses
    aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]
    try:
        yield
    finally:
        aioice.ice.get_host_addresses = original


class Peer:
    """One end. It reads the signals of its client, and counts what it receives."""

    def __init__(self, client: Client, call_id: str) -> None:
        self.client = client
        self.call_id = call_id
        # Never without iceServers: the default asks a public STUN server.
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.frames = {"audio": 0, "video": 0}
        self._counting: list[asyncio.Task[None]] = []
        self.connection.on("track", self._count)

    def _count(self, track: Any) -> None:
        async def count() -> None:
            try:
                while True:
                    await track.recv()
                    self.frames[track.kind] += 1
            except MediaStreamError:
                pass

        self._counting.append(asyncio.create_task(count()))

    async def offer(self, generation: int = 1) -> None:
        """As the caller: video out, audio both ways."""
        self.connection.addTransceiver(VideoStreamTrack(), direction="sendonly")
        self.connection.addTransceiver(AudioStreamTrack(), direction="sendrecv")
        await self.connection.setLocalDescription(await self.connection.createOffer())
        await self._send(generation)
        answer = (await self.client.expect("call.signal"))["description"]
        await self.connection.setRemoteDescription(RTCSessionDescription(**answer))

    async def answer(self) -> None:
        """As the volunteer: video in, audio both ways."""
        signal = await self.client.expect("call.signal")
        await self.connection.setRemoteDescription(RTCSessionDescription(**signal["description"]))
        self.connection.addTrack(AudioStreamTrack())
        await self.connection.setLocalDescription(await self.connection.createAnswer())
        await self._send(signal["generation"])

    async def _send(self, generation: int) -> None:
        local = self.connection.localDescription
        description: Json = {"type": local.type, "sdp": local.sdp}
        await self.client.command("call.signal", call_id=self.call_id, generation=generation, description=description)

    async def receives(self, kind: str, more: int = 5, within: float = 10) -> None:
        """Wait until this many more frames have come."""
        until = self.frames[kind] + more
        async with asyncio.timeout(within):
            while self.frames[kind] < until:  # noqa: ASYNC110 (frames are counted in many tasks)
                await asyncio.sleep(0.02)

    async def close(self) -> None:
        await cast(Any, self.connection.close())
        for task in self._counting:
            task.cancel()
        await asyncio.gather(*self._counting, return_exceptions=True)


async def connect(asker: Client, helper: Client, call_id: str) -> tuple[Peer, Peer]:
    """Both ends of a call, with media flowing and reported."""
    seeing, seen = Peer(helper, call_id), Peer(asker, call_id)
    await asyncio.gather(seen.offer(), seeing.answer())
    await seeing.receives("video")
    await asyncio.gather(seeing.receives("audio"), seen.receives("audio"))
    for side in (asker, helper):
        await side.command("call.connected", call_id=call_id)
    return seen, seeing
