"""What is hidden stays hidden, whatever is made of the figures that are shown."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from matching.suppression import LEAST, enough, shown

Groups = dict[str, tuple[int, int]]
groups = st.dictionaries(
    st.text("abcdefgh", min_size=1, max_size=2), st.tuples(st.integers(0, 12), st.integers(0, 40)), max_size=9
)


def rest(every: Groups, named: frozenset[str]) -> tuple[int, int]:
    """The total less all that is shown: what anybody can work out."""
    left = [counts for name, counts in every.items() if name not in named]
    return sum(one for one, _ in left), sum(other for _, other in left)


@given(groups)
def test_only_large_groups_are_shown(every: Groups) -> None:
    assert all(enough(every[name]) for name in shown(every))


@given(groups)
def test_what_is_left_of_the_total_is_nothing_or_enough(every: Groups) -> None:
    named = shown(every)
    if named and len(named) < len(every):
        assert enough(rest(every, named))


@given(groups)
def test_a_hidden_small_group_never_stands_alone(every: Groups) -> None:
    """Whatever "other" is made of, it is not one small group under another name."""
    named = shown(every)
    hidden = every.keys() - named
    small = [name for name in hidden if not enough(every[name])]
    if named and small:
        assert len(hidden) > 1


@given(groups)
def test_no_more_is_hidden_than_must_be(every: Groups) -> None:
    """Large groups are hidden only if the small ones are too few, and then the smallest of them."""
    named = shown(every)
    large = {name for name in every if enough(every[name])}
    small = {name: counts for name, counts in every.items() if name not in large}
    if not small or enough(rest(every, frozenset(large))):
        assert named == large
    elif large:
        joined = large - named
        assert joined
        assert all(min(every[one]) <= min(every[other]) for one in joined for other in named)
        if named:
            last = max(joined, key=lambda name: (min(every[name]), sum(every[name]), name))
            assert not enough(rest(every, named | {last}))


@given(groups, st.randoms())
def test_the_order_of_the_groups_does_not_matter(every: Groups, random: object) -> None:
    names = list(every)
    random.shuffle(names)  # type: ignore[attr-defined]
    assert shown({name: every[name] for name in names}) == shown(every)


def test_as_told() -> None:
    assert shown({}) == frozenset()
    assert shown({"en": (LEAST, LEAST)}) == {"en"}
    assert shown({"en": (LEAST, LEAST - 1)}) == frozenset()
    # One hidden group would be the total less the others: the next smallest is hidden with it.
    assert shown({"en": (90, 90), "fr": (6, 6), "sw": (2, 2)}) == {"en"}
    # Two small ones that make five together can be told of together.
    assert shown({"en": (90, 90), "fr": (6, 6), "sw": (2, 2), "yo": (3, 3)}) == {"en", "fr"}
    # Enough people and too few calls is too few.
    assert shown({"en": (90, 90), "fr": (8, 8), "sw": (9, 1)}) == {"en"}
