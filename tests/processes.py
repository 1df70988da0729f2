"""Server processes of their own, to be killed, stopped and continued."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from tests.house import SECRET, free_port

READY_WITHIN = 20.0


class ServerProcess:
    """`visavis dev` in a process of its own, over services that are there already."""

    def __init__(self, environ: dict[str, str], log: Path) -> None:
        self.port = int(environ["PORT"])
        self.base = f"http://127.0.0.1:{self.port}"
        self._environ = environ
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        """Start, and wait until it says that it is ready."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: ASYNC220 (asyncio's own would be tied to one loop)
                [sys.executable, "-m", "signaling", "dev"], env=self._environ, stdout=log, stderr=log
            )
        async with aiohttp.ClientSession() as http, asyncio.timeout(READY_WITHIN):
            while True:
                if self._process.poll() is not None:
                    raise RuntimeError(f"the server ended:\n{self._log.read_text()[-3000:]}")
                try:
                    async with http.get(self.base + "/readyz") as response:
                        if response.status == 200:
                            return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.05)

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    async def ended(self) -> int:
        """Wait until it has ended; its exit status."""
        assert self._process is not None
        return await asyncio.to_thread(self._process.wait, 20)

    async def kill(self) -> None:
        """As a power cut would."""
        self.signal(signal.SIGKILL)
        await self.ended()

    def log(self) -> str:
        return self._log.read_text()


@asynccontextmanager
async def server_process(
    database_url: str, redis_url: str, prefix: str, **environ: str
) -> AsyncIterator[ServerProcess]:
    """A running server process; whatever is left of it is killed at the end."""
    with tempfile.TemporaryDirectory(prefix="visavis-process-") as folder:
        names = {
            "PORT": str(free_port()),
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "REDIS_PREFIX": prefix,
            "SECRET_KEY": SECRET,
            "DATA_DIR": f"{folder}/var",
        }
        process = ServerProcess(dict(os.environ) | names | environ, Path(folder, "log"))
        await process.start()
        try:
            yield process
        finally:
            if process._process is not None and process._process.poll() is None:
                process.signal(signal.SIGCONT)
                process.signal(signal.SIGTERM)
                try:
                    await process.ended()
                except subprocess.TimeoutExpired:
                    await process.kill()
