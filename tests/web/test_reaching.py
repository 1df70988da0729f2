"""Ways to each other besides waiting: to be told later, to be called back, to tap on a notification, to pause."""

from __future__ import annotations

from uuid import UUID

from playwright.async_api import expect

from tests import client as clients
from tests.client import Client
from tests.house import Server
from tests.web.conftest import Serve, Visit
from tests.web.people import Visitor, base_of, meet, until

NOBODY = {"MATCHING_NOBODY_AFTER": "1", "MATCHING_TICK": "0.2"}


async def put_off(caller: Visitor) -> None:
    await caller.press("ask")
    await caller.screen("nobody")
    await caller.button("Tell me when somebody is free").click()
    await caller.screen("later")


async def test_told_when_somebody_is_free(serve: Serve, visit: Visit) -> None:
    """Said on the page and in words, once; one press calls. The wish outlives the page."""
    server = await serve(**NOBODY)
    caller = await visit(server, "caller")
    await put_off(caller)
    await caller.hears("You can leave this page open, or close it and come back.", "said")
    await expect(caller.page.get_by_role("heading", level=1)).to_be_focused()
    await caller.page.reload()
    await caller.screen("later")
    helper = await clients.volunteer(base_of(server))
    await caller.screen("free")
    await caller.hears("Somebody is free now. Call if you still need help.", "said")
    assert (await caller.heard()).count("Somebody is free now. Call if you still need help.") == 1
    await expect(caller.page.get_by_role("heading", level=1)).to_be_focused()
    assert not [event for event in helper.events if event["type"] == "offer.ring"]
    await caller.page.reload()
    await caller.screen("free")
    await caller.page.keyboard.press("Tab")
    await expect(caller.button("Call now")).to_be_focused()
    await caller.page.keyboard.press("Enter")
    await helper.expect("offer.ring")
    await caller.button("Stop asking").click()
    await caller.screen("ready")
    await helper.__aexit__()


async def test_not_to_be_told(serve: Serve, visit: Visit) -> None:
    server = await serve(**NOBODY)
    caller = await visit(server, "caller")
    second = await caller.context.new_page()
    await put_off(caller)
    await second.goto(f"{caller.base}/call")
    other = Visitor("the second window", server, caller.context, second)
    await other.screen("later")
    await other.button("Do not tell me").click()
    await other.screen("ready")
    await other.hears("All right, we will not tell you.")
    await caller.screen("ready")
    assert await server.house.pool.fetchval("SELECT count(*) FROM matching.wish") == 0


async def test_the_same_volunteer_back(server: Server, visit: Visit) -> None:
    caller, volunteer = await visit(server, "caller"), await visit(server, "volunteer")
    await meet(caller, volunteer)
    assert await caller.button("Call the same volunteer back").count() == 0
    # A camera that breaks down in a call: the call ends for technical reasons.
    call = await server.house.pool.fetchval("SELECT id FROM matching.call")
    async with await Client(base_of(server), "volunteer@visavis.test").sign_in() as device:
        await device.connect()
        await device.command("call.end", call_id=str(call), reason="technical")
    for visitor in (caller, volunteer):
        await visitor.screen("ended")
    await expect(caller.page.get_by_text("You can do so for 10 minutes.")).to_be_visible()
    await caller.button("Call the same volunteer back").click()
    await caller.hears("We are ringing the same volunteer.")
    await volunteer.screen("ringing")
    await volunteer.hears("The person you just helped was cut off, and is calling you back.")
    await volunteer.press("accept")
    for visitor in (caller, volunteer):
        await visitor.screen("call")


async def test_an_ordinary_end_offers_no_call_back(server: Server, visit: Visit) -> None:
    caller, volunteer = await visit(server, "caller"), await visit(server, "volunteer")
    await meet(caller, volunteer)
    await volunteer.button("End the call").click()
    await caller.screen("ended")
    await expect(caller.button("Call the same volunteer back")).to_be_hidden()


async def offer_of(server: Server, email: str) -> str:
    """An offer that rings on a device that sleeps, as a push would name it."""

    async def found() -> str | None:
        query = (
            "INSERT INTO matching.offer (id, request_id, volunteer_id, channel)"
            " SELECT gen_random_uuid(), r.id, p.id, 'push' FROM matching.request r, accounts.person p"
            " WHERE r.state = 'open' AND p.email = $1 RETURNING id"
        )
        offer: UUID | None = await server.house.pool.fetchval(query, email)
        return str(offer) if offer else None

    made: str = await until(found, lambda: "no open request")
    return made


async def test_a_tap_on_a_notification(server: Server, visit: Visit) -> None:
    """The caller hears that somebody picks up; the page asks once, and a reload does not tap again."""
    caller, volunteer = await visit(server, "caller"), await visit(server, "volunteer")
    await caller.press("ask")
    await caller.screen("waiting")
    offer = await offer_of(server, "volunteer@visavis.test")
    await volunteer.go(f"/volunteer?offer={offer}")
    await volunteer.screen("ringing")
    await caller.hears("Somebody has picked up and is unlocking their phone.")
    assert "offer=" not in volunteer.page.url
    await volunteer.press("accept")
    for visitor in (caller, volunteer):
        await visitor.screen("call")


async def test_a_tap_that_comes_late(server: Server, visit: Visit) -> None:
    caller, volunteer = await visit(server, "caller"), await visit(server, "volunteer")
    await caller.press("ask")
    await caller.screen("waiting")
    offer = await offer_of(server, "volunteer@visavis.test")
    faster = await clients.volunteer(base_of(server))
    await faster.accept((await faster.expect("offer.ring"))["offer_id"])
    await volunteer.go(f"/volunteer?offer={offer}")
    await volunteer.hears(
        "Someone else was a moment faster and is helping now. Thank you for being there! You earned 5 points."
    )
    await volunteer.screen("off")
    await expect(volunteer.page.locator("main")).to_contain_text("You earned 5 points.")
    await volunteer.go("/points")
    await expect(volunteer.page.get_by_role("row", name="You answered a moment after")).to_contain_text("5")
    await faster.__aexit__()


async def test_pausing_alerts(server: Server, visit: Visit) -> None:
    """Without scripts, too: pause, see until when, be rung again. The page of the shift says it."""
    volunteer = await visit(server, "volunteer", java_script_enabled=False)
    page = volunteer.page
    await volunteer.go("/profile")
    await volunteer.button("Until tomorrow morning").click()
    said = page.get_by_text("Alerts are paused until")
    await expect(said).to_contain_text("8:00")
    await expect(said).to_be_focused()
    row = await server.house.pool.fetchval("SELECT snoozed_until > now() FROM accounts.person WHERE alias = 'Robin'")
    assert row is True
    await volunteer.go("/volunteer")
    await expect(page.locator("main")).to_contain_text("Alerts are paused until")
    await page.get_by_role("link", name="Change the pause").click()
    await volunteer.button("Be rung again now").click()
    await expect(page.get_by_text("You can be rung again.")).to_be_focused()
    await expect(volunteer.button("Be rung again now")).to_have_count(0)
    await volunteer.button("For 1 hour").click()
    await volunteer.button("For a week").click()
    days = await server.house.pool.fetchval(
        "SELECT extract(epoch FROM snoozed_until - now()) / 86400 FROM accounts.person WHERE alias = 'Robin'"
    )
    assert 6.9 < days <= 7


async def test_muting_a_language(server: Server, visit: Visit) -> None:
    volunteer = await visit(server, "volunteer-2", java_script_enabled=False)
    page = volunteer.page

    async def muted() -> list[str]:
        return list(await server.house.pool.fetchval("SELECT muted_languages FROM accounts.person WHERE alias = 'Kim'"))

    await volunteer.go("/profile")
    group = page.get_by_role("group", name="Languages you are not rung for")
    await group.get_by_label("German").check()
    await volunteer.button("Save").click()
    assert await muted() == ["de"]
    await expect(group.get_by_label("German")).to_be_checked()
    # A language that is spoken no more is muted no more.
    await page.get_by_label("Language 2").select_option("")
    await volunteer.button("Save").click()
    assert await muted() == []
    await expect(group).to_have_count(0)


async def test_a_caller_has_nothing_to_pause(server: Server, visit: Visit) -> None:
    caller = await visit(server, "caller", java_script_enabled=False)
    await caller.go("/profile")
    await expect(caller.page.get_by_text("Pause alerts")).to_have_count(0)
    response = await caller.context.request.post(
        f"{caller.base}/profile/pause", form={"pause": "week"}, headers={"Origin": caller.base}
    )
    assert response.url.endswith("/call")
    assert await server.house.pool.fetchval("SELECT count(*) FROM accounts.person WHERE snoozed_until IS NOT NULL") == 0
