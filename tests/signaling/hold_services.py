"""A server that has the embedded services and does nothing else, for tests that end it in every way.

python -m tests.signaling.hold_services DATA_DIR"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from signaling.embedded import running


async def main(data_dir: Path) -> None:
    """Say when the services run; end at SIGTERM or SIGINT."""
    asked_to_stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, asked_to_stop.set)
    async with running(data_dir, postgres=True, valkey=True):
        print("running", flush=True)
        await asked_to_stop.wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
