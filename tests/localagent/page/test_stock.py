"""What can be had, and what says so."""

from __future__ import annotations

import pytest

from batchfish.localagent.page.stock import is_stock_notice


@pytest.mark.parametrize(
    ("text", "is_notice"),
    [
        ("In stock", True),
        ("Nicht auf Lager – wieder lieferbar ab Mai", True),
        ("Sold out. The next print run is expected in the autumn of this year.", True),
        ("The brass lamp is a favourite of ours, and it is available in three colours and two sizes.", False),
        ("Made by hand", False),
    ],
)
def test_a_text_that_says_first_of_all_what_can_be_had(text: str, is_notice: bool) -> None:  # noqa: FBT001
    assert is_stock_notice(text) is is_notice
