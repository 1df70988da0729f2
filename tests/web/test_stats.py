"""The page of public figures, with a month of them, without scripts."""

from __future__ import annotations

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import expect

from tests.house import Server
from tests.matching.months import month
from tests.web.conftest import Visit
from tests.web.test_axe import OPTIONS
from tests.web.test_layout import WIDE


@pytest.mark.parametrize(("locale", "scheme"), [("en", "light"), ("fr", "dark")])
async def test_axe_finds_nothing(server: Server, visit: Visit, locale: str, scheme: str) -> None:
    await month(server.house.pool)
    visitor = await visit(server, locale=locale, color_scheme=scheme, bypass_csp=True)
    await visitor.go("/stats")
    await visitor.page.locator(".figures summary").click()
    assert await visitor.page.locator("tbody th[scope=row]").count() > 30
    results = await Axe().run(visitor.page, options=OPTIONS)
    assert not [(each["id"], each["nodes"]) for each in results.response["violations"]]
    await visitor.page.set_viewport_size({"width": 320, "height": 256})
    assert not await visitor.page.evaluate(WIDE)


async def test_read_without_scripts(server: Server, visit: Visit) -> None:
    """Found from every page; each chart is a sentence, a picture that is not read out, and rows of a table."""
    await month(server.house.pool)
    visitor = await visit(server, java_script_enabled=False)
    page = visitor.page
    await visitor.go("/")
    await page.get_by_role("contentinfo").get_by_role("link", name="visavis in figures").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("visavis in figures")
    await expect(page.get_by_role("contentinfo").locator("[aria-current=page]")).to_have_text("visavis in figures")
    await expect(page.locator("figure figcaption p")).to_have_count(2)
    await expect(page.locator("figure svg:not([aria-hidden] *)")).to_have_count(0)
    await expect(page.locator("caption")).to_have_count(await page.locator("table").count())
    await page.locator(".figures summary").click()
    days = page.get_by_role("region", name="Day by day").locator("tbody tr")
    await expect(days).to_have_count(30)
    hidden = await days.filter(has_text="hidden").count()
    assert hidden >= 1
    # What is hidden is not drawn either: the lines are broken, and there are no bars.
    await expect(page.locator(".bar-of")).to_have_count(30 - hidden)
    assert (await page.locator(".plot > svg .half").get_attribute("d") or "").count("M") == 2
    async with page.expect_download() as download:
        await page.get_by_role("link", name="Download as CSV").click()
    assert (await download.value).suggested_filename == "visavis-stats.csv"


async def test_a_new_house_says_that_it_hides(server: Server, visit: Visit) -> None:
    visitor = await visit(server)
    await visitor.go("/stats")
    await expect(visitor.page.get_by_text("fewer than 5", exact=True)).to_have_count(7)
    await expect(visitor.page.get_by_text("hidden: too few people or calls")).to_have_count(3)
    await expect(visitor.page.get_by_text("No day of the last 30 had enough calls")).to_be_visible()
