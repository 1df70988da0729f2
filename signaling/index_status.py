"""What `visavis index` does and says."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from accounts.errors import Unavailable
from matching.candidates import CandidateIndex, Line
from matching.errors import IndexBusy
from matching.keeper import Keeper
from matching.placement import Band

EVERY = 10_000


async def rebuild(keeper: Keeper, say: Callable[[str], None]) -> str:
    """Rebuild all of it. Raises `IndexBusy`, `Unavailable`."""
    said = 0

    def progress(seen: int) -> None:
        nonlocal said
        if seen - said >= EVERY:
            said = seen
            say(f"{seen} volunteers")

    done = await keeper.rebuild(progress=progress)
    if done is None:
        raise IndexBusy()
    if done.missed:
        say(f"not reached: {', '.join(sorted(done.missed))}")
        raise Unavailable(retry_after=5)
    return f"{done.volunteers} volunteers in {done.seconds:.1f} s"


async def status(index: CandidateIndex) -> list[Line]:
    """Every language. Raises `Unavailable`."""
    return [await index.status(language) for language in sorted(await index.languages())]


def as_json(lines: Sequence[Line]) -> str:
    return msgspec.json.encode({"languages": lines}).decode()


def as_text(lines: Sequence[Line]) -> str:
    names = [*(band.name.lower() for band in reversed(Band)), "trusted"]
    rows = [("language", *names, "known", "bytes", "")]
    rows += [
        (
            line.language,
            *(str(line.stand[name]) for name in names),
            str(line.records),
            str(line.size),
            "" if line.built else "not built yet",
        )
        for line in lines
    ]
    if not lines:
        return "No volunteer is in the index. If there should be: visavis index rebuild"
    return "\n".join("  ".join(f"{cell:>9}" for cell in row).rstrip() for row in rows)
