"""Being rung while the page is closed, as the browser sees it: the service worker, the section of the profile, the tap.

Chromium here reaches no push service, so pushes are delivered to the worker by the DevTools protocol. It has no command
for a click on a notification either: the worker's own `opened`, which the click calls, is called by itself, with the
two things that browsers allow only in a real click (opening and focusing a window) noted instead of done."""

from __future__ import annotations

import json
import time
from typing import Any
from uuid import UUID, uuid4

import pytest
from playwright.async_api import CDPSession, Worker, expect

from signaling import i18n
from tests.house import Server
from tests.signaling.push.services import Browser
from tests.web.conftest import Visit
from tests.web.people import Visitor, base_of, until

NOTIFICATIONS = """
async () => (await (await navigator.serviceWorker.getRegistration('/')).getNotifications()).map(
  ({title, body, tag, silent, requireInteraction, lang, data}) =>
    ({title, body, tag, silent, requireInteraction, lang, data}))
"""
SUBSCRIPTIONS = """
(() => {
  const given = %s;
  let now = null;
  window.asked = [];
  PushManager.prototype.getSubscription = async () => now;
  PushManager.prototype.subscribe = async (options) => {
    asked.push(options);
    if (window.broken) throw new DOMException('no push service', 'AbortError');
    const key = Uint8Array.from(atob(options.applicationServerKey.replaceAll('-', '+').replaceAll('_', '/')),
      (one) => one.charCodeAt(0)).buffer;
    now = {toJSON: () => given, unsubscribe: async () => { now = null; return true; },
           options: {applicationServerKey: key}};
    return now;
  };
})()
"""
"""A push service in the page's own hands: what a browser would give after asking its maker's."""


class Pushed:
    """The worker of a page, and a way to push to it."""

    def __init__(self, visitor: Visitor, worker: Worker, cdp: CDPSession, registration: str) -> None:
        self.visitor = visitor
        self.worker = worker
        self._cdp = cdp
        self._registration = registration

    async def push(self, data: object) -> None:
        text = data if isinstance(data, str) else json.dumps(data)
        origin = base_of(self.visitor.server)
        message = {"origin": origin, "registrationId": self._registration, "data": text}
        await self._cdp.send("ServiceWorker.deliverPushMessage", message)

    async def shown(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await self.visitor.page.evaluate(NOTIFICATIONS)
        return found

    async def shows(self, title: str) -> dict[str, Any]:
        """Wait for the one notification that is there to say this."""

        async def found() -> dict[str, Any] | None:
            shown = await self.shown()
            return shown[0] if len(shown) == 1 and shown[0]["title"] == title else None

        one: dict[str, Any] = await until(found, lambda: f"no notification {title!r}")
        return one


async def allowed(visitor: Visitor) -> None:
    await visitor.context.grant_permissions(["notifications"], origin=base_of(visitor.server))


async def registered(visitor: Visitor, locale: str = "en") -> Pushed:
    """With a worker, on a page that does nothing."""
    await allowed(visitor)
    await visitor.go("/terms")
    cdp = await visitor.context.new_cdp_session(visitor.page)
    registrations: list[str] = []
    cdp.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda event: registrations.extend(one["registrationId"] for one in event["registrations"]),
    )
    await cdp.send("ServiceWorker.enable")
    await visitor.page.evaluate(
        """async (url) => { await navigator.serviceWorker.register(url); await navigator.serviceWorker.ready; }""",
        f"/sw.js?lang={locale}",
    )

    async def known() -> bool | None:
        return True if registrations and visitor.context.service_workers else None

    await until(known, lambda: "no worker")
    return Pushed(visitor, visitor.context.service_workers[0], cdp, registrations[0])


def payload(kind: str = "ring", offer: str = "o1", tag: str = "t1", within: int = 30) -> dict[str, Any]:
    return {"kind": kind, "offer": offer, "tag": tag, "expires": round(time.time()) + within}


async def test_a_ring_is_shown_and_its_withdrawal_takes_its_place(server: Server, visit: Visit) -> None:
    pushed = await registered(await visit(server, "volunteer"))
    await pushed.push(payload())
    ring = await pushed.shows("Somebody needs your help")
    assert (ring["tag"], ring["requireInteraction"], ring["lang"]) == ("t1", True, "en")
    assert ring["data"] == {"offer": "o1"}
    await pushed.push(payload("gone"))
    gone = await pushed.shows("This call has been taken care of")
    assert (gone["tag"], gone["silent"], gone["requireInteraction"]) == ("t1", True, False)
    assert gone["body"] == "Thank you for being there!"
    await pushed.push(payload("ring", "o2", "t2"))

    async def both() -> bool | None:
        return True if {each["tag"] for each in await pushed.shown()} == {"t1", "t2"} else None

    await until(both, lambda: "another offer has a place of its own")


async def test_the_worker_speaks_the_language_it_was_registered_in(server: Server, visit: Visit) -> None:
    pushed = await registered(await visit(server, "volunteer"), "fr")
    await pushed.push(payload())
    assert (await pushed.shows(i18n.words("fr")("Somebody needs your help")))["lang"] == "fr"


@pytest.mark.parametrize("data", ["", "no json", "null", "[]", '{"kind": "ring"}', payload(within=-5)])
async def test_a_push_that_is_late_or_nonsense_is_no_ring(server: Server, visit: Visit, data: object) -> None:
    """Something has to be seen for every push, or browsers show words of their own."""
    pushed = await registered(await visit(server, "volunteer"))
    await pushed.push(data)
    assert (await pushed.shows("This call has been taken care of"))["silent"] is True


OPENED = """
async (offer) => {
  const seen = {opened: null, focused: 0};
  self.clients.openWindow = async (url) => { seen.opened = url; };
  const windows = await self.clients.matchAll({type: 'window', includeUncontrolled: true});
  for (const one of windows) one.focus = async () => { seen.focused += 1; };
  self.clients.matchAll = async () => windows;
  await opened(offer);
  return seen;
}
"""


async def offered(server: Server, visitor: Visitor, caller: Visitor) -> str:
    """An offer by push to the ready-made volunteer, as the dispatcher makes it."""
    await caller.press("ask")
    await caller.screen("waiting")
    pool = server.house.pool

    async def asked() -> UUID | None:
        found: UUID | None = await pool.fetchval("SELECT id FROM matching.request WHERE state = 'open'")
        return found

    request = await until(asked, lambda: "nobody asked")
    volunteer = await pool.fetchval("SELECT id FROM accounts.person WHERE email = 'volunteer@visavis.test'")
    offer = uuid4()
    await pool.execute(
        "INSERT INTO matching.offer (id, request_id, volunteer_id, channel) VALUES ($1, $2, $3, 'push')",
        *(offer, request, volunteer),
    )
    return str(offer)


async def test_a_tap_opens_the_page_with_the_offer_and_accept_leads_to_the_call(server: Server, visit: Visit) -> None:
    caller, volunteer = await visit(server, "caller"), await visit(server, "volunteer")
    offer = await offered(server, volunteer, caller)
    pushed = await registered(volunteer)
    seen = await pushed.worker.evaluate(OPENED, offer)
    assert seen == {"opened": f"/volunteer?offer={offer}", "focused": 0}
    await volunteer.go(seen["opened"])
    await volunteer.screen("ringing")
    await expect(volunteer.page.locator("main")).to_contain_text("They speak English")
    buttons = volunteer.page.locator("main button")
    assert [await buttons.nth(n).inner_text() for n in range(2)] == ["Accept", "Decline"]
    assert volunteer.page.url == f"{base_of(server)}/volunteer", "a reload is no second tap"
    await volunteer.press("accept")
    await caller.screen("call")
    await volunteer.screen("call")


async def test_a_tap_goes_to_the_page_that_is_open(server: Server, visit: Visit) -> None:
    caller, volunteer = await visit(server, "caller"), await visit(server, "volunteer")
    offer = await offered(server, volunteer, caller)
    pushed = await registered(volunteer)
    await volunteer.go("/volunteer")
    await volunteer.page.locator("html[data-live]").wait_for()
    seen = await pushed.worker.evaluate(OPENED, offer)
    assert seen == {"opened": None, "focused": 1}
    await volunteer.screen("ringing")
    await caller.press("stop")
    await volunteer.screen("off")
    await volunteer.hears("does not need help any more")


async def test_a_tap_that_is_too_late_is_thanked(server: Server, visit: Visit) -> None:
    caller, volunteer = await visit(server, "caller"), await visit(server, "volunteer")
    offer = await offered(server, volunteer, caller)
    await caller.press("stop")
    await caller.screen("ready")
    await volunteer.go(f"/volunteer?offer={offer}")
    await volunteer.hears("Thank you for being there")
    await volunteer.screen("off")
    await volunteer.go("/volunteer?offer=nonsense")
    await volunteer.screen("off")
    seen = await (await registered(volunteer)).worker.evaluate(OPENED, None)
    assert seen["opened"] == "/volunteer", "of a notification without an offer"


# --- the section of the profile


async def devices(server: Server) -> list[str]:
    return [row[0] for row in await server.house.pool.fetch("SELECT address FROM accounts.device")]


def given(endpoint: str = "https://fcm.googleapis.com/fcm/send/abc") -> str:
    subscription = Browser().subscription(endpoint) | {"expirationTime": None}
    return SUBSCRIPTIONS % json.dumps(subscription)


async def test_switching_it_on_and_off(server: Server, visit: Visit) -> None:
    volunteer = await visit(server, "volunteer", script=given())
    await allowed(volunteer)
    await volunteer.go("/profile")
    said = volunteer.page.locator("[data-push-status]")
    await expect(said).to_have_text("This device does not ring while the page is closed.")
    await volunteer.button("Let this device ring").click()
    await expect(said).to_have_text("This device rings while the page is closed.")
    await expect(volunteer.button("Stop ringing this device")).to_be_focused()
    assert await devices(server) == ["https://fcm.googleapis.com/fcm/send/abc"]
    (options,) = await volunteer.page.evaluate("asked")
    assert options["userVisibleOnly"] is True
    await volunteer.button("Stop ringing this device").click()
    await expect(said).to_have_text("This device does not ring while the page is closed.")
    assert await devices(server) == []


async def test_it_stays_on_after_signing_in_again_but_not_for_somebody_else(server: Server, visit: Visit) -> None:
    volunteer = await visit(server, "volunteer", script=given())
    await allowed(volunteer)
    await volunteer.go("/profile")
    await volunteer.button("Let this device ring").click()
    await expect(volunteer.button("Stop ringing this device")).to_be_visible()
    await volunteer.page.get_by_role("button", name="Sign out here").click()
    await volunteer.page.wait_for_url(f"{base_of(server)}/")
    assert await devices(server) == []
    await volunteer.go("/dev/sign-in/volunteer-2")
    await volunteer.go("/profile")
    await expect(volunteer.button("Let this device ring")).to_be_visible()
    assert await devices(server) == []
    await volunteer.go("/dev/sign-in/volunteer")

    async def back() -> bool | None:
        return True if await devices(server) else None

    await until(back, lambda: "the page of the shift did not register the device again")


async def test_what_stands_in_the_way_is_said_with_how_to_mend_it(server: Server, visit: Visit) -> None:
    no_push = "delete window.PushManager;"
    phone = no_push + "Object.defineProperty(navigator, 'standalone', {value: false});"
    for script, allow, words in (
        ("", False, "Your browser does not let us send notifications. Allow them for this page"),
        (no_push, True, "This browser cannot be rung while the page is closed."),
        (phone, True, "On an iPhone or iPad, first add visavis to your home screen"),
    ):
        volunteer = await visit(server, "volunteer", script=script)
        # Chromium refuses what is not among the permissions that are granted.
        granted = "notifications" if allow else "clipboard-read"
        await volunteer.context.grant_permissions([granted], origin=base_of(server))
        await volunteer.go("/profile")
        await expect(volunteer.page.locator("[data-push-status]")).to_contain_text(words)
        await expect(volunteer.page.locator("[data-push-turn]:visible")).to_have_count(0)


async def test_a_push_service_that_does_not_answer(server: Server, visit: Visit) -> None:
    volunteer = await visit(server, "volunteer", script=given() + "; window.broken = true;")
    await allowed(volunteer)
    await volunteer.go("/profile")
    await volunteer.button("Let this device ring").click()
    await expect(volunteer.page.locator("[data-push-status]")).to_contain_text("push service does not answer")
    await expect(volunteer.button("Let this device ring")).to_be_focused()
    assert await devices(server) == []


async def test_an_address_that_we_refuse_is_said(server: Server, visit: Visit) -> None:
    volunteer = await visit(server, "volunteer", script=given("https://push.evil.example/x"))
    volunteer.expected.append("status of 422")
    await allowed(volunteer)
    await volunteer.go("/profile")
    await volunteer.button("Let this device ring").click()
    await expect(volunteer.page.locator("[data-push-status]")).to_contain_text("We do not send notifications to this")
    assert await devices(server) == []


async def test_a_subscription_under_a_former_key_is_known_for_one(server: Server, visit: Visit) -> None:
    volunteer = await visit(server, "volunteer", script=given())
    await allowed(volunteer)
    await volunteer.go("/profile")
    await volunteer.button("Let this device ring").click()
    await expect(volunteer.button("Stop ringing this device")).to_be_visible()
    asked = await volunteer.page.evaluate(
        """async () => {
          const section = document.querySelector('script[src*=push-section]').src;
          const {sameKey} = await import(section.replace('-section', '-state'));
          const key = asked[0].applicationServerKey;
          const made = (await (await navigator.serviceWorker.getRegistration('/')).pushManager.getSubscription())
            .options.applicationServerKey;
          return [sameKey(made, key), sameKey(made, 'B' + key.slice(1, -1) + 'x'), sameKey(null, key)];
        }"""
    )
    assert asked == [True, False, False]


async def test_callers_are_not_asked(server: Server, visit: Visit) -> None:
    caller = await visit(server, "caller")
    await caller.go("/profile")
    await expect(caller.page.locator("[data-push]")).to_have_count(0)


async def test_the_workers_script(server: Server, visit: Visit) -> None:
    visitor = await visit(server)
    answer = await visitor.context.request.get(f"{base_of(server)}/sw.js?lang=xx")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["cache-control"] == "no-cache"
    assert "worker-src 'self'" in answer.headers["content-security-policy"]
    assert (await answer.text()).startswith('const WORDS = {"lang":"en"')
