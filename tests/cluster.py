"""A real cluster: three of the embedded Valkeys that share the slots, on loopback, without replicas."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.exceptions import RedisError

from signaling.embedded.log import open_log
from signaling.embedded.process import Child, free_port
from signaling.embedded.user import servant
from signaling.embedded.wheels import valkey_program
from tests.parts import open_folder

NODES = 3
SLOTS = 16_384
PATIENCE = 20.0

CONFIG = """
bind 127.0.0.1
port {port}
requirepass {password}
daemonize no
dir {folder}
save ""
appendonly no
cluster-enabled yes
cluster-port {bus}
cluster-config-file nodes.conf
cluster-node-timeout 1000
cluster-require-full-coverage no
"""


class Node:
    """One of the three."""

    def __init__(self, folder: Path, number: int, password: str) -> None:
        self.port, self.bus = free_port(), free_port()
        self.slots = range(number * SLOTS // NODES, (number + 1) * SLOTS // NODES)
        self._folder = folder / str(number)
        self._password = password
        self.client: Any = redis.asyncio.Redis(port=self.port, password=password, retry=Retry(NoBackoff(), 0))
        self.child: Child | None = None

    def start(self) -> None:
        user = servant(self._folder)
        self._folder.mkdir(exist_ok=True)
        if user is not None:
            os.chown(self._folder, user.uid, user.gid)
        config = CONFIG.format(port=self.port, bus=self.bus, password=self._password, folder=self._folder)
        with open_log(self._folder.parent / f"{self.port}.log") as log:
            argv = [str(valkey_program(user)), "-"]
            self.child = Child(argv, user=user, log=log, farewell=signal.SIGTERM, stdin=config.encode())

    async def stop(self) -> None:
        if self.child is not None:
            await self.child.stop((signal.SIGTERM, 5))

    def has(self, language: str) -> bool:
        """Whether what is kept for a language is kept here."""
        return key_slot(language.encode()) in self.slots


class Cluster:
    """The three of them."""

    def __init__(self, folder: Path) -> None:
        self._password = secrets.token_urlsafe(16)
        self.nodes = [Node(folder, number, self._password) for number in range(NODES)]

    @property
    def url(self) -> str:
        return f"redis+cluster://:{self._password}@127.0.0.1:{self.nodes[0].port}"

    def of(self, language: str) -> Node:
        return next(node for node in self.nodes if node.has(language))

    async def start(self) -> None:
        for node in self.nodes:
            node.start()
        async with asyncio.timeout(PATIENCE):
            for number, node in enumerate(self.nodes):
                await _answers(node.client)
                await node.client.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
                await node.client.execute_command("CLUSTER ADDSLOTSRANGE", node.slots[0], node.slots[-1])
            for other in self.nodes[1:]:
                await self.nodes[0].client.execute_command("CLUSTER MEET", "127.0.0.1", other.port, other.bus)
            for node in self.nodes:
                while not await _is_whole(node.client):  # noqa: ASYNC110 (they talk among themselves)
                    await asyncio.sleep(0.05)


async def _answers(client: Any) -> None:
    while True:
        try:
            await client.ping()
        except (RedisError, OSError):
            await asyncio.sleep(0.02)
        else:
            return


async def _is_whole(client: Any) -> bool:
    info = await client.execute_command("CLUSTER INFO")
    text = info.decode() if isinstance(info, bytes) else "\n".join(f"{key}:{value}" for key, value in info.items())
    return all(
        line in text for line in ("cluster_state:ok", f"cluster_slots_assigned:{SLOTS}", f"cluster_size:{NODES}")
    )


@asynccontextmanager
async def cluster() -> AsyncIterator[Cluster]:
    """Started, and stopped at the end of the block."""
    with open_folder() as folder:
        async with AsyncExitStack() as stack:
            made = Cluster(folder)
            for node in made.nodes:
                stack.push_async_callback(node.stop)
                stack.push_async_callback(node.client.aclose)
            await made.start()
            yield made
