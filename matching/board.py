"""The board in Redis: who is here, who may be rung, what is due. Nothing on it decides, and all of it can be rebuilt.

Keys, each after the prefix:
    {here}:person:ID     hash     session -> node, one for every open socket of the person
    {here}:node:NODE     hash     session -> person, the same seen from the node
    {here}:nodes         zset     node -> last beat, ms
    {here}:life          string   the name of this life of the cache
    {here}:away          zset     person -> when they count as gone, ms
    {here}:session:ID    string   the node that keeps a session without a socket
    {here}:shift:ID      string   the person whose session is on shift
    {here}:due           zset     request -> when to look at it again, ms
    {LANGUAGE}:willing   zset     volunteer -> last rung, ms; those who may be rung and speak the language
    {ID}:ring            string   the offer that rings for this volunteer
    {ID}:promise         string   the request whose caller was just told that this volunteer is free
A hash tag keeps what one script touches in one slot of a cluster."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import redis.asyncio
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from accounts import cancellation
from accounts.errors import Unavailable

LUA = Path(__file__).with_name("lua")
RETRY_AFTER = 5

Redis = redis.asyncio.Redis


@asynccontextmanager
async def answering() -> AsyncIterator[None]:
    """Turns a cache that is away, full or starting into `Unavailable`."""
    try:
        with cancellation.kept():
            yield
    except (RedisConnectionError, RedisTimeoutError, ResponseError, OSError, TimeoutError) as error:
        raise Unavailable(retry_after=RETRY_AFTER) from error


class Board:
    """The board as one node sees it. Every method raises `Unavailable` while the cache is away."""

    def __init__(self, client: Redis, node: str, prefix: str = "visavis:") -> None:
        self._redis = client
        self.node = node
        self._prefix = prefix
        self._scripts = {path.stem: client.register_script(path.read_text()) for path in LUA.glob("*.lua")}

    def _here(self, *parts: object) -> str:
        return f"{self._prefix}{{here}}:" + ":".join(map(str, parts))

    def _willing(self, language: str) -> str:
        return f"{self._prefix}{{{language}}}:willing"

    def _ring(self, volunteer: UUID) -> str:
        return f"{self._prefix}{{{volunteer}}}:ring"

    def _promise(self, volunteer: UUID) -> str:
        return f"{self._prefix}{{{volunteer}}}:promise"

    async def _exist(self, keys: Sequence[str]) -> list[bool]:
        if not keys:
            return []
        async with answering():
            pipeline = self._redis.pipeline(transaction=False)
            for key in keys:
                pipeline.exists(key)
            return [bool(answer) for answer in await pipeline.execute()]

    async def _run(self, script: str, keys: Sequence[str], *args: str | int) -> Any:
        async with answering():
            return await self._scripts[f"{script}-{len(keys)}"](keys=list(keys), args=list(args))

    async def _run_each(self, script: str, calls: Sequence[tuple[str, Sequence[str]]]) -> None:
        """Run a script of one key for each (key, arguments), all at once."""
        if not calls:
            return
        async with answering():
            pipeline = self._redis.pipeline(transaction=False)
            for key, args in calls:
                await self._scripts[f"{script}-1"](keys=[key], args=list(args), client=pipeline)
            await pipeline.execute()

    # --- who is here

    async def attach(self, person: UUID, session: UUID) -> bool:
        """A socket of the person is open on this node; whether the person was away."""
        keys = (self._here("person", person), self._here("node", self.node), self._here("away"))
        return bool(await self._run("attach", keys, str(session), self.node, str(person)))

    async def detach(self, person: UUID, session: UUID, window: float, node: str | None = None) -> bool:
        """A socket of the person has dropped on this node (or on `node`, which died). Whether it was their last:
        then they count as gone after `window` seconds."""
        at = node or self.node
        kept = self._here("session", session)
        keys = (self._here("person", person), self._here("node", at), self._here("away"), kept)
        return bool(await self._run("detach", keys, str(session), at, str(person), int(window * 1000)))

    async def nodes_of(self, person: UUID) -> set[str]:
        """The nodes where the person has an open socket."""
        async with answering():
            return {str(node) for node in await self._redis.hvals(self._here("person", person))}

    async def sockets_of(self, person: UUID) -> dict[UUID, str]:
        """The person's open sockets: session and node."""
        async with answering():
            found = await self._redis.hgetall(self._here("person", person))
        return {UUID(str(session)): str(node) for session, node in found.items()}

    async def keeper_of(self, session: UUID) -> str | None:
        """The node that keeps a session which has no socket now."""
        async with answering():
            found = await self._redis.get(self._here("session", session))
        return str(found) if found else None

    async def on_shift(self, session: UUID, person: UUID, life: int = 86_400) -> None:
        """This session may be rung; known here too, so that it outlives its node."""
        async with answering():
            await self._redis.set(self._here("shift", session), str(person), ex=life)

    async def off_shift(self, session: UUID) -> None:
        """This session may not be rung any more."""
        async with answering():
            await self._redis.delete(self._here("shift", session))

    async def was_on_shift(self, session: UUID, person: UUID) -> bool:
        """Whether that session of this person may be rung."""
        async with answering():
            return bool(await self._redis.get(self._here("shift", session)) == str(person))

    async def present(self, people: Sequence[UUID]) -> list[bool]:
        """Whether each has an open socket somewhere."""
        return await self._exist([self._here("person", person) for person in people])

    async def await_return(self, people: Sequence[UUID], window: float) -> None:
        """These people have no socket: they count as gone after `window` seconds, unless a time runs already."""
        if people:
            await self._run("plan", (self._here("away"),), int(window * 1000), "NX", *map(str, people))

    async def take_gone(self, at_most: int, lease: float) -> list[UUID]:
        """People whose time to come back is over. They come again after `lease` seconds unless `settled`."""
        taken = await self._run("take-due", (self._here("away"),), at_most, int(lease * 1000))
        return [UUID(str(member)) for member in taken]

    async def settled(self, people: Sequence[UUID]) -> None:
        """What had to be done about people who are gone, or came back, was done."""
        if people:
            async with answering():
                await self._redis.zrem(self._here("away"), *map(str, people))

    # --- nodes

    async def beat(self, fresh: str) -> tuple[str, bool]:
        """This node is alive. Returns the name of this life of the cache (`fresh` if it was empty), and whether the
        cache did not know this node."""
        life, new = await self._run("beat", (self._here("nodes"), self._here("life")), self.node, fresh)
        return str(life), bool(new)

    async def nodes(self) -> set[str]:
        """Every node that beats, or did a moment ago."""
        async with answering():
            return {str(node) for node in await self._redis.zrange(self._here("nodes"), 0, -1)}

    async def silent_nodes(self, silence: float) -> list[str]:
        """Nodes that have not beaten for `silence` seconds."""
        found = await self._run("silent", (self._here("nodes"),), int(silence * 1000))
        return [str(node) for node in found]

    async def sessions_on(self, node: str) -> list[tuple[UUID, UUID]]:
        """(session, person) of the sockets that a node has or had."""
        async with answering():
            found = await self._redis.hgetall(self._here("node", node))
        return [(UUID(str(session)), UUID(str(person))) for session, person in found.items()]

    async def bury(self, node: str) -> None:
        """Forget a node whose sockets were all detached."""
        async with answering():
            await self._redis.delete(self._here("node", node))
            await self._redis.zrem(self._here("nodes"), node)

    # --- who may be rung

    async def willing(self, volunteer: UUID, languages: Iterable[str], last_rung: float) -> None:
        """The volunteer may be rung for requests in these languages. Who was rung longest ago (`last_rung`, Unix time,
        0 for never) stands first in line."""
        async with answering():
            pipeline = self._redis.pipeline(transaction=False)
            for language in languages:
                pipeline.zadd(self._willing(language), {str(volunteer): last_rung * 1000}, nx=True)
            await pipeline.execute()

    async def unwilling(self, volunteer: UUID, languages: Iterable[str]) -> None:
        """The volunteer is not to be rung any more."""
        async with answering():
            pipeline = self._redis.pipeline(transaction=False)
            for language in languages:
                pipeline.zrem(self._willing(language), str(volunteer))
            await pipeline.execute()

    async def candidates(self, language: str, at_most: int) -> list[UUID]:
        """The willing volunteers of a language, least recently rung first."""
        async with answering():
            found = await self._redis.zrange(self._willing(language), 0, at_most - 1)
        return [UUID(str(member)) for member in found]

    async def begin_ring(self, volunteer: UUID, offer: UUID, ring_time: float) -> bool:
        """Take the volunteer's phone for an offer; false if another one rings there now."""
        return bool(await self.begin_rings([(volunteer, offer)], ring_time))

    async def begin_rings(self, rings: Sequence[tuple[UUID, UUID]], ring_time: float) -> set[UUID]:
        """Take phones for offers, given as (volunteer, offer): the offers that may ring, for where another one rings
        now they may not."""
        async with answering():
            pipeline = self._redis.pipeline(transaction=False)
            for volunteer, offer in rings:
                pipeline.set(self._ring(volunteer), str(offer), nx=True, px=int(ring_time * 1000))
            taken = await pipeline.execute() if rings else []
        return {offer for (_, offer), is_ours in zip(rings, taken, strict=True) if is_ours}

    async def ringing(self, volunteers: Sequence[UUID]) -> list[bool]:
        """Whether an offer rings for each now."""
        return await self._exist([self._ring(volunteer) for volunteer in volunteers])

    async def end_ring(self, volunteer: UUID, offer: UUID) -> None:
        """The offer does not ring there any more."""
        await self._run("ring-over", (self._ring(volunteer),), str(offer))

    async def end_rings(self, rings: Iterable[tuple[UUID, UUID]]) -> None:
        """These offers, given as (volunteer, offer), do not ring any more."""
        await self._run_each("ring-over", [(self._ring(volunteer), [str(offer)]) for volunteer, offer in rings])

    async def free(self, volunteers: Sequence[UUID]) -> list[UUID]:
        """Those of them who are here and whose phone is silent."""
        people = [self._here("person", volunteer) for volunteer in volunteers]
        found = await self._exist([*people, *(self._ring(volunteer) for volunteer in volunteers)])
        half = len(volunteers)
        return [one for one, here, rings in zip(volunteers, found[:half], found[half:], strict=True) if here > rings]

    async def promise(self, volunteer: UUID, request: UUID, spread: float) -> bool:
        """Somebody was told, for the sake of their request, that this volunteer is free; false if another one was
        within `spread` seconds."""
        async with answering():
            key = self._promise(volunteer)
            return bool(await self._redis.set(key, str(request), nx=True, px=max(1, int(spread * 1000))))

    async def promised(self, volunteers: Sequence[UUID]) -> list[bool]:
        """Whether somebody was told a moment ago that each of these is free."""
        return await self._exist([self._promise(volunteer) for volunteer in volunteers])

    async def rung(self, volunteers: Mapping[str, Sequence[UUID]]) -> None:
        """They go to the end of the line of each language."""
        lines = [(self._willing(language), list(map(str, some))) for language, some in volunteers.items() if some]
        await self._run_each("rung", lines)

    # --- what is due

    async def look_at(self, requests: Sequence[UUID], delay: float = 0, *, unless_planned: bool = False) -> None:
        """Look at these requests in `delay` seconds."""
        if requests:
            mode = "NX" if unless_planned else ""
            await self._run("plan", (self._here("due"),), int(delay * 1000), mode, *map(str, requests))

    async def take_due(self, at_most: int, lease: float) -> list[UUID]:
        """Requests to look at now. They come again after `lease` seconds, whatever happens to this node."""
        taken = await self._run("take-due", (self._here("due"),), at_most, int(lease * 1000))
        return [UUID(str(member)) for member in taken]

    async def forget(self, request: UUID) -> None:
        """The request is closed."""
        async with answering():
            await self._redis.zrem(self._here("due"), str(request))


async def connect(url: str, *, patience: float = 2, size: int = 20) -> Redis:
    """A client over a pool that waits rather than grows. Raises `Unavailable` if the cache does not answer."""
    pool = redis.asyncio.BlockingConnectionPool.from_url(
        url,
        max_connections=size,
        timeout=patience,
        socket_timeout=patience,
        socket_connect_timeout=patience,
        decode_responses=True,
    )
    client = redis.asyncio.Redis.from_pool(pool)
    async with answering(), asyncio.timeout(patience):
        await client.ping()
    return client
