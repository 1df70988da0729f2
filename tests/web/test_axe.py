"""axe-core finds nothing on any page or in any state: WCAG 2.0 to 2.2 A and AA, best practice, target size, and the
contrast of AAA; in English and French, in light and dark. What axe cannot see is in `test_layout` and `test_keyboard`.
"""

from __future__ import annotations

import pytest
from axe_playwright_python.async_playwright import Axe

from tests.web.conftest import Serve, Visit
from tests.web.tour import SETTINGS, tour

OPTIONS = {
    "runOnly": [
        "wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice",
    ],
    "rules": {"color-contrast-enhanced": {"enabled": True}, "target-size": {"enabled": True}},
    "resultTypes": ["violations"],
}  # fmt: skip
STOPS = 40


@pytest.mark.timeout(240)
@pytest.mark.parametrize(("locale", "scheme"), [("en", "light"), ("fr", "dark")])
async def test_no_violations(serve: Serve, visit: Visit, locale: str, scheme: str) -> None:
    server = await serve(**SETTINGS)
    axe = Axe()
    found: dict[str, list[str]] = {}
    names = []
    async for name, visitor in tour(server, visit, locale, color_scheme=scheme):
        results = await axe.run(visitor.page, options=OPTIONS)
        names.append(name)
        for violation in results.response["violations"]:
            for node in violation["nodes"]:
                found.setdefault(name, []).append(f"{violation['id']}: {node['html'][:160]} {node['failureSummary']}")
    assert not found
    assert len(names) == len(set(names)) == STOPS
