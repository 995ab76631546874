"""Bounds given as counts or as shares."""

from __future__ import annotations

import pytest

from batchfish.core.rules import Share


@pytest.mark.parametrize(
    ("share", "count", "total", "is_passed"),
    [
        (Share(value=3), 3, 100, False),
        (Share(value=3), 4, 100, True),
        (Share(value=0), 0, 0, False),
        (Share(value=0), 1, 1, True),
        (Share(value=20, is_percent=True), 2, 10, False),
        (Share(value=20, is_percent=True), 3, 10, True),
        (Share(value=0, is_percent=True), 1, 1_000_000, True),
        (Share(value=100, is_percent=True), 10, 10, False),
        (Share(value=0.1, is_percent=True), 1, 1_000, False),
        (Share(value=0.1, is_percent=True), 2, 1_000, True),
        (Share(value=50, is_percent=True), 0, 0, False),
    ],
)
def test_a_bound_is_passed_by_more_than_it_says(
    share: Share, count: int, total: int, *, is_passed: bool
) -> None:
    assert share.is_passed(count, total) == is_passed
