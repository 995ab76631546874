"""The same rows under another name: paid for again only where a person says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from tests.pipeline.history import Folder, living

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.pipeline.history import Outcome

DAY = 86_400.0
ITEMS = 4


def rename(shop: Folder) -> Folder:
    return shop.rename("prices.yaml")


def link(shop: Folder) -> Folder:
    (shop.path / "prices.yaml").symlink_to(shop.file)
    return replace(shop, manifest="prices.yaml")


def copy(shop: Folder) -> Folder:
    return shop.copy_manifest("prices.yaml")


def copy_elsewhere(shop: Folder) -> Folder:
    """Copy the manifest to a folder without journals, and rename it: only the listing can tell."""
    return shop.history.folder("elsewhere", items=ITEMS).rename("prices.yaml")


def run_again(folder: Path, again: Callable[[Folder], Folder], **manifest: object) -> tuple[Outcome, int]:
    """Run a manifest, and its rows again under another name; return how that ended, and what it cost."""
    with living(folder, seed=1, payments=2) as history:
        shop = history.folder("shop", items=ITEMS, **manifest)
        assert shop.run().code == 0
        outcome = again(shop).run()
        return outcome, len(history.server.runs) - ITEMS


@pytest.mark.parametrize("again", [rename, link, copy, copy_elsewhere])
def test_the_same_rows_under_another_name_are_asked_about(
    tmp_path: Path, again: Callable[[Folder], Folder]
) -> None:
    refused, cost = run_again(tmp_path, again)
    assert refused.code == 6
    assert "--accept same-items" in refused.said
    assert cost == 0


def test_the_same_rows_are_asked_about_where_goals_carry_no_marker(tmp_path: Path) -> None:
    """The listing does not show it, but the other journal in this folder does."""
    refused, cost = run_again(tmp_path, copy, unanswered={"settle": "10s", "marker": False})
    assert (refused.code, cost) == (6, 0)


def test_a_person_may_pay_for_the_same_rows_again(tmp_path: Path) -> None:
    with living(tmp_path, seed=1, payments=2) as history:
        shop = history.folder("shop", items=ITEMS)
        assert shop.run().code == 0
        assert copy(shop).run("--accept", "same-items").code == 0
        assert (history.server.duplicates(), len(history.server.runs)) == (0, 2 * ITEMS)


def test_the_history_catches_a_begin_that_searches_for_its_own_name_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A seeded bug: the account is not searched for the items themselves, and the first is paid again."""
    monkeypatch.setattr("batchfish.journal.ingest.StagedRows.some_keys", lambda _staged: [])
    assert run_again(tmp_path, copy_elsewhere)[1] == 1


def test_the_history_catches_a_begin_that_reads_no_other_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A seeded bug: the other journals of this folder are not read."""

    async def ask_nothing(*_: object) -> None:
        """Read no journal."""

    monkeypatch.setattr("batchfish.cli.preflight._ask_same_items_in_folder", ask_nothing)
    _, cost = run_again(tmp_path, copy, unanswered={"settle": "10s", "marker": False})
    assert cost == ITEMS


def test_a_batch_a_day_is_never_asked_about(tmp_path: Path) -> None:
    """Nor is one after a try: three days of cron, and nobody at a terminal."""
    with living(tmp_path, seed=1) as history:
        shop = history.folder("shop", items=ITEMS, period="day")
        history.server.payments = 4
        assert history.call("try", shop.file, "--sync").code == 0
        for day in range(3):
            outcome = shop.run()
            assert outcome.code == 0, outcome.said
            assert len(history.server.runs) == 1 + (day + 1) * ITEMS
            history.pass_time(DAY)


def test_another_number_is_never_asked_about(tmp_path: Path) -> None:
    with living(tmp_path, seed=1) as history:
        shop = history.folder("shop", items=ITEMS)
        assert shop.run().code == 0
        history.server.payments = 2
        assert shop.run("--new").code == 0
        assert len(history.server.runs) == 2 * ITEMS


def test_what_was_agreed_to_is_not_asked_again(tmp_path: Path) -> None:
    """Cron runs both: the one that was accepted once begins its next days by itself."""
    with living(tmp_path, seed=1) as history:
        shop = history.folder("shop", items=ITEMS, period="day")
        other = shop.copy_manifest("prices.yaml")
        history.server.payments = 9
        assert shop.run().code == 0
        assert other.run().code == 6
        assert other.run("--accept", "same-items").code == 0
        for _ in range(2):
            history.pass_time(DAY)
            assert shop.run().code == 0
            assert other.run().code == 0


def test_a_repeated_row_of_another_batch_is_asked_about(tmp_path: Path) -> None:
    """One item in common is enough: it would be paid for twice."""
    with living(tmp_path, seed=1) as history:
        shop = history.folder("shop", items=ITEMS)
        assert shop.run().code == 0
        other = replace(shop, manifest="prices.yaml")
        other.write({"a": "Read the title.", "i1": "Read the price of item 1."})
        assert other.run().code == 6
        assert len(history.server.runs) == ITEMS


def test_a_try_of_an_item_that_its_batch_has_run_is_not_asked_about(tmp_path: Path) -> None:
    with living(tmp_path, seed=1) as history:
        shop = history.folder("shop", items=ITEMS)
        assert shop.run().code == 0
        history.server.payments = 2
        assert history.call("try", shop.file, "--sync").code == 0
        assert len(history.server.runs) == ITEMS + 1
