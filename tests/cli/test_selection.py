"""Which rows are selected, and how many of them are read for that."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest

from batchfish.cli.options import Selection
from batchfish.cli.selection import choose
from batchfish.errors import WrongInput
from batchfish.journal.records import Row

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def rows(numbers: Iterable[int]) -> Iterator[Row]:
    for number in numbers:
        yield Row(number, f"b{number}", f"https://shop.example/{number}", f'{{"number": {number}}}')


@pytest.mark.parametrize(
    ("selection", "keys"),
    [
        (Selection(limit=3), [1, 2, 3]),
        (Selection(limit=3, where="number > 5"), [6, 7, 8]),
    ],
)
def test_no_more_rows_are_read_than_a_limit_asks_for(selection: Selection, keys: list[int]) -> None:
    assert choose(selection, rows(count(1)), {}) == keys


def test_all_that_is_given_must_hold() -> None:
    selection = Selection(item=("b3", "b8", "b5"), where="number > 3")
    assert choose(selection, rows(range(20)), {}) == [5, 8]
    assert choose(selection, rows(range(20)), {}, among={3, 8}) == [8]


def test_a_sample_is_of_the_rows_that_are_left_in_their_order() -> None:
    chosen = choose(Selection(sample=4, where="number > 5"), rows(range(20)), {})
    assert len(set(chosen)) == 4
    assert chosen == sorted(chosen)
    assert min(chosen) > 5
    assert choose(Selection(sample=99), rows(range(20)), {}) == list(range(20))


def test_items_that_no_row_has_are_named() -> None:
    with pytest.raises(WrongInput, match="no item is called b7, b9"):
        choose(Selection(item=("b1", "b9", "b7")), rows(range(5)), {})
