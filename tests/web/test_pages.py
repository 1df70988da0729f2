"""Everything but the calls works without scripts: here they are switched off."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from playwright.async_api import expect

from tests import client as clients
from tests.client import Client
from tests.house import Server
from tests.web.conftest import Visit
from tests.web.people import Visitor, base_of, mailed_code

REFUSED = "status of 4\\d\\d"


async def stranger(visit: Visit, server: Server, **options: object) -> Visitor:
    visitor = await visit(server, java_script_enabled=False, **options)
    visitor.expected.append(REFUSED)
    return visitor


async def with_code(visitor: Visitor, email: str) -> None:
    """Signed in by mail."""
    page = visitor.page
    await visitor.go("/sign-in")
    await page.get_by_label("E-mail address").fill(email)
    await visitor.button("Mail me a code").click()
    await page.get_by_label("Code").fill(await mailed_code(visitor, email))
    await visitor.button("Sign in").click()


async def problems(visitor: Visitor) -> list[str]:
    """The summary, which has the focus; each entry leads to the field with the same words."""
    summary = visitor.page.get_by_role("group", name=re.compile("There (is a|are \\d+) problem"))
    await expect(summary).to_be_focused()
    found = []
    for link in await summary.get_by_role("link").all():
        text = (await link.inner_text()).strip()
        target = (await link.get_attribute("href") or "").removeprefix("#")
        field = visitor.page.locator(f'[id="{target}"]')
        await expect(field).to_have_attribute("aria-invalid", "true")
        described = await field.get_attribute("aria-describedby") or ""
        texts = [await visitor.page.locator(f'[id="{one}"]').inner_text() for one in described.split()]
        assert any(text in one for one in texts), target
        found.append(text)
    return found


async def test_signing_in(server: Server, visit: Visit) -> None:
    visitor = await stranger(visit, server)
    await visitor.go("/history")
    await visitor.page.get_by_label("E-mail address").fill("nobody at home")
    await visitor.button("Mail me a code").click()
    assert "not an e-mail address" in (await problems(visitor))[0]
    await expect(visitor.page.get_by_label("E-mail address")).to_have_value("nobody at home")
    await visitor.page.get_by_label("E-mail address").fill("ada@visavis.test")
    await visitor.button("Mail me a code").click()
    first = await mailed_code(visitor, "ada@visavis.test")
    wrong = "000000" if first != "000000" else "111111"
    await visitor.page.get_by_label("Code").fill(wrong)
    await visitor.button("Sign in").click()
    assert "This code is not right" in (await problems(visitor))[0]
    await visitor.button("Mail me another code").click()
    await expect(visitor.page.get_by_text("We mailed you another code.")).to_be_focused()
    code = visitor.page.get_by_label("Code")
    await expect(code).to_have_attribute("autocomplete", "one-time-code")
    await expect(code).to_have_attribute("inputmode", "numeric")
    # As it is pasted out of a mail.
    await code.fill(f" {first[:3]} {first[3:]}\t")
    await visitor.button("Sign in").click()
    await expect(visitor.page.get_by_role("heading", level=1)).to_have_text("Tell us how to connect you")


async def test_the_same_answer_for_everybody(server: Server, visit: Visit) -> None:
    """Known or not: the page after the address says the same."""
    await (await Client(base_of(server), "known@visavis.test").sign_in()).__aexit__()
    said = []
    for email in ("known@visavis.test", "unknown@visavis.test"):
        visitor = await stranger(visit, server)
        await visitor.go("/sign-in")
        await visitor.page.get_by_label("E-mail address").fill(email)
        await visitor.button("Mail me a code").click()
        await expect(visitor.page.get_by_label("Code")).to_be_visible()
        said.append((await visitor.page.content()).replace(email, ""))
    assert said[0] == said[1]


async def test_a_code_belongs_to_the_browser_that_asked(server: Server, visit: Visit) -> None:
    asker, thief = await stranger(visit, server), await stranger(visit, server)
    for visitor in (thief, asker):
        await visitor.go("/sign-in")
        await visitor.page.get_by_label("E-mail address").fill("ada@visavis.test")
        await visitor.button("Mail me a code").click()
    code = await mailed_code(asker, "ada@visavis.test")
    await thief.page.get_by_label("Code").fill(code)
    await thief.button("Sign in").click()
    assert "This code is not right" in (await problems(thief))[0]


async def test_the_profile(server: Server, visit: Visit) -> None:
    """What is missing is said at once, what was typed is kept, and what cannot be changed is not asked again."""
    visitor = await stranger(visit, server)
    page = visitor.page
    await with_code(visitor, "bob@visavis.test")
    await page.get_by_label("First language").select_option("")
    await visitor.button("Save").click()
    assert await problems(visitor) == [
        "Choose whether you need help or want to help.",
        "Choose the language you speak best.",
        "Without your consent we may not connect you with anybody.",
    ]
    await page.get_by_label("I want to help").check()
    await page.get_by_label("First language").select_option("de")
    await page.get_by_label("Language 2").select_option("en")
    await page.get_by_label("Alias").fill("Bob")
    await page.get_by_label("From").first.fill("22:00")
    await page.get_by_label("I agree").check()
    await visitor.button("Save").click()
    assert await problems(visitor) == [
        "Quiet hours need both a start and an end. Leave both empty for none.",
        "Volunteers must be adults. Please confirm that you are 18 or older.",
    ]
    await expect(page.get_by_label("Alias")).to_have_value("Bob")
    await expect(page.get_by_label("Language 2")).to_have_value("en")
    await page.get_by_label("I am 18 or older").check()
    await page.get_by_label("Until").first.fill("07:30")
    await page.get_by_label("Alias").fill("www.example.org 0123456789")
    await visitor.button("Save").click()
    assert "An alias has 1 to 30 letters" in (await problems(visitor))[0]
    await page.get_by_label("Alias").fill("Bob")
    await page.get_by_label("Sun", exact=True).first.uncheck()
    await page.get_by_label("Time zone").select_option("America/New_York")
    await visitor.button("Save").click()
    await page.wait_for_url("**/volunteer")
    # A browser whose scripts the driver switched off renders no <noscript>; one whose owner did, does.
    assert "Calls need JavaScript" in (await page.content()).split("<noscript>")[1].split("</noscript>")[0]

    await visitor.go("/profile")
    await expect(page.get_by_text("You are here to help")).to_be_visible()
    await expect(page.get_by_role("radio")).to_have_count(0)
    await expect(page.get_by_label("I am 18 or older")).to_have_count(0)
    await expect(page.get_by_label("From").first).to_have_value("22:00")
    await expect(page.get_by_label("Sun", exact=True).first).not_to_be_checked()
    await expect(page.get_by_label("From")).to_have_count(2)
    await page.get_by_label("Language 2").select_option("")
    await page.get_by_label("Alerts a day").select_option("5")
    await visitor.button("Save").click()
    await expect(page.get_by_text("Saved.")).to_be_focused()
    row = await server.house.pool.fetchrow("SELECT * FROM accounts.person WHERE email = 'bob@visavis.test'")
    assert row is not None
    assert (row["languages"], row["time_zone"], row["alerts_per_day"]) == (["de"], "America/New_York", 5)


async def test_a_caller_is_not_asked_what_only_volunteers_are(server: Server, visit: Visit) -> None:
    visitor = await stranger(visit, server)
    await with_code(visitor, "eve@visavis.test")
    await expect(visitor.page.get_by_label("Alerts a day")).to_be_visible()
    await visitor.page.get_by_label("I need help").check()
    await expect(visitor.page.get_by_label("Alerts a day")).to_be_hidden()
    await expect(visitor.page.get_by_label("I am 18 or older")).to_be_hidden()


async def past_call(server: Server, serve_points: float = 0.0) -> tuple[Client, Client, str]:
    """A call of the ready-made caller with a volunteer, connected and ended."""
    caller = await Client(base_of(server), "caller@visavis.test").sign_in()
    await caller.connect()
    helper = await clients.volunteer(base_of(server))
    await caller.ask()
    await helper.accept((await helper.expect("offer.ring"))["offer_id"])
    call: str = (await caller.expect("call.begin"))["call_id"]
    for person in (caller, helper):
        await person.command("call.connected", call_id=call)
    await caller.command("call.end", call_id=call)
    await caller.expect("call.ended")
    return caller, helper, call


async def test_past_calls(server: Server, visit: Visit) -> None:
    """Rate, change it, report, never again and take that back: all later, all without scripts."""
    caller, helper, call = await past_call(server)
    visitor = await stranger(visit, server)
    page = visitor.page
    await visitor.go("/dev/sign-in/caller")
    await visitor.go("/history")
    article = page.get_by_role("article")
    await article.get_by_text("How was it?").click()
    await visitor.button("Save how it was").click()
    assert await problems(visitor) == ["Choose an answer first."]
    await article.get_by_label("Partly").check()
    await article.get_by_label("A comment").fill("Line one\nline two")
    await visitor.button("Save how it was").click()
    await expect(page.get_by_text("Thank you. What you said is saved.")).to_be_focused()
    await article.get_by_text("How it was: change what you said").click()
    await expect(article.get_by_label("Partly")).to_be_checked()
    await expect(article.get_by_label("Everything was fine")).to_be_checked()
    await expect(article.get_by_label("A comment")).to_have_value("Line one\nline two")
    await article.get_by_label("Yes, solved").check()
    await visitor.button("Save how it was").click()
    row = await server.house.pool.fetchrow("SELECT * FROM rating.rating WHERE call_id = $1::uuid", call)
    assert row is not None
    assert (row["outcome"], row["conduct"], row["comment"]) == ("solved", "fine", "Line one\nline two")

    await article.get_by_role("button", name="Never match us again").click()
    await expect(page.get_by_text("You will never be matched with this person again.").first).to_be_focused()
    await article.get_by_role("button", name="Allow it again").click()
    await expect(page.get_by_text("You may be matched with this person again.")).to_be_focused()

    await article.get_by_text("Report a problem").click()
    await article.get_by_label("In your words").fill("x" * 4000)
    await visitor.button("Send the report").click()
    assert await problems(visitor) == ["Choose what happened."]
    await expect(article.get_by_label("In your words")).to_have_value("x" * 4000)
    await article.get_by_label("What happened?").select_option("money")
    await visitor.button("Send the report").click()
    await expect(page.get_by_text("Your report was sent")).to_be_focused()
    await article.get_by_text("Report a problem").click()
    await expect(article).to_contain_text("You have reported this call: Asking for money.")

    staff = await stranger(visit, server)
    await staff.go("/dev/sign-in/staff")
    row_ = staff.page.get_by_role("row", name="Asking for money")
    await expect(row_).to_contain_text("S1")
    await expect(row_.get_by_text("xxxx")).to_be_hidden()
    await row_.get_by_text("Read").click()
    await expect(row_.get_by_text("xxxx")).to_be_visible()
    for person in (caller, helper):
        await person.__aexit__()


async def test_a_strangers_call_is_not_there(server: Server, visit: Visit) -> None:
    caller, helper, call = await past_call(server)
    visitor = await stranger(visit, server)
    await visitor.go("/dev/sign-in/volunteer")
    for path in ("rating", "report", "never-again"):
        form: dict[str, str | float | bool] = {"conduct": "problem", "kind": "rude", "never_again": "yes"}
        response = await visitor.context.request.post(f"{visitor.base}/history/{call}/{path}", form=form)
        assert response.status in (404, 422)
        assert "You have no such call" in await response.text()
    for person in (caller, helper):
        await person.__aexit__()


BELONGS: dict[str | None, dict[str, str]] = {
    None: {"/call": "/sign-in", "/points": "/sign-in", "/staff": "/sign-in", "/history": "/sign-in"},
    "caller": {"/": "/call", "/volunteer": "/call", "/sign-in?next=/history": "/history"},
    "volunteer": {"/": "/volunteer", "/call": "/volunteer", "/sign-in": "/volunteer"},
    "staff": {"/": "/staff", "/call": "/profile", "/history": "/profile"},
}
NOT_THERE: dict[str | None, list[str]] = {
    None: ["/nothing", "/history/none/rating"],
    "caller": ["/staff", "/points", "/history?before=yesterday"],
    "volunteer": ["/staff"],
}


async def test_everybody_arrives_where_they_belong(server: Server, visit: Visit) -> None:
    for who, places in BELONGS.items():
        visitor = await stranger(visit, server)
        if who is not None:
            await visitor.go(f"/dev/sign-in/{who}")
        for path, arrives in places.items():
            await visitor.go(path)
            assert urlsplit(visitor.page.url).path == arrives, (who, path)
        for path in NOT_THERE.get(who, []):
            response = await visitor.page.goto(visitor.base + path)
            assert response is not None
            assert response.status in (404, 405), (who, path)
            await expect(visitor.page.get_by_role("link", name="Go to the first page")).to_be_visible()


async def test_another_language(server: Server, visit: Visit) -> None:
    """From the browser, then by the switch; once signed in, the account remembers."""
    visitor = await stranger(visit, server, locale="fr-CA")
    page = visitor.page
    await visitor.go("/")
    await expect(page.locator("html")).to_have_attribute("lang", "fr")
    await visitor.button("English").click()
    await expect(page.locator("html")).to_have_attribute("lang", "en")
    await visitor.go("/terms")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Terms and privacy")
    await visitor.go("/dev/sign-in/caller")
    await visitor.go("/history")
    await visitor.button("Français").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Appels passés")
    other = await stranger(visit, server)
    await other.go("/dev/sign-in/caller")
    await other.go("/history")
    await expect(other.page.locator("html")).to_have_attribute("lang", "fr")


async def test_signing_out(server: Server, visit: Visit) -> None:
    here, there = await stranger(visit, server), await stranger(visit, server)
    for visitor in (here, there):
        await visitor.go("/dev/sign-in/volunteer")
    await here.go("/profile")
    await here.button("Sign out here").click()
    await expect(here.page.get_by_role("link", name="Sign in")).to_be_visible()
    await there.go("/profile")
    await there.button("Sign out everywhere").click()
    await there.go("/points")
    assert urlsplit(there.page.url).path == "/sign-in"
