"""Which groups are large enough to be spoken of in public, and which are told of together as "other". Pure.

A group is shown when every count under it is five or more. The others are added up; and while their sum is itself too
small to be shown, the next smallest group joins them: otherwise whoever takes the groups that are shown from the total
would be left with the ones that are hidden (complementary suppression)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

LEAST = 5
"""The fewest people, and calls, that a public figure may be about."""
OTHER = "other"
"""What the groups that are not shown are called together; no language has this tag."""


def enough(counts: Iterable[int], least: int = LEAST) -> bool:
    """Whether a figure about so many of each may be shown."""
    return all(count >= least for count in counts)


def shown(groups: Mapping[str, Sequence[int]], least: int = LEAST) -> frozenset[str]:
    """The groups that are shown by name. `groups` holds what each is made of (people, calls, …), one count of a kind
    in the same place for all, and adding up over groups: nobody is counted in two. All groups that are left out, if
    there are any, are enough together; if they cannot be, no group is shown."""
    large = {name for name, counts in groups.items() if enough(counts, least)}
    smallest = sorted(large, key=lambda name: (min(groups[name]), sum(groups[name]), name), reverse=True)
    while smallest:
        left = [counts for name, counts in groups.items() if name not in large]
        if not left or enough(map(sum, zip(*left, strict=True)), least):
            break
        large.remove(smallest.pop())
    return frozenset(large)
