"""Who and what may come in from outside: links and forms of other sites, places to go next, files."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from playwright.async_api import expect

from signaling.viewer import own_path
from tests.client import Client
from tests.house import Server
from tests.web.conftest import Serve, Visit
from tests.web.people import base_of
from tests.web.test_pages import stranger


async def test_a_link_from_another_site_finds_people_signed_in(serve: Serve, visit: Visit) -> None:
    """Strict cookies stay at home when a foreign page leads here; ours asks once more by itself."""
    server, elsewhere = await serve(), await serve()
    visitor = await stranger(visit, server)
    await visitor.go("/dev/sign-in/volunteer")
    visitor.base = base_of(elsewhere).replace("localhost", "127.0.0.1")
    visitor.hosts.add(urlsplit(visitor.base).netloc)
    await visitor.context.route(
        f"{visitor.base}/elsewhere",
        lambda route: route.fulfill(body=f'<a href="{base_of(server)}/points">x</a>', content_type="text/html"),
    )
    await visitor.go("/elsewhere")
    await visitor.page.get_by_role("link").click()
    await expect(visitor.page.get_by_role("heading", level=1)).to_have_text("Points")


async def test_a_foreign_form_is_refused(server: Server) -> None:
    async with Client(base_of(server)) as anybody:
        for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
            async with anybody.http.post(base_of(server) + "/sign-out", headers=headers) as response:
                assert response.status == 403


@pytest.mark.parametrize(
    ("wish", "path"),
    [
        ("/history?before=x", "/history?before=x"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("/\t/evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
        (None, "/"),
        ("/" + "a" * 300, "/"),
    ],
)
def test_only_our_own_paths_come_next(wish: str | None, path: str) -> None:
    assert own_path(wish) == path


async def test_static_files(server: Server) -> None:
    """Kept for good under their version, used once under another; never `no-store`, always with our headers."""
    version = server.house.pages.static.version
    async with Client(base_of(server)) as anybody:
        for name, kind in (
            ("css/base.css", "text/css"),
            ("js/page.js", "text/javascript"),
            ("img/mark.svg", "image/svg+xml"),
            ("locale/fr.json", "application/json"),
        ):
            async with anybody.http.get(f"{base_of(server)}/static/{version}/{name}") as response:
                assert response.status == 200
                assert response.content_type == kind
                assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
                assert response.headers["X-Content-Type-Options"] == "nosniff"
                assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        async with anybody.http.get(f"{base_of(server)}/static/older/css/base.css") as response:
            assert (response.status, response.headers["Cache-Control"]) == (200, "no-cache")
        for name in ("css/none.css", "../settings.py", "%2e%2e/settings.py", ""):
            async with anybody.http.get(f"{base_of(server)}/static/{version}/{name}") as response:
                assert response.status == 404
        async with anybody.http.get(f"{base_of(server)}/terms") as response:
            assert response.headers["Cache-Control"] == "no-store"
