"""What operators see: health, readiness, figures, logs; and what nobody may see."""

from __future__ import annotations

import json
import re

import pytest

from accounts.postgres import Pool
from tests.client import Client
from tests.flows.conftest import Make
from tests.flows.test_after_call import finished
from tests.house import Server, serving
from tests.processes import server_process


async def text(client: Client, path: str) -> str:
    async with client.http.get(client.base + path) as response:
        assert response.status == 200
        return await response.text()


async def test_alive_and_ready(server: Server, caller: Make) -> None:
    anybody = await caller(server.base)
    assert json.loads(await text(anybody, "/healthz")) == {"status": "ok"}
    assert json.loads(await text(anybody, "/readyz")) == {
        "status": "ok",
        "database": "ok",
        "cache": "ok",
        "migrations": "ok",
    }


async def test_not_ready_before_the_migration(empty_database_url: str, redis_url: str, prefix: str) -> None:
    async with (
        serving(empty_database_url, redis_url, prefix) as server,
        Client(server.base) as anybody,
        anybody.http.get(server.base + "/readyz") as response,
    ):
        assert response.status == 503
        assert (await response.json())["migrations"] == "pending"


async def test_figures_of_a_call(server: Server, caller: Make, volunteer: Make, pool: Pool) -> None:
    asker, helper = await caller(server.base), await volunteer(server.base)

    async def figure(name: str) -> float:
        match = re.search(rf"^{re.escape(name)} ([\d.e+]+)$", await text(asker, "/metrics"), re.MULTILINE)
        return float(match[1]) if match else 0.0

    names = (
        "visavis_requests_total", "visavis_calls_total", 'visavis_calls_ended_total{reason="done"}',
        'visavis_alerts_total{channel="socket"}', "visavis_wait_seconds_count",
        'visavis_commands_total{outcome="ok",type="help.ask"}',
    )  # fmt: skip
    before = [await figure(name) for name in names]
    await finished(asker, helper, pool)
    assert [await figure(name) - old for name, old in zip(names, before, strict=True)] == [1.0] * len(names)
    assert await figure("visavis_sockets") == 2
    metrics = await text(asker, "/metrics")
    for secret in (asker.email, asker.person["id"], helper.person["id"]):
        assert secret not in metrics


async def test_every_answer_carries_the_guards(server: Server, caller: Make) -> None:
    anybody = await caller(server.base)
    for path in ("/healthz", "/v1/me", "/nowhere", "/v1/nowhere"):
        async with anybody.http.get(server.base + path) as response:
            headers = response.headers
        assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert "camera=(self), microphone=(self)" in headers["Permissions-Policy"]
        assert headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/dev", "/dev/mail", "/dev/mail?to=x@y.org", "/dev/sign-in/caller", "/dev/push"])
async def test_the_development_doors_are_not_there_in_production(
    database_url: str, redis_url: str, prefix: str, path: str
) -> None:
    async with (
        serving(database_url, redis_url, prefix, PRODUCTION="yes") as server,
        Client(server.base) as anybody,
        anybody.http.get(server.base + path) as response,
    ):
        assert response.status == 404
        assert server.house.mailer is not None


async def test_problems_speak_the_readers_language(server: Server, caller: Make) -> None:
    anybody = await caller(server.base)
    for wish, language in (("fr-CA,fr;q=0.9,en;q=0.5", "fr"), ("en", "en"), ("xx", "en"), (";;q=,", "en")):
        async with anybody.http.get(server.base + "/v1/nowhere", headers={"Accept-Language": wish}) as response:
            assert response.headers["Content-Language"] == language
            assert response.status == 404


CANARY = "canary7531"


async def test_what_people_type_is_in_no_log(
    database_url: str, redis_url: str, prefix: str, caller: Make, volunteer: Make, pool: Pool
) -> None:
    async with server_process(database_url, redis_url, prefix) as process:
        asker = await caller(process.base, alias=CANARY)
        helper = await volunteer(process.base, alias=CANARY)
        call_id = await finished(asker, helper, pool)
        await asker.call("PUT", f"/v1/calls/{call_id}/rating", {"comment": CANARY})
        await asker.call("POST", f"/v1/calls/{call_id}/report", {"kind": "rude", "text": CANARY})
        for body in ({"email": f"{CANARY}@x.test", "code": CANARY}, {"email": CANARY}, {CANARY: CANARY}):
            async with asker.http.post(f"{process.base}/v1/auth/verify?{CANARY}", json=body) as response:
                assert response.status >= 400
        await asker.ask(topic=CANARY)
        await asker.send(json.dumps({"type": CANARY, "id": CANARY}))
        await asker.send(CANARY)
        assert await asker.closed() == 4400
        async with asker.http.get(f"{process.base}/{CANARY}", headers={"User-Agent": CANARY}) as response:
            assert response.status == 404
        log = process.log()
    assert "server.listening" in log
    assert "route=/v1/auth/verify" in log
    for secret in (CANARY, asker.email, helper.email, asker.person["id"], call_id, "127.0.0.1:"):
        assert secret not in log.replace(f"http://127.0.0.1:{process.port}", "")
