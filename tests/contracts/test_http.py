"""The HTTP side against its own OpenAPI document, by a suite nobody here wrote (schemathesis)."""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path

import pytest

from tests.client import Client
from tests.house import serving

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
EXAMPLES = 25


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_the_server_keeps_its_document(database_url: str, redis_url: str, prefix: str, tmp_path: Path) -> None:
    async with (
        serving(database_url, redis_url, prefix, ACCOUNTS_CODES_PER_NETWORK="100000") as server,
        Client(server.base) as person,
    ):
        await (await person.sign_in()).profile("caller")
        program = shutil.which("schemathesis", path=str(Path(sys.executable).parent))
        assert program is not None
        process = await asyncio.create_subprocess_exec(
            program,
            "run",
            f"{server.base}/v1/openapi.json",
            f"--url={server.base}",
            f"--header=Authorization: Bearer {person.access_token}",
            f"--checks={CHECKS}",
            f"--max-examples={EXAMPLES}",
            "--phases=examples,coverage,fuzzing",
            "--exclude-path=/v1/auth/logout",  # it would end the sign-in that the rest needs
            "--seed=1",
            "--workers=2",
            "--no-color",
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        assert process.returncode == 0, output.decode()[-6000:]
        # The person of the token is still whole: nothing that was tried has harmed the account.
        assert (await person.call("GET", "/v1/me"))["email"] == person.email
