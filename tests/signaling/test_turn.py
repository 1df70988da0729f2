"""TURN credentials: for one call and side, for a time, and such as a real coturn takes."""

from __future__ import annotations

import asyncio
import shutil
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import aioice.stun
import aioice.turn
import pytest

from accounts.model import Role
from signaling.turn import Turn
from tests.house import free_port

SECRET = "shared-with-coturn"
CALL = uuid.UUID("00000000-0000-7000-8000-000000000001")


@pytest.fixture
async def coturn(tmp_path: Path) -> AsyncIterator[int]:
    """The port of a real coturn on loopback."""
    program = shutil.which("turnserver")
    assert program, "coturn is missing: apt-get install coturn"
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        program,
        *("-n", "--use-auth-secret", f"--static-auth-secret={SECRET}", "--realm=visavis", "--fingerprint"),
        *(f"--listening-port={port}", "--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", "--no-cli", "--no-tls"),
        *("--no-dtls", "--allow-loopback-peers", f"--pidfile={tmp_path}/pid", "--log-file=stdout"),
        *(f"--userdb={tmp_path}/db", "--min-port=40000", "--max-port=40100"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(10):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    await asyncio.sleep(0.05)
                else:
                    writer.close()
                    await writer.wait_closed()
                    break
        yield port
    finally:
        process.terminate()
        await process.wait()


async def allocate(port: int, username: str, password: str) -> str:
    """The relayed address that coturn gives for these credentials."""
    transport, _ = await aioice.turn.create_turn_endpoint(
        asyncio.DatagramProtocol, server_addr=("127.0.0.1", port), username=username, password=password
    )
    address: tuple[str, int] = transport.get_extra_info("sockname")
    transport.close()  # says goodbye to the server in the background
    await asyncio.sleep(0.05)
    return address[0]


def credentials(turn: Turn, now: float, role: Role = Role.CALLER) -> tuple[str, str]:
    (server,) = turn.servers(CALL, role, now)
    assert server.username is not None
    assert server.credential is not None
    return server.username, server.credential


async def test_coturn_takes_our_credentials(coturn: int) -> None:
    turn = Turn((f"turn:127.0.0.1:{coturn}",), SECRET)
    assert await allocate(coturn, *credentials(turn, time.time())) == "127.0.0.1"


async def test_coturn_refuses_expired_and_forged_ones(coturn: int) -> None:
    turn = Turn((f"turn:127.0.0.1:{coturn}",), SECRET)
    expired = credentials(turn, time.time() - 3 * 3600)
    username, password = credentials(turn, time.time())
    longer = (username.replace(username.split(":")[0], str(int(time.time()) + 10**6)), password)
    other = credentials(Turn((f"turn:127.0.0.1:{coturn}",), "another secret"), time.time())
    for forged in (expired, longer, other):
        with pytest.raises(aioice.stun.TransactionFailed):
            await allocate(coturn, *forged)


def test_credentials_are_for_one_call_and_one_side() -> None:
    turn = Turn(("turn:turn.visavis.example",), SECRET, life=100)
    mine, theirs = credentials(turn, 1000.0), credentials(turn, 1000.0, Role.VOLUNTEER)
    assert mine != theirs
    assert mine[0] == f"1100:{CALL.hex}-caller"


def test_without_a_relay_there_are_no_servers() -> None:
    turn = Turn((), "")
    assert turn.servers(CALL, Role.CALLER, 0.0) == ()
    assert turn.policy == "all"
    assert Turn(("turns:x",), "s").policy == "relay"
