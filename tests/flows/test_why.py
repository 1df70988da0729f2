"""`visavis why`."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys

from tests.client import new_id
from tests.flows.conftest import Make
from tests.house import SECRET, Server


async def test_the_command(
    server: Server, caller: Make, volunteer: Make, database_url: str, redis_url: str, prefix: str
) -> None:
    names = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "REDIS_PREFIX": prefix, "SECRET_KEY": SECRET}

    async def why(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "signaling", "why", *arguments]
        return await asyncio.to_thread(
            subprocess.run, command, env=os.environ | names, capture_output=True, text=True, check=False
        )

    asker, helper = await caller(server.base), await volunteer(server.base)
    request = await asker.ask()
    offer = (await helper.expect("offer.ring"))["offer_id"]
    said = await why(offer)
    assert said.returncode == 0, said.stderr
    assert f"{helper.person['id']} was rung in an open page for request {request}" in said.stdout
    assert "It has no outcome yet." in said.stdout
    assert "Of 1 who could be rung this volunteer was number 1" in said.stdout
    await helper.accept(offer)
    await asker.expect("call.begin")
    assert "They accepted after" in (await why(offer)).stdout

    kept = json.loads((await why(offer, "--json")).stdout)
    assert (kept["offer_id"], kept["channel"], kept["outcome"]) == (offer, "socket", "accepted")
    assert kept["why"]["place"] == 1
    assert len(kept["why"]) == 18

    for unknown in (new_id(), "nonsense"):
        failed = await why(unknown)
        assert failed.returncode == 1
        assert failed.stderr.strip().endswith("[offer_not_found]")
        assert unknown in failed.stderr
