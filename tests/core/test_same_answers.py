"""Answers that many items share: how many are suspicious, and which are too short to be."""

from __future__ import annotations

import pytest

from batchfish.core.same_answers import is_long_enough, suspicious_groups


def answers(same: int, other: int) -> list[tuple[int, bytes]]:
    return [(item, b"same" if item < same else b"%d" % item) for item in range(same + other)]


@pytest.mark.parametrize(
    ("same", "other", "is_suspicious"),
    [(4, 0, False), (5, 0, True), (5, 45, True), (5, 46, False), (50, 450, True), (49, 451, False)],
)
def test_an_answer_is_suspicious_from_five_items_and_a_tenth_on(
    same: int, other: int, *, is_suspicious: bool
) -> None:
    assert suspicious_groups(answers(same, other)) == ([list(range(same))] if is_suspicious else [])


@pytest.mark.parametrize(
    ("answer", "is_enough"),
    [
        ({"stars": 5, "in_stock": True}, False),
        ({"category": "Book", "price": 9.99}, False),
        ({"available": False, "note": None, "more": ["", "  "]}, False),
        ({"title": "Access denied"}, True),
        ([{"name": "Home"}, {"name": "Contact us"}], True),
    ],
)
def test_an_answer_that_repeats_by_chance_is_too_short(answer: object, *, is_enough: bool) -> None:
    assert is_long_enough(answer) is is_enough
