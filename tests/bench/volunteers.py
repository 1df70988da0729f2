"""Many volunteers in a candidate index in little time: writes what place-1.lua would have left, without running it.
`tests/matching/test_bench_volunteers.py` compares the two."""

from __future__ import annotations

import asyncio
import random
import socket
from collections import defaultdict
from collections.abc import Iterator
from uuid import UUID

from matching.candidates import ENTRY, ID, STANDS, TRUSTED
from matching.placement import Band

FULL = 32
"""As in place-1.lua."""
CHUNK = 4096
TRUSTED_EACH = 50
BANDS = (0,) * 20 + (1,) * 54 + (2,) * 12 + (3,) * 7 + (4,) * 4 + (5,) * 2 + (6,)


def entries(count: int, now: float, seed: int = 1) -> Iterator[bytes]:
    """So many volunteers, all awake, so all in a line. Who was rung longest ago comes first."""
    chance = random.Random(seed)
    minute = int(now // 900 + 1) * 15
    for number in range(count):
        yield ENTRY.pack(
            UUID(int=chance.getrandbits(128), version=4).bytes,
            (STANDS if chance.random() * TRUSTED_EACH >= 1 else TRUSTED) + BANDS[number % len(BANDS)],
            int(now * 1000) & 0xFFFFFFFF,
            minute + number % 96 * 15,
            int(now) + 2 * 86_400,
            int(now) - count + number,
            number % 7 / 4,
            number % 31 / 2,
            number % 5,
            number % 200,
            number % 48 - 20,
        )


def _command(*parts: bytes) -> bytes:
    return b"*%d\r\n" % len(parts) + b"".join([b"$%d\r\n%b\r\n" % (len(part), part) for part in parts])


def commands(key: bytes, count: int, now: float) -> Iterator[bytes]:
    """RESP that puts them under `key`, the hash about a language."""
    buckets = max(1, -(-count // FULL))
    power = 1 << (buckets.bit_length() - 1)
    slots: set[bytes] = set()
    chunk: list[bytes] = []

    def written(some: list[bytes]) -> bytes:
        lines: dict[bytes, list[bytes]] = defaultdict(list)
        turns: dict[bytes, list[bytes]] = defaultdict(list)
        out: list[bytes] = []
        for entry in some:
            volunteer, kind, _, turn, _, rung, *_ = ENTRY.unpack(entry)
            bucket = int.from_bytes(volunteer[12:], "big") % (2 * power)
            bucket = bucket if bucket < buckets else bucket - power
            out.append(
                b"*4\r\n$4\r\nHSET\r\n$%d\r\n%b:%d\r\n$16\r\n%b\r\n$24\r\n%b\r\n"
                % (len(key) + 1 + len(b"%d" % bucket), key, bucket, volunteer, entry[ID:])
            )
            lines[b"%d" % ((kind - STANDS) % len(Band))] += [b"%d" % rung, volunteer]
            if kind >= TRUSTED:
                lines[b"trusted"] += [b"%d" % rung, volunteer]
            turns[b"%d" % turn].append(volunteer)
        out += [_command(b"ZADD", b"%b:line:%b" % (key, name), *line) for name, line in lines.items()]
        out += [_command(b"RPUSH", b"%b:turns:%b" % (key, slot), *ids) for slot, ids in turns.items()]
        slots.update(turns)
        return b"".join(out)

    for entry in entries(count, now):
        chunk.append(entry)
        if len(chunk) == CHUNK:
            yield written(chunk)
            chunk = []
    if chunk:
        yield written(chunk)
    yield b"".join(_command(b"ZADD", key + b":slots", slot, slot) for slot in sorted(slots))
    yield _command(b"HSET", key, b"buckets", b"%d" % buckets, b"records", b"%d" % count)


def fill(address: tuple[str, int], password: str, key: bytes, count: int, now: float) -> None:
    """Write them; returns when the cache has them all. Blocks."""
    with socket.create_connection(address) as connection:
        connection.sendall(_command(b"AUTH", password.encode()) + _command(b"CLIENT", b"REPLY", b"OFF"))
        for command in commands(key, count, now):
            connection.sendall(command)
        connection.sendall(_command(b"CLIENT", b"REPLY", b"ON") + _command(b"PING"))
        said = b""
        while b"PONG" not in said:
            said += connection.recv(4096)


async def filled(address: tuple[str, int], password: str, key: bytes, count: int, now: float) -> None:
    """As `fill`, in a thread."""
    await asyncio.to_thread(fill, address, password, key, count, now)
