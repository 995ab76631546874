"""Answers that many different items share, which hints at a page that shows every visitor the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SAME_ANSWER = "same_answer"

FEWEST_ITEMS, LEAST_SHARE = 5, 0.1
"""An answer is suspicious if at least this many items have it, and at least this share of all answers."""

SHORTEST_ANSWER = 12
"""Characters of the texts and numbers of an answer; a shorter one, as `{"stars": 5}`, repeats by chance."""


def suspicious_groups(answers: Iterable[tuple[int, bytes]]) -> Sequence[Sequence[int]]:
    """Return the groups of items whose answers are equal and suspicious; `answers` are items and bytes.

    Whether an answer is long enough is for `is_long_enough` to say, of one item of the group.
    """
    groups: dict[int, list[int]] = {}
    number = 0
    for item, raw in answers:
        number += 1
        groups.setdefault(hash(raw), []).append(item)
    fewest = max(FEWEST_ITEMS, LEAST_SHARE * number)
    return [items for items in groups.values() if len(items) >= fewest]


def is_long_enough(answer: object) -> bool:
    """Whether an answer says so much that two different pages would hardly give the same one."""
    return _length(answer) >= SHORTEST_ANSWER


def _length(value: object) -> int:
    match value:
        case Mapping():
            return sum(map(_length, value.values()))
        case list():
            return sum(map(_length, value))
        case None | bool():
            return 0
        case _:
            return len(str(value).strip())
