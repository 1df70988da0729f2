"""The candidate index: volunteers who may be rung on a sleeping device, by language, least recently rung first.

It only suggests. What it holds is described in lua/index/prelude.lua; all of it can be rebuilt from Postgres. Beside
what belongs to a language there are two keys for all: {index}:languages, a set, and {index}:about, a hash with the name
of the last rebuild, by which a cache that forgot everything is known."""

from __future__ import annotations

import asyncio
import hashlib
import struct
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import redis.asyncio
from redis.asyncio.cluster import RedisCluster
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, RedisClusterException

from accounts.errors import Unavailable
from matching.board import answering
from matching.model import Candidate, Channel, Evidence
from matching.placement import Band, Place, shares
from matching.settings import MatchingSettings

LUA = Path(__file__).with_name("lua") / "index"
ENTRY = struct.Struct(">16sBIIIIeeBBb")
"""What a script gets of a volunteer: id, then the record: kind, when it was known (ms), minute of the next look, until
when (s), last rung (s), answers, exposure, ignored rings, calls, quarters of an hour ahead of UTC."""
FOUND = struct.Struct(">16sIeeBBb")
GONE, WAITS, STANDS = 0, 1, 2
TRUSTED = STANDS + len(Band)
ID = 16
AT_ONCE = 64
"""Volunteers a script places: the cache does nothing else meanwhile, well under a millisecond."""
BUCKETS_AT_ONCE = 8
NEVER = 2**32 - 1
CONNECTIONS = 20
MANY = 60_000.0
"""The largest number that every field of a half float takes."""

Client = redis.asyncio.Redis | RedisCluster


class Line(msgspec.Struct, frozen=True):
    """What `status` tells of a language."""

    language: str
    stand: dict[str, int]
    """Volunteers in the line of each band; of all bands together, some also in `trusted`."""
    records: int
    """Volunteers known: those who stand, those who wait, and some who just went."""
    size: int
    """Bytes, about: bucket sizes are sampled."""
    built: bool
    """Whether a rebuild has seen all volunteers of this language."""


class Taken(msgspec.Struct, frozen=True):
    """What `take` found."""

    volunteers: list[UUID]
    more: bool
    """Whether there may be more of them now."""
    built: bool
    """Whether the language was built since the cache last forgot it."""


class CandidateIndex:
    """The index over one cache or a cluster of them. Every method raises `Unavailable` while the cache that has the
    language is away. `clock` gives Unix time for tests; by default the cache's own clock counts."""

    def __init__(
        self,
        client: Client,
        prefix: str = "visavis:",
        settings: MatchingSettings | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._redis: Any = client
        self._prefix = prefix
        self._settings = settings or MatchingSettings()
        self._clock = clock
        prelude = (LUA / "prelude.lua").read_text()
        self._scripts = {path.stem: prelude + path.read_text() for path in LUA.glob("*-1.lua")}
        self._hashes = {name: hashlib.sha1(text.encode()).hexdigest() for name, text in self._scripts.items()}  # noqa: S324 (Redis names scripts so)
        self._known: set[str] = set()
        self._gate = asyncio.Semaphore(CONNECTIONS)

    def _key(self, language: str) -> str:
        return f"{self._prefix}{{{language}}}:index"

    def _about(self, language: str | None) -> str:
        return f"{self._prefix}{{index}}:about" if language is None else self._key(language)

    @property
    def _languages(self) -> str:
        return f"{self._prefix}{{index}}:languages"

    def _now(self) -> str | int:
        return int(self._clock()) if self._clock else ""

    async def _run(self, script: str, key: str, *args: str | int | bytes) -> Any:
        async with self._gate, _reached():
            try:
                return await self._redis.evalsha(self._hashes[f"{script}-1"], 1, key, *args)
            except NoScriptError:
                return await self._redis.eval(self._scripts[f"{script}-1"], 1, key, *args)

    # --- whom to ring

    async def pick(self, language: str, at_most: int, *, trusted: bool = False) -> list[Candidate]:
        """Up to `at_most` volunteers who may be rung now for a language (the part of a tag by which people are
        matched): of each band a share, those first who were rung longest ago; of the trusted only, if so wished."""
        if trusted:
            lines: list[str | int] = ["trusted", at_most]
        else:
            lines = [part for band, share in shares(at_most).items() for part in (int(band), share)]
        found = await self._run("pick", self._key(language), self._now(), *lines)
        return [
            Candidate(
                id=UUID(bytes=volunteer),
                channel=Channel.PUSH,
                evidence=Evidence(yes, exposure, ignored),
                last_rung=float(rung),
                calls=calls,
                offset=quarters * 900,
            )
            for volunteer, rung, yes, exposure, ignored, calls, quarters in FOUND.iter_unpack(found)
        ]

    # --- who stands where

    async def place(self, places: Sequence[Place], as_of: float, *, absent: bool = True) -> frozenset[str]:
        """Put volunteers where Postgres said at `as_of` (Unix time), unless the index knows something later.
        `absent`: remember also who is gone and was not known, so that nothing older brings them back.
        Returns the languages that could not be reached; the others are done."""
        entries: dict[str, list[bytes]] = defaultdict(list)
        for each in places:
            for language, entry in encoded(each, as_of):
                entries[language].append(entry)
        missed: set[str] = set()
        try:
            await self._learn(entries)
        except Unavailable:
            # Nobody would ever look at a language that is not on the list.
            missed = entries.keys() - self._known
            entries = {language: entries[language] for language in entries.keys() - missed}
        answers = await asyncio.gather(
            *(self._place(language, blobs, absent) for language, blobs in entries.items()), return_exceptions=True
        )
        for language, answer in zip(entries, answers, strict=True):
            if isinstance(answer, Unavailable):
                missed.add(language)
            elif answer is not None:
                raise answer
        return frozenset(missed)

    async def _place(self, language: str, entries: Sequence[bytes], absent: bool) -> None:
        lease = int(self._settings.index_lease)
        for start in range(0, len(entries), AT_ONCE):
            blob = b"".join(entries[start : start + AT_ONCE])
            await self._run("place", self._key(language), blob, int(absent), lease, self._now())

    async def take(self, language: str, at_most: int) -> Taken:
        """Volunteers of a language whose place has to be looked at. Who is not placed comes again after the lease."""
        lease = int(self._settings.index_lease)
        taken, read, built = await self._run("take", self._key(language), at_most, lease, self._now())
        return Taken(_ids(taken), read >= at_most, bool(built))

    async def older(self, language: str, than: float) -> AsyncIterator[list[UUID]]:
        """Volunteers of whom the index knows nothing since `than` (Unix time), bucket by bucket."""
        first, more = 0, 1
        while more:
            found, more = await self._run("old", self._key(language), first, BUCKETS_AT_ONCE, _ms(than))
            first += BUCKETS_AT_ONCE
            yield _ids(found)

    # --- whether it is whole

    async def languages(self) -> frozenset[str]:
        """The languages that have, or had, volunteers."""
        async with _reached():
            found = await self._redis.smembers(self._languages)
        self._known = {language.decode() for language in found}
        return self.known

    @property
    def known(self) -> frozenset[str]:
        """Those of which this node has heard."""
        return frozenset(self._known)

    async def _learn(self, languages: Iterable[str]) -> None:
        if new := set(languages) - self._known:
            async with _reached():
                await self._redis.sadd(self._languages, *sorted(new))
            self._known |= new

    async def built(self) -> bool:
        """Whether a rebuild has seen every volunteer since the cache last forgot."""
        async with _reached():
            return bool(await self._redis.hexists(self._about(None), "built"))

    async def begin(self, language: str | None, name: str) -> None:
        """A rebuild of that name begins."""
        async with _reached():
            await self._redis.hset(self._about(language), "building", name)
        if language is not None:
            self._known.discard(language)
            await self._learn([language])

    async def finish(self, language: str | None, name: str) -> bool:
        """It is done. False if the cache has forgotten something since it began."""
        return bool(await self._run("built", self._about(language), name))

    async def status(self, language: str) -> Line:
        """How many stand in the lines of a language, and what that takes."""
        key = self._key(language)
        stand, size = {}, 0
        async with _reached():
            for name, line in [(band.name.lower(), int(band)) for band in Band] + [("trusted", "trusted")]:
                stand[name] = await self._redis.zcard(f"{key}:line:{line}")
                size += await self._redis.memory_usage(f"{key}:line:{line}", 50) or 0
            about = await self._redis.hgetall(key)
            buckets = int(about.get(b"buckets", 1))
            step = max(1, buckets // 64)
            sampled = [await self._redis.memory_usage(f"{key}:{n}") or 0 for n in range(0, buckets, step)]
            size += sum(sampled) * buckets // len(sampled)
            for slot in await self._redis.zrange(f"{key}:slots", 0, -1):
                size += await self._redis.memory_usage(f"{key}:turns:{slot.decode()}") or 0
        return Line(language, stand, int(about.get(b"records", 0)), size, b"built" in about)


def encoded(place: Place, as_of: float) -> list[tuple[str, bytes]]:
    """(language, entry for place-1.lua) of every language that a place says something about."""
    id_, known, turn = place.id.bytes, _ms(as_of), int(place.look_at // 60)
    found = []
    if place.leaves:
        gone = ENTRY.pack(id_, GONE, known, 0, 0, 0, 0, 0, 0, 0, 0)
        found += [(language, gone) for language in place.leaves]
    if place.waits:
        waits = ENTRY.pack(id_, WAITS, known, turn, 0, 0, 0, 0, 0, 0, 0)
        found += [(language, waits) for language in place.waits]
    if place.stands:
        stands = ENTRY.pack(
            id_,
            (TRUSTED if place.trusted else STANDS) + place.band,
            known,
            turn,
            min(NEVER, int(place.until)),
            min(NEVER, max(0, int(place.last_rung))),
            min(MANY, place.evidence.yes),
            min(MANY, place.evidence.exposure),
            min(255, max(0, place.evidence.ignored)),
            min(255, place.calls),
            max(-128, min(127, place.offset // 900)),
        )
        found += [(language, stands) for language in place.stands]
    return found


def _ms(moment: float) -> int:
    return int(moment * 1000) & 0xFFFFFFFF


def _ids(blob: bytes) -> list[UUID]:
    return [UUID(bytes=blob[start : start + ID]) for start in range(0, len(blob), ID)]


@asynccontextmanager
async def _reached() -> AsyncIterator[None]:
    """As `answering`; and a part of a cluster that is away is `Unavailable` too."""
    async with answering():
        try:
            yield
        except RedisClusterException as error:
            raise RedisConnectionError(str(error)) from error


CLUSTER = "+cluster"


async def connect_index(url: str, *, patience: float = 2) -> Client:
    """A client for the index: `redis+cluster://HOST:PORT` is any node of a cluster, everything else one server.
    Raises `Unavailable` if it does not answer."""
    client: Client
    async with _reached(), asyncio.timeout(2 * patience):
        scheme, _, rest = url.partition("://")
        if scheme.endswith(CLUSTER):
            client = RedisCluster.from_url(
                f"{scheme.removesuffix(CLUSTER)}://{rest}",
                # One node that is away takes its languages along, not the others.
                require_full_coverage=False,
                socket_timeout=patience,
                socket_connect_timeout=patience,
            )
            await client.initialize()
            return client
        pool = redis.asyncio.BlockingConnectionPool.from_url(
            url, max_connections=CONNECTIONS, timeout=patience, socket_timeout=patience, socket_connect_timeout=patience
        )
        client = redis.asyncio.Redis.from_pool(pool)
        await client.ping()
        return client


async def close_index(client: Client) -> None:
    """Close every connection. A client of a cluster that has just lost a node would keep them: until it has learned the
    cluster anew, it takes itself for closed."""
    await client.aclose()
    if isinstance(client, RedisCluster):
        for nodes in ("nodes_cache", "startup_nodes"):
            await client.nodes_manager.aclose(nodes)
