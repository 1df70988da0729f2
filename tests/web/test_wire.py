"""The socket of the pages by itself: a socket of our own making under it, and a clock that is set by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Browser

from tests.house import serving
from tests.web.people import Visitor

HARNESS = """
async (folder) => {
  const {Wire} = await import(folder + 'wire.js');
  const {Problem} = await import(folder + 'api.js');
  window.sockets = [];
  window.told = [];
  window.WebSocket = class {
    constructor(url, protocol) { Object.assign(this, {url, protocol, sent: [], at: Date.now()}); sockets.push(this); }
    send(text) { this.sent.push(JSON.parse(text)); }
    close() { this.closed = true; }
  };
  Math.random = () => 0.5;  // no jitter: delays are as named
  const api = {ticket: async () => { if (window.refusal) throw new Problem(...refusal); return 'ticket'; }};
  const tell = (what) => (...data) => told.push([what, ...data.map((one) => one?.detail ?? one)]);
  window.wire = new Wire(api, {
    onEvent: tell('event'), onWelcome: tell('welcome'), onLost: tell('lost'), onClosed: tell('closed'),
    onDelay: tell('delay'),
  }, 'ws://here/v1/socket');
  window.frame = (data) => sockets.at(-1).onmessage({data: typeof data === 'string' ? data : JSON.stringify(data)});
  window.welcome = (resumed = false, seq = 0, session = 's1') => {
    sockets.at(-1).onopen();
    frame({type: 'welcome', session, seq, resumed, state: {}});
  };
  window.drop = (code = 1006) => sockets.at(-1).onclose({code});
  window.ask = (type, data = {}) => wire.command({type, ...data}).then(
    (ok) => told.push(['ok', ok]), (problem) => told.push(['problem', problem.code]));
  wire.start();
}
"""


class Wire:
    """The wire in a page."""

    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor

    async def do(self, script: str) -> Any:
        return await self._visitor.page.evaluate(f"async () => {{ {script}; }}")

    async def get(self, expression: str) -> Any:
        return await self._visitor.page.evaluate(expression)

    async def later(self, milliseconds: int) -> None:
        await self._visitor.page.clock.run_for(milliseconds)

    async def sockets(self) -> int:
        return int(await self.get("sockets.length"))

    async def sent(self) -> list[dict[str, Any]]:
        """Frames on the newest socket, after the hello."""
        frames: list[dict[str, Any]] = await self.get("sockets.at(-1).sent.slice(1)")
        return frames

    async def told(self, *kinds: str) -> list[list[Any]]:
        told: list[list[Any]] = await self.get("told")
        return [each for each in told if not kinds or each[0] in kinds]


@pytest.fixture(scope="module")
async def page(browser: Browser, services: Any, databases: Any) -> AsyncIterator[Visitor]:
    url = await databases.migrated()
    async with serving(url, services.redis_url, "wire:") as server:
        visitor = await Visitor.coming(browser, server, None)
        await visitor.page.clock.install(time=0)
        await visitor.page.clock.pause_at(1000)
        yield visitor
        await visitor.leave()
        assert not visitor.complaints
    await databases.drop(url)


@pytest.fixture
async def wire(page: Visitor) -> Wire:
    """A wire that has just been started and waits for its welcome."""
    await page.go("/terms")
    await page.page.evaluate(HARNESS, f"/static/{page.server.house.pages.static.version}/js/")
    return Wire(page)


async def test_hello(wire: Wire) -> None:
    await wire.do("sockets[0].onopen()")
    assert await wire.get("[sockets[0].url, sockets[0].protocol]") == ["ws://here/v1/socket", "visavis.v1"]
    (hello,) = await wire.get("sockets[0].sent")
    assert hello == {"type": "hello", "ticket": "ticket", "client": "web", "features": []}


async def test_a_command_keeps_its_id_until_it_is_answered(wire: Wire) -> None:
    """Also over two sockets, and also if it was given before the first welcome; afterwards it is not sent again."""
    await wire.do("ask('help.ask', {request_id: 'r'}); welcome()")
    (first,) = await wire.sent()
    await wire.do("drop()")
    await wire.later(10)
    await wire.do("welcome(true, 0)")
    assert await wire.sent() == [first]
    await wire.do(f"frame({{type: 'ok', re: '{first['id']}'}}); drop()")
    await wire.later(400)
    await wire.do("welcome(true, 0)")
    assert await wire.sent() == []
    assert [kind for kind, *_ in await wire.told("ok", "problem")] == ["ok"]


async def test_resume(wire: Wire) -> None:
    """The next hello names the session and the last event; events come once, whatever the server sends again."""
    await wire.do("welcome(false, 4)")
    for seq in (5, 6, 6, 5, 7):
        await wire.do(f"frame({{type: 'x', seq: {seq}}})")
    assert [each[1]["seq"] for each in await wire.told("event")] == [5, 6, 7]
    await wire.do("drop()")
    await wire.later(10)
    await wire.do("welcome(true, 7)")
    hello = await wire.get("sockets.at(-1).sent[0]")
    assert hello["resume"] == {"session": "s1", "seq": 7}


async def test_what_belongs_to_a_lost_session(wire: Wire) -> None:
    """Signals of the moment die with it; everything else is asked again of the new one."""
    await wire.do("welcome(); ask('call.signal'); ask('call.end'); drop()")
    await wire.later(10)
    await wire.do("welcome(false, 0, 's2')")
    assert [frame["type"] for frame in await wire.sent()] == ["call.end"]
    assert await wire.told("problem") == [["problem", "session_lost"]]


async def test_acknowledgements(wire: Wire) -> None:
    """Every five events, and a lone one after a while."""
    await wire.do("welcome()")
    await wire.do("for (let seq = 1; seq <= 7; seq++) frame({type: 'x', seq})")
    assert await wire.sent() == [{"type": "ack", "seq": 5}]
    await wire.later(5000)
    assert (await wire.sent())[-1] == {"type": "ack", "seq": 7}
    await wire.later(5000)
    assert len(await wire.sent()) == 2


async def test_the_delays(wire: Wire) -> None:
    """0, 0.3, 1.2, 2.7, 4.8, then always 7 seconds; a socket that held starts anew, one that did not does not."""
    await wire.do("welcome()")
    await wire.later(6000)
    assert await wire.sockets() == 1
    for number, delay in enumerate((0, 300, 1200, 2700, 4800, 7000, 7000), 1):
        await wire.do("drop()")
        if delay:
            await wire.later(delay - 20)
            assert await wire.sockets() == number, delay
        await wire.later(25)
        assert await wire.sockets() == number + 1, delay
    await wire.do("welcome(true)")
    await wire.later(1000)
    await wire.do("drop()")
    await wire.later(6900)
    before = await wire.sockets()
    await wire.later(200)
    assert await wire.sockets() == before + 1
    await wire.do("welcome(true)")
    await wire.later(6000)
    await wire.do("drop()")
    await wire.later(1)
    assert await wire.sockets() == before + 2


async def test_online_tries_at_once(wire: Wire) -> None:
    await wire.do("welcome(); drop()")
    for _ in range(5):
        await wire.later(7100)
        await wire.do("drop()")
    before = await wire.sockets()
    await wire.do("dispatchEvent(new Event('online'))")
    await wire.later(1)
    assert await wire.sockets() == before + 1


@pytest.mark.parametrize(
    ("code", "why"),
    [(4400, "outdated"), (4401, "signed_out"), (4403, "banned"), (4406, "outdated"), (4429, "too_many")],
)
async def test_codes_that_do_not_come_back(wire: Wire, code: int, why: str) -> None:
    await wire.do("sockets[0].onopen(); frame({type: 'problem', re: null, code: 'x', detail: 'Words.'})")
    await wire.do(f"drop({code})")
    await wire.later(60_000)
    assert await wire.sockets() == 1
    assert await wire.told("closed") == [["closed", why, "Words."]]


@pytest.mark.parametrize("code", [1000, 1001, 1006, 1012, 4001, 4002, 4003, 4004, 4009, 4500])
async def test_codes_that_come_back(wire: Wire, code: int) -> None:
    """With the session, but for 4009: another window has it, and taking it back would begin a tug of war."""
    await wire.do(f"welcome(); drop({code})")
    await wire.later(20)
    assert await wire.sockets() == 2
    await wire.do("sockets.at(-1).onopen()")
    assert ("resume" in await wire.get("sockets.at(-1).sent[0]")) is (code != 4009)
    assert await wire.told("closed") == []


async def test_bye(wire: Wire) -> None:
    """The server says when to come back, or not to."""
    await wire.do("welcome(); frame({type: 'bye', seq: 1, reason: 'restart', action: 'resume', after: 3}); drop(1012)")
    await wire.later(2900)
    assert await wire.sockets() == 1
    await wire.later(200)
    assert await wire.sockets() == 2
    await wire.do("welcome(true, 1); frame({type: 'bye', seq: 2, reason: 'signed_out', action: 'stop', after: 0})")
    await wire.do("drop(1000)")
    await wire.later(60_000)
    assert await wire.sockets() == 2
    assert await wire.told("closed") == [["closed", "signed_out", ""]]


async def test_not_now_is_asked_again(wire: Wire) -> None:
    """Under the same id, after as long as the server wants, and not for ever."""
    await wire.do("welcome(); ask('help.ask')")
    problem = ""
    for number in range(1, 9):
        (*_, last) = await wire.sent()
        assert len(await wire.sent()) == number
        problem = f"{{type: 'problem', re: '{last['id']}', code: 'unavailable', detail: 'Wait.', retry_after: 2}}"
        await wire.do(f"frame({problem})")
        await wire.later(1900)
        assert len(await wire.sent()) == number
        await wire.later(150)
    assert len({frame["id"] for frame in await wire.sent()}) == 1
    await wire.do(f"frame({problem})")
    assert await wire.told("problem") == [["problem", "unavailable"]]
    assert len(await wire.told("delay")) == 8


async def test_a_socket_that_does_not_answer_is_left(wire: Wire) -> None:
    """A network can die without a word: a command without an answer for ten seconds is the sign."""
    await wire.do("welcome(); ask('call.end')")
    await wire.later(9000)
    assert await wire.sockets() == 1
    await wire.later(3000)
    assert await wire.sockets() == 2
    assert await wire.get("sockets[0].closed")
    await wire.do("welcome(true)")
    assert [frame["type"] for frame in await wire.sent()] == ["call.end"]


async def test_a_welcome_that_does_not_come(wire: Wire) -> None:
    await wire.later(16_000)
    assert await wire.sockets() >= 2


async def test_no_ticket(wire: Wire) -> None:
    await wire.do("welcome(); window.refusal = [503, {code: 'unavailable', retry_after: 2}]; drop()")
    await wire.later(1900)
    await wire.do("window.refusal = null")
    assert await wire.sockets() == 1
    await wire.later(200)
    assert await wire.sockets() == 2
    await wire.do("window.refusal = [401, {code: 'refresh_invalid', detail: 'Signed out.'}]; drop()")
    await wire.later(3000)
    assert await wire.told("closed") == [["closed", "signed_out", "Signed out."]]


async def test_frames_that_are_none(wire: Wire) -> None:
    await wire.do("welcome()")
    for frame in ("'not json'", "'null'", "'[]'", "'7'", "{type: 'x'}", "{re: 'unknown', type: 'ok'}", "{seq: 'a'}"):
        await wire.do(f"frame({frame})")
    assert await wire.told("event", "ok", "problem", "closed") == []
