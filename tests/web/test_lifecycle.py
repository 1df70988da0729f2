"""The two machines of the pages, driven by themselves: every move of a call, and what must not be one.

The modules are imported into a page of the server, as the pages do; nothing else of the pages runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Browser

from tests.house import serving
from tests.web.people import Visitor

Json = dict[str, Any]

DRIVE = """
async ([name, events, kept]) => {
  const {default: step, start} = await import(window.folder + name + '-lifecycle.js');
  let now = start(kept);
  const walked = [];
  for (const event of events) {
    const before = JSON.stringify(now);
    try {
      const made = step(now, event);
      if (JSON.stringify(now) !== before) throw new Error('a state was changed in its place');
      now = made.state;
      walked.push({at: now.at, did: made.effects.map(({do: what, ...data}) =>
        [what, data.screen ?? data.what ?? data.frame?.type ?? data.name ?? data.on ?? ''].join(' ').trim()), now});
    } catch (error) {
      walked.push({raised: error.name === 'Error' ? error.constructor.name : error.name, text: error.message});
    }
  }
  return walked;
}
"""


@pytest.fixture(scope="module")
async def modules(browser: Browser, services: Any, databases: Any) -> AsyncIterator[Visitor]:
    """A page of ours that does nothing."""
    url = await databases.migrated()
    async with serving(url, services.redis_url, "machines:") as server:
        visitor = await Visitor.coming(browser, server, None)
        await visitor.go("/terms")
        folder = f"/static/{server.house.pages.static.version}/js/"
        await visitor.page.evaluate(f"window.folder = '{folder}'")
        yield visitor
        await visitor.leave()
        assert not visitor.complaints
    await databases.drop(url)


async def drive(modules: Visitor, name: str, *events: Json, **kept: Any) -> list[Json]:
    """The states and effects of a machine for these events, from its start."""
    walked: list[Json] = await modules.page.evaluate(DRIVE, [name, list(events), kept])
    return walked


def press(what: str, **data: Any) -> Json:
    return {"type": f"press.{what}", "request_id": "r1", "accept_id": "a1", "reason": "done"} | data


STATUS = {"type": "help.status", "request_id": "r1", "state": "looking", "asked": 1, "waited": 3.0}
BEGIN = {
    "type": "call.begin",
    "call_id": "c1",
    "request_id": "r1",
    "role": "caller",
    "partner": {"languages": ["en"], "experience": 1},
    "ice_servers": [],
    "ice_policy": "all",
}
ENDED = {"type": "call.ended", "call_id": "c1", "reason": "done", "duration": 3, "may_call_back": False}
ASKED = [press("ask"), {"type": "camera.opened"}, STATUS]
TALKING = [*ASKED, BEGIN, {"type": "media.flowing"}]
OFFER = {"type": "offer.ring", "offer_id": "o1", "request_id": "r1", "languages": ["en"], "waited": 1, "expires_in": 30}
ON_SHIFT = [press("start"), {"type": "microphone.ready"}, {"type": "done", "of": "shift.start"}]
HELPING = [*ON_SHIFT, OFFER, press("accept"), BEGIN | {"role": "volunteer"}, {"type": "media.flowing"}]


def welcome(resumed: bool = False, **state: Any) -> Json:
    present = {"request": None, "call": None, "shift": False, "offers": []} | state
    return {"type": "welcome", "resumed": resumed, "state": present}


async def test_a_callers_whole_call(modules: Visitor) -> None:
    walked = await drive(modules, "caller", *TALKING, press("end"), ENDED, press("ask", request_id="r2"))
    assert [each["at"] for each in walked] == [
        "camera", "asking", "ringing", "connecting", "connected", "ended", "ended", "camera",
    ]  # fmt: skip
    assert walked[0]["did"] == ["camera.open", "tell camera"]
    assert walked[1]["did"] == ["send help.ask", "show waiting", "tell asking", "sound asking"]
    assert walked[3]["did"] == ["camera.open", "peer.open", "show connecting", "tell connecting", "sound answered"]
    assert walked[4]["did"] == ["send call.connected", "show call", "alert connected", "sound connected"]
    # Camera and microphone stop before anything is sent.
    assert walked[5]["did"][:3] == ["peer.close", "camera.close", "send call.end"]
    assert walked[6]["did"] == ["ended"]
    assert walked[7]["now"]["request"] == "r2"


async def test_a_volunteers_whole_call(modules: Visitor) -> None:
    walked = await drive(modules, "volunteer", *HELPING, ENDED, press("start"))
    assert [each["at"] for each in walked] == [
        "checking", "starting", "waiting", "ringing", "accepting", "connecting", "connected", "ended", "checking",
    ]  # fmt: skip
    assert walked[3]["did"] == ["ring true", "show ringing", "say ring"]
    assert walked[4]["did"] == [
        "ring false", "quieten", "camera.open", "send offer.accept", "show connecting", "tell accepting",
    ]  # fmt: skip
    assert "send shift.end" in walked[5]["did"]
    assert walked[7]["did"] == ["peer.close", "camera.close", "show ended", "alert ended", "sound ended"]


@pytest.mark.parametrize(
    ("event", "did", "trouble"),
    [
        ("media.lost", ["alert reconnecting", "sound lost"], "reconnecting"),
        ("media.poor", ["tell poor"], "poor"),
        ("wire.lost", ["tell offline_call"], ""),
    ],
)
async def test_trouble_in_a_call(modules: Visitor, event: str, did: list[str], trouble: str) -> None:
    last = (await drive(modules, "caller", *TALKING, {"type": event}))[-1]
    assert (last["did"], last["now"]["trouble"], last["at"]) == (did, trouble, "connected")


async def test_trouble_is_said_once_and_the_greater_one_counts(modules: Visitor) -> None:
    away = {"type": "call.partner", "call_id": "c1", "state": "away"}
    events = [{"type": "media.lost"}, {"type": "media.lost"}, {"type": "media.poor"}, away, {"type": "media.back"}]
    walked = (await drive(modules, "caller", *TALKING, *events, away, away | {"state": "back"}))[len(TALKING) :]
    assert [each["did"] for each in walked] == [
        ["alert reconnecting", "sound lost"], [], [], [], ["alert back", "sound back"], ["tell away"],
        ["tell returned"],
    ]  # fmt: skip


async def test_alerts_only_for_connected_lost_back_and_ended(modules: Visitor) -> None:
    allowed = {"connected", "reconnecting", "back", "ended", "again", "offline", "online"}
    source = await modules.page.evaluate(
        """async () => (await Promise.all(['', 'caller-', 'volunteer-'].map(async (name) =>
             (await fetch(window.folder + name + 'lifecycle.js')).text()))).join('')"""
    )
    used = {part.split("'")[0] for part in source.split("alert('")[1:]}
    assert used == allowed


async def test_given_back_by_the_server(modules: Visitor) -> None:
    """After a loss the request goes on by itself; after an end that somebody chose, it does not."""
    again = STATUS | {"state": "looking_again", "asked": 0}
    walked = await drive(modules, "caller", *TALKING, ENDED | {"reason": "volunteer_lost"}, again)
    assert [each["at"] for each in walked[-2:]] == ["ringing", "ringing"]
    assert walked[-2]["did"] == ["peer.close", "show waiting", "alert again", "sound lost"]
    walked = await drive(modules, "caller", *ASKED, BEGIN, ENDED, again)
    assert [each["at"] for each in walked[-2:]] == ["ended", "ringing"]
    assert walked[-1]["did"][:2] == ["camera.open", "show waiting"]
    walked = await drive(modules, "caller", *TALKING, press("end"), again)
    assert (walked[-1]["at"], walked[-1]["did"]) == ("ended", [])


async def test_stopped_in_the_moment_of_the_answer(modules: Visitor) -> None:
    """The server had matched the request when the cancel came: that call is ended, not begun."""
    walked = await drive(modules, "caller", *ASKED, press("stop"), BEGIN)
    assert (walked[-1]["at"], walked[-1]["did"]) == ("ready", ["send call.end"])
    walked = await drive(modules, "volunteer", *ON_SHIFT, OFFER, press("accept"), press("end"), BEGIN)
    assert (walked[-1]["at"], walked[-1]["did"]) == ("waiting", ["send call.end"])


async def test_what_other_windows_do(modules: Visitor) -> None:
    other = BEGIN | {"request_id": "r9", "call_id": "c9"}
    walked = await drive(modules, "caller", other, ENDED | {"call_id": "c9"})
    assert [each["at"] for each in walked] == ["elsewhere", "ready"]
    assert "peer.open" not in walked[0]["did"]
    walked = await drive(modules, "caller", STATUS | {"request_id": "r9"}, press("here"))
    assert [each["at"] for each in walked] == ["elsewhere", "ringing"]
    walked = await drive(modules, "volunteer", *ON_SHIFT, other, press("here"))
    assert [each["at"] for each in walked[-2:]] == ["elsewhere", "connecting"]
    # In a call of its own, a page does not care.
    assert (await drive(modules, "caller", *TALKING, other))[-1]["at"] == "connected"


async def test_the_truth_after_a_lost_session(modules: Visitor) -> None:
    lost = await drive(modules, "caller", *TALKING, welcome())
    assert (lost[-1]["at"], lost[-1]["now"]["reason"]) == ("ended", "gone")
    kept = await drive(modules, "caller", *TALKING, welcome(call=BEGIN))
    assert (kept[-1]["at"], kept[-1]["did"]) == ("connected", ["peer.check"])
    missed = await drive(modules, "caller", *ASKED, welcome(call=BEGIN))
    assert missed[-1]["at"] == "connecting"
    asking = await drive(modules, "caller", *ASKED[:2], welcome())
    assert asking[-1]["at"] == "asking"  # the command is sent again by the wire
    closed = await drive(modules, "caller", *ASKED, welcome())
    assert closed[-1]["at"] == "ready"
    again = await drive(modules, "caller", *TALKING, welcome(request={"request_id": "r1", "waited": 9}))
    assert again[-1]["at"] == "ringing"
    reloaded = await drive(modules, "caller", welcome(call=BEGIN), request="r1", call="c1")
    assert reloaded[-1]["at"] == "connecting"
    resumed = await drive(modules, "caller", *TALKING, welcome(resumed=True))
    assert resumed[-1]["at"] == "connected"


async def test_a_volunteer_after_a_lost_session(modules: Visitor) -> None:
    back = await drive(modules, "volunteer", *ON_SHIFT, welcome())
    assert back[-1]["at"] == "waiting"
    assert "send shift.start" in back[-1]["did"]
    rung = await drive(modules, "volunteer", *ON_SHIFT, welcome(shift=True, offers=[OFFER]))
    assert rung[-1]["at"] == "ringing"
    assert "send shift.start" not in rung[-1]["did"]
    gone = await drive(modules, "volunteer", *HELPING, welcome())
    assert gone[-1]["at"] == "ended"


async def test_several_offers(modules: Visitor) -> None:
    """One is shown, the others wait their turn."""
    second = OFFER | {"offer_id": "o2", "request_id": "r2"}
    gone = {"type": "offer.gone", "offer_id": "o1", "reason": "taken"}
    walked = await drive(modules, "volunteer", *ON_SHIFT, OFFER, second, OFFER, gone, press("decline"))
    tail = walked[len(ON_SHIFT) :]
    assert [each["at"] for each in tail] == ["ringing", "ringing", "ringing", "ringing", "waiting"]
    assert [each["did"] for each in tail[1:3]] == [[], []]
    assert [offer["offer_id"] for offer in tail[3]["now"]["offers"]] == ["o2"]
    assert "tell gone" in tail[3]["did"]


async def test_a_late_tap_goes_back_to_the_shift(modules: Visitor) -> None:
    late = {"type": "refused", "of": "offer.accept", "code": "offer_taken", "detail": "Thanks!"}
    walked = await drive(modules, "volunteer", *ON_SHIFT, OFFER, press("accept"), late)
    assert walked[-1]["at"] == "waiting"
    assert {"tell late", "camera.close"} <= set(walked[-1]["did"])


NOBODY = {"type": "help.nobody", "request_id": "r1", "waited": 180, "choices": ["wait", "later", "stop"]}
FREE = {"type": "help.free", "request_id": "r1", "languages": ["en"]}
WISH = {"request_id": "r1", "languages": ["en"]}


async def test_reserved_and_looking_again(modules: Visitor) -> None:
    """Somebody picks up, and does not come: both are said, and the second is said once."""
    reserved, again = STATUS | {"state": "reserved"}, STATUS | {"state": "looking_again"}
    walked = await drive(modules, "caller", *ASKED, reserved, again, again)
    tail = walked[len(ASKED) :]
    assert [each["at"] for each in tail] == ["ringing"] * 3
    assert [each["did"] for each in tail] == [
        ["tell reserved", "sound tick"], ["tell looking", "sound tick"], ["tell looking", "sound tick"],
    ]  # fmt: skip
    assert [each["now"]["search"] for each in tail] == ["reserved", "looking_again", "looking_again"]
    # It answers the question of "nobody" by itself.
    walked = await drive(modules, "caller", *ASKED, NOBODY, reserved)
    assert (walked[-1]["at"], walked[-1]["did"][0]) == ("ringing", "show waiting")
    walked = await drive(
        modules, "caller", welcome(request={"request_id": "r1", "state": "reserved", "waited": 9}), request="r1"
    )
    assert "tell reserved" in walked[-1]["did"]


async def test_later(modules: Visitor) -> None:
    later = [*ASKED, NOBODY, press("later")]
    closed = {"type": "help.closed", "request_id": "r1", "reason": "later"}
    walked = await drive(modules, "caller", *later, closed, FREE, FREE, press("ask", request_id="r2"))
    tail = walked[len(ASKED) + 1 :]
    assert [each["at"] for each in tail] == ["later", "later", "free", "free", "camera"]
    assert tail[0]["did"] == ["camera.close", "send help.later", "show later", "tell later"]
    assert tail[2]["did"] == ["camera.close", "show free", "tell free", "sound free"]
    assert tail[3]["did"] == []
    assert tail[4]["now"]["request"] == "r2"
    # Thought better of it; or it was closed in another window.
    walked = await drive(modules, "caller", *later, press("stop"))
    assert walked[-1]["at"] == "ready"
    assert {"send help.cancel", "tell forgotten"} <= set(walked[-1]["did"])
    walked = await drive(modules, "caller", *later, closed | {"reason": "cancelled"})
    assert walked[-1]["at"] == "ready"
    # Somebody answered in that very moment.
    assert (await drive(modules, "caller", *later, BEGIN))[-1]["at"] == "connecting"
    refused = {"type": "refused", "of": "help.later", "code": "request_closed", "detail": "Over."}
    assert (await drive(modules, "caller", *later, refused))[-1]["at"] == "ready"


async def test_later_after_a_reload(modules: Visitor) -> None:
    async def after(at: list[Json], **state: Any) -> Json:
        return (await drive(modules, "caller", *at, welcome(**state)))[-1]

    later = [*ASKED, NOBODY, press("later")]
    for before in ([], ASKED, [*ASKED, NOBODY]):
        assert (await after(before, later=WISH))["at"] == "later"
        assert (await after(before, free=WISH))["at"] == "free"
    assert (await after(later, later=WISH))["did"] == []
    assert (await after(later, free=WISH))["at"] == "free"
    assert (await after([*later, FREE], free=WISH))["did"] == []
    over = await after(later)
    assert (over["at"], "tell later_over" in over["did"]) == ("ready", True)
    assert (await after(ASKED[:1], free=WISH))["at"] == "camera"
    told = await drive(modules, "caller", FREE)
    assert told[-1]["at"] == "free"  # another window had wished it


async def test_the_same_volunteer_again(modules: Visitor) -> None:
    dropped = ENDED | {"reason": "technical", "may_call_back": True}
    again = [press("callback", request_id="r2"), {"type": "camera.opened"}]
    walked = await drive(modules, "caller", *TALKING, dropped, *again, STATUS | {"request_id": "r2"})
    tail = walked[len(TALKING) :]
    assert [each["at"] for each in tail] == ["ended", "camera", "asking", "ringing"]
    assert tail[0]["now"]["mayCallBack"] is True
    assert tail[2]["did"] == ["send help.callback", "show waiting", "tell asking_back", "sound asking"]
    # Too late: said, and the one button is back.
    refused = {"type": "refused", "of": "help.callback", "code": "callback_too_late", "detail": "Too late."}
    walked = await drive(modules, "caller", *TALKING, dropped, *again, refused)
    assert (walked[-1]["at"], walked[-1]["now"]["back"]) == ("ready", None)
    # Asking anybody after a drop is an ordinary request, and an ordinary end leaves nobody to call back.
    walked = await drive(modules, "caller", *TALKING, dropped, press("ask", request_id="r2"), {"type": "camera.opened"})
    assert "send help.ask" in walked[-1]["did"]
    assert (await drive(modules, "caller", *TALKING, ENDED))[-1]["now"]["mayCallBack"] is False
    # The camera failed: ended here, and the server says that it may be called back.
    walked = await drive(modules, "caller", *ASKED, BEGIN, {"type": "camera.failed", "why": "busy"}, dropped)
    assert (walked[-1]["at"], walked[-1]["now"]["mayCallBack"]) == ("ended", True)
    # Cut off for so long that the session is gone, or the page was loaded anew.
    back = {"call_id": "c1", "expires_in": 500}
    for walked in (
        await drive(modules, "caller", *TALKING, welcome(call_back=back)),
        await drive(modules, "caller", welcome(call_back=back), call="c1", request="r1"),
    ):
        assert (walked[-1]["at"], walked[-1]["now"]["mayCallBack"]) == ("ended", True)
        assert walked[-1]["now"]["reason"] == "caller_lost"
    assert (await drive(modules, "caller", welcome(call_back=back)))[-1]["at"] == "ready"


BACK = OFFER | {"callback": True}


async def test_called_back_off_shift(modules: Visitor) -> None:
    """Who was just helped may ring on a page that is not on shift; nobody else may."""
    ended = [*HELPING, ENDED]
    assert (await drive(modules, "volunteer", *ended, OFFER))[-1]["at"] == "ended"
    again = BACK | {"offer_id": "o2", "request_id": "r2"}
    walked = await drive(modules, "volunteer", *ended, again, press("decline"))
    assert [each["at"] for each in walked[-2:]] == ["ringing", "off"]
    gone = {"type": "offer.gone", "offer_id": "o2", "reason": "cancelled"}
    assert (await drive(modules, "volunteer", *ended, again, gone))[-1]["at"] == "off"
    begin = BEGIN | {"role": "volunteer", "request_id": "r2", "call_id": "c2"}
    walked = await drive(modules, "volunteer", *ended, again, press("accept"), begin)
    assert walked[-1]["at"] == "connecting"
    assert (await drive(modules, "volunteer", BACK))[-1]["at"] == "ringing"
    assert (await drive(modules, "volunteer", welcome(offers=[BACK])))[-1]["at"] == "ringing"
    assert (await drive(modules, "volunteer", welcome(offers=[OFFER])))[-1]["at"] == "off"


async def test_a_tap_on_a_notification(modules: Visitor) -> None:
    tap = {"type": "open.offer", "offer_id": "o1"}
    done = {"type": "done", "of": "offer.open", "open": True, "offer": OFFER}
    walked = await drive(modules, "volunteer", tap, welcome(offers=[OFFER]), done, press("accept"))
    assert [each["at"] for each in walked] == ["opening", "opening", "ringing", "accepting"]
    assert walked[0]["did"] == ["ring false", "send offer.open", "show connecting", "tell opening"]
    walked_away = await drive(modules, "volunteer", tap, press("end"), done)
    assert [each["at"] for each in walked_away] == ["opening", "off", "off"]
    assert "send offer.decline" in walked_away[1]["did"]
    taken = done | {"open": False, "offer": None, "gone": "taken", "points": 5}
    walked = await drive(modules, "volunteer", tap, taken)
    assert walked[-1]["at"] == "off"
    assert "tell late" in walked[-1]["did"]
    walked = await drive(modules, "volunteer", tap, taken | {"gone": "cancelled"})
    assert "tell gone" in walked[-1]["did"]
    refused = {"type": "refused", "of": "offer.open", "code": "in_call", "detail": "You are in a call."}
    assert (await drive(modules, "volunteer", tap, refused))[-1]["at"] == "off"
    # On shift, while another one rings: the one that was tapped comes first, and the shift goes on afterwards.
    second = OFFER | {"offer_id": "o2", "request_id": "r2"}
    walked = await drive(modules, "volunteer", *ON_SHIFT, second, tap, done, press("decline"), press("decline"))
    assert [each["at"] for each in walked[-4:]] == ["opening", "ringing", "ringing", "waiting"]
    # What falls silent meanwhile is gone.
    gone = {"type": "offer.gone", "offer_id": "o2", "reason": "taken"}
    walked = await drive(modules, "volunteer", *ON_SHIFT, second, tap, gone, taken)
    assert walked[-1]["at"] == "waiting"


@pytest.mark.parametrize("machine", ["caller", "volunteer"])
async def test_illegal_presses_raise_and_everything_else_is_ignored(modules: Visitor, machine: str) -> None:
    """Every event in every state that a call reaches: the network's and the devices' never raise, whatever their
    order; a press that the page does not offer is a mistake of ours."""
    story = [*TALKING, ENDED] if machine == "caller" else [*HELPING, ENDED]
    presses = ["ask", "stop", "wait", "end", "here", "start", "off", "accept", "decline", "later", "callback"]
    foreign: list[Json] = [
        STATUS | {"request_id": "x"}, {"type": "help.nobody", "request_id": "x", "waited": 1},
        {"type": "help.closed", "request_id": "x", "reason": "cancelled"}, ENDED | {"call_id": "x"},
        {"type": "done", "of": "offer.open", "open": True}, {"type": "help.free", "request_id": "x"},
        {"type": "call.signal", "call_id": "x"}, {"type": "call.restart", "call_id": "x"},
        {"type": "call.partner", "call_id": "x", "state": "away"}, {"type": "offer.gone", "offer_id": "x"},
        {"type": "call.hint", "call_id": "c1"}, {"type": "future.thing"}, {"type": "__proto__"},
        {"type": "constructor"}, {"type": "media.back"}, {"type": "media.good"}, {"type": "done", "of": "x"},
        {"type": "refused", "of": "x", "code": "x", "detail": "x"},
    ]  # fmt: skip
    raised = 0
    for length in range(len(story) + 1):
        before = story[:length]
        for event in foreign:
            walked = await drive(modules, machine, *before, event)
            assert "raised" not in walked[-1], (event, walked[-2:])
            own = STATUS | {"request_id": "x"}
            if event == own and machine == "caller" and walked[-1]["at"] == "elsewhere":
                continue  # the one that a page at rest does care for
            if length:
                assert walked[-1]["at"] == walked[-2]["at"], event
        for name in presses:
            last = (await drive(modules, machine, *before, press(name)))[-1]
            if "raised" in last:
                raised += 1
                assert last["raised"] == "IllegalMove"
                assert name in last["text"]
    assert raised > 20


async def test_every_effect_and_every_word_is_known_to_the_page(modules: Visitor) -> None:
    """What the machines ask for, the shell can do: screens exist, words exist, effects have a case."""
    sources = await modules.page.evaluate(
        """async () => Object.fromEntries(await Promise.all(
             ['lifecycle', 'caller-lifecycle', 'volunteer-lifecycle', 'page', 'words'].map(async (name) =>
               [name, await (await fetch(window.folder + name + '.js')).text()])))"""
    )
    machines = sources["lifecycle"] + sources["caller-lifecycle"] + sources["volunteer-lifecycle"]
    for effect in {part.split("'")[0] for part in machines.split("do: '")[1:]}:
        assert f"case '{effect}':" in sources["page"], effect
    for call in ("tell('", "alert('", "say('"):
        for what in {part.split("'")[0] for part in machines.split(call)[1:]}:
            assert f"  {what}:" in sources["words"] or f"  {what},\n" in sources["words"], what


TAPPED = {"type": "open.offer", "offer_id": "o1"}
OPEN = {"type": "done", "of": "offer.open", "request_id": "r1", "open": True, "offer": OFFER}


async def test_whoever_visits_for_one_offer_is_not_put_on_shift(modules: Visitor) -> None:
    """Afterwards they are as they were, also when the socket came back meanwhile."""
    for end in (press("decline"), {"type": "offer.gone", "offer_id": "o1", "reason": "taken"}):
        last = (await drive(modules, "volunteer", TAPPED, OPEN, end))[-1]
        assert last["at"] == "off"
        assert "send shift.start" not in last["did"]
    back = await drive(modules, "volunteer", TAPPED, OPEN, welcome(offers=[OFFER]), welcome())
    assert [each["at"] for each in back[1:]] == ["ringing", "ringing", "off"]
    assert not [did for each in back for did in each["did"] if "shift" in did]


async def test_an_answer_quietens_the_notification(modules: Visitor) -> None:
    for answer in ("accept", "decline"):
        assert "quieten" in (await drive(modules, "volunteer", TAPPED, OPEN, press(answer)))[-1]["did"]


async def test_a_tap_in_a_call_is_for_nobody(modules: Visitor) -> None:
    walked = await drive(modules, "volunteer", *HELPING, TAPPED, OPEN)
    assert [(each["at"], each["did"]) for each in walked[-2:]] == [("connected", [])] * 2
