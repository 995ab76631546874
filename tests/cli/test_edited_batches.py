"""Runs of a batch whose manifest, journal, API, key or period has changed since it began."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from batchfish.cli.system_clock import SystemClock
from tests.cli.shop import SETTLE, Shop

if TYPE_CHECKING:
    from tests.endtoend.serving import Server

pytestmark = pytest.mark.process


def test_a_lost_journal_is_never_paid_again_by_yes(shop: Shop) -> None:
    shop.write(1, 2, 3)
    assert shop.run().code == 0
    shutil.rmtree(shop.command.folder / ".batchfish")
    for flags in ((), ("-y",), ()):
        outcome = shop.run(*flags)
        assert outcome.code == 6
        assert f"the account already has runs for 3 items of {shop.name}" in outcome.err
        assert "--new" in outcome.err
        assert shop.paid() == [1, 2, 3]
    # The table that lies there is nobody's now: only a person may have it replaced.
    assert shop.run("--new").code == 6
    assert shop.paid() == [1, 2, 3]
    assert shop.run("--new", "-y").code == 0
    assert shop.paid() == [1, 1, 2, 2, 3, 3]


def test_a_journal_that_was_lost_after_new_is_missed_as_well(shop: Shop) -> None:
    """The account holds runs of the second batch alone, and it is the first that would begin again."""
    shop.write(1)
    assert shop.run().code == 0
    shop.write(2, 3)
    assert shop.run("--new").code == 0
    shutil.rmtree(shop.command.folder / ".batchfish")
    for flags in ((), ("-y",)):
        assert shop.run(*flags).code == 6
    assert shop.paid() == [1, 2, 3]


def test_a_table_of_another_program_stops_a_batch_before_it_begins(shop: Shop) -> None:
    shop.write(1)
    (shop.command.folder / "notes.csv").write_text("not ours\n")
    outcome = shop.run("-o", "notes.csv")
    assert outcome.code == 6
    assert "notes.csv exists, and is not as this batch wrote it" in outcome.err
    assert shop.paid() == []
    assert shop.command("ls", "--json").summary["batches"] == []
    assert (shop.command.folder / "notes.csv").read_text() == "not ours\n"


def test_a_mended_typo_in_the_goal_of_rows_without_ids_asks_first(shop: Shop) -> None:
    shop.write(1, 2, 3, ids=False)
    shop.run(goal="Raed it.")
    outcome = shop.run(goal="Read it.")
    assert outcome.code == 6
    assert f"3 changed items of {shop.name} that had begun or were cancelled" in outcome.err
    assert shop.paid() == [1, 2, 3]
    assert shop.run("-y", goal="Read it.").code == 0
    assert shop.paid() == [1, 1, 2, 2, 3, 3]
    assert len(shop.table()) == 3
    assert all("Read it." in row["result"] for row in shop.table())


def test_of_rows_without_ids_exactly_the_changed_ones_are_submitted(shop: Shop) -> None:
    shop.write(1, 2, 3, ids=False, goals={2: "Raed it."})
    shop.run(goal=None)
    shop.write(1, 2, 3, ids=False, goals={})
    assert shop.run(goal=None).code == 6
    assert shop.paid() == [1, 2, 3]
    assert shop.run("-y", goal=None).code == 0
    assert shop.paid() == [1, 2, 2, 3]


def test_ids_that_come_together_with_another_goal_ask_first(shop: Shop) -> None:
    shop.write(1, 2, 3, ids=False)
    shop.run(goal="Raed it.")
    shop.write(1, 2, 3)
    plan = shop.command("plan", shop.file.name, "--goal", "Read it.", "--json").summary
    assert (plan["new"], plan["changed"], plan["removed"]) == (0, 3, 0)
    refused = shop.run()
    assert refused.code == 6
    assert "3 changed items" in refused.err
    assert shop.paid() == [1, 2, 3]
    assert shop.run("-y").code == 0
    assert shop.paid() == [1, 1, 2, 2, 3, 3]


def test_a_new_goal_submits_no_cancelled_item_without_asking(shop: Shop) -> None:
    shop.write(1, 2, 3)
    assert shop.run("--limit", "1").code == 0
    assert shop.command("cancel", shop.name, "i2", "i3").code == 0
    shop.write(1, 2, 3, goals={2: "Read it well.", 3: "Read it well."})
    refused = shop.run(goal=None)
    assert refused.code == 6
    assert "2 changed items" in refused.err
    assert shop.paid() == [1]
    assert shop.run("-y", goal=None).code == 0
    assert shop.paid() == [1, 2, 3]


def test_with_ids_three_changed_goals_are_three_items(shop: Shop) -> None:
    shop.write(1, 2, 3, 4, 5, goals={})
    shop.run(goal=None)
    shop.write(1, 2, 3, 4, 5, goals=dict.fromkeys((1, 3, 5), "Read all of it."))
    refused = shop.run(goal=None)
    assert refused.code == 6
    assert "3 changed items" in refused.err
    assert shop.paid() == [1, 2, 3, 4, 5]
    assert shop.run("-y", goal=None).code == 0
    assert shop.paid() == [1, 1, 2, 3, 3, 4, 5, 5]
    read = {row["item_id"] for row in shop.table() if "Read all of it." in row["result"]}
    assert read == {"i1", "i3", "i5"}


def test_added_rows_are_submitted_and_removed_ones_leave_without_asking(shop: Shop) -> None:
    shop.write(1, 2, 3)
    shop.run()
    shop.write(4, 1, 3)
    assert shop.run().code == 0
    assert shop.paid() == [1, 2, 3, 4]
    assert [row["item_id"] for row in shop.table()] == ["i4", "i1", "i3"]
    shop.write(1, 2, 3, 4)
    assert shop.run().code == 0
    assert shop.paid() == [1, 2, 3, 4], "a row that comes back was paid for already"
    assert [row["item_id"] for row in shop.table()] == ["i1", "i2", "i3", "i4"]


def test_reordered_rows_submit_nothing(shop: Shop) -> None:
    shop.write(1, 2, 3, ids=False)
    shop.run()
    shop.write(3, 1, 2, ids=False)
    assert shop.run().code == 0
    assert shop.paid() == [1, 2, 3]
    assert [row["url"] for row in shop.table()] == [shop.url(3), shop.url(1), shop.url(2)]


def test_a_column_that_nothing_uses_submits_nothing_and_is_carried_to_the_table(shop: Shop) -> None:
    shop.write(1, 2)
    shop.run()
    shop.file.write_text(f"id,url,note\ni1,{shop.url(1)},first\ni2,{shop.url(2)},second\n")
    assert shop.run().code == 0
    assert shop.paid() == [1, 2]
    assert [row["input_note"] for row in shop.table()] == ["first", "second"]


def test_two_manifests_of_one_name_in_one_folder_are_an_error(shop: Shop) -> None:
    shop.write(1)
    shop.run()
    other = shop.write_manifest(2)
    outcome = shop.command("run", other, *SETTLE)
    assert outcome.code == 2
    assert f"{other} would share the journal of {shop.name!r} with {shop.file}" in outcome.err
    assert "`name` of its own" in outcome.err
    assert shop.paid() == [1]


@pytest.mark.parametrize("flags", [(), ("--new",), ("-y",)])
def test_manifests_of_two_names_share_no_journal(shop: Shop, flags: tuple[str, ...]) -> None:
    shop.write(1)
    shop.run("--journal", "shared.db")
    other = shop.file.with_name("another.csv")
    shop.write(2)
    shop.file.rename(other)
    sharing = (other.name, "--goal", "Read it.", "--journal", "shared.db")
    for subcommand in (("run", *SETTLE, *flags), ("plan",)):
        outcome = shop.command(*subcommand, *sharing)
        assert outcome.code == 2
        assert f"holds the batches of {shop.name!r} ({shop.file}), not of 'another'" in outcome.err
        assert "--journal FILE" in outcome.err
    assert shop.paid() == [1]


def test_a_journal_belongs_to_the_api_it_was_begun_with(shop: Shop, patient: Server) -> None:
    shop.write(1, 2)
    shop.run("--limit", "1")
    for subcommand in (("run", shop.file.name, "--goal", "Read it."), ("resume", shop.name)):
        outcome = shop.command(*subcommand, "--base-url", patient.base_url)
        assert outcome.code == 2
        assert f"belongs to {shop.server.base_url}" in outcome.err
    assert shop.paid() == [1]


@pytest.mark.parametrize("subcommand", ["run", "try"])
def test_no_batch_of_another_api_begins_in_a_journal(shop: Shop, patient: Server, subcommand: str) -> None:
    """Its runs would be searched for at one API, believed absent, and paid for again at the other."""
    begin = (subcommand, shop.file.name, "--goal", "Read it.", *SETTLE)
    shop.write(1)
    assert shop.command(*begin, "--sync" if subcommand == "try" else "-q").code == 0
    before = patient.books.count()
    shop.write(2)
    for flags in (("--new",), ("--new", "-y")) if subcommand == "run" else ((), ("-y",)):
        outcome = shop.command(*begin, *flags, "--base-url", patient.base_url)
        assert outcome.code == 2
        assert f"belongs to {shop.server.base_url}, not to {patient.base_url}" in outcome.err
        assert "--journal FILE" in outcome.err
    assert patient.books.count() == before
    assert len(shop.command("ls", "--json").summary["batches"]) == 1
    # In a journal of its own it is another batch.
    elsewhere = ("--base-url", patient.base_url, "--journal", "elsewhere.db", "-o", "out.csv")
    if subcommand == "run":
        assert shop.command(*begin, *elsewhere, *Shop(shop.command, patient, shop.name).up_to(1)).code == 3
        assert patient.books.count() == before + 1


def test_a_copied_journal_asks_first(shop: Shop) -> None:
    shop.write(1, 2)
    shop.run("--limit", "1")
    copy = shop.journal.path.with_suffix(".copy")
    shutil.copy(shop.journal.path, copy)
    copy.replace(shop.journal.path)
    outcome = shop.run()
    assert outcome.code == 6
    assert "moved or copied" in outcome.err
    assert shop.paid() == [1]
    assert shop.run("-y").code == 0
    assert shop.paid() == [1, 2]


def test_each_period_is_a_batch_of_its_own_and_the_clock_may_not_go_back(shop: Shop) -> None:
    manifest = shop.write_manifest(1, 2, rules="period: day\n")
    days = [datetime(2026, 11, day, 12, tzinfo=UTC).timestamp() for day in (24, 25)]

    def run_at(now: float) -> int:
        shop.command.monkeypatch.setattr(SystemClock, "now", lambda _: now)
        return shop.command("run", manifest, *SETTLE).code

    assert [run_at(days[0]), run_at(days[0])] == [0, 0]
    assert shop.paid() == [1, 2]
    assert run_at(days[1]) == 0
    assert shop.paid() == [1, 1, 2, 2]
    batches = [one["batch"] for one in shop.command("ls", "--json").summary["batches"]]
    assert batches == [f"{shop.name}@2026-11-24", f"{shop.name}@2026-11-25"]
    assert run_at(days[0]) == 2
    assert shop.paid() == [1, 1, 2, 2]
    yesterday = shop.command("status", f"{shop.name}@2026-11-24", "--json")
    assert yesterday.summary["batch"] == f"{shop.name}@2026-11-24"


def test_periods_of_another_kind_do_not_show_that_the_clock_went_back(shop: Shop) -> None:
    begun = []
    for period, day in (("week", 23), ("day", 24), ("month", 25), ("hour", 25)):
        now = datetime(2026, 11, day, 12, tzinfo=UTC).timestamp()
        shop.command.monkeypatch.setattr(SystemClock, "now", lambda _, now=now: now)
        manifest = shop.write_manifest(1, rules=f"period: {period}\n")
        assert shop.command("run", manifest, *SETTLE).code == 0
        begun.append(shop.command("ls", "--json").summary["batches"][-1]["batch"])
    assert [name.partition("@")[2] for name in begun] == [
        "2026-W48",
        "2026-11-24",
        "2026-11",
        "2026-11-25T12",
    ]
    # Back among days after weeks: the clock went back behind the newest day.
    now = datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp()
    shop.command.monkeypatch.setattr(SystemClock, "now", lambda _: now)
    refused = shop.command("run", shop.write_manifest(1, rules="period: day\n"), *SETTLE)
    assert refused.code == 2
    assert "2026-11-23 is older than 2026-11-24" in refused.err


def test_new_over_a_batch_that_has_not_finished_is_never_agreed_to_by_yes(shop: Shop) -> None:
    shop.write(1, 2, 3)
    assert shop.run("--limit", "1").code == 0
    planned = shop.command("plan", shop.file.name, "--goal", "Read it.", "--new", "--json").summary
    assert (planned["batch"], planned["leaves"]) == (f"{shop.name}.2", shop.name)
    for flags in ((), ("-y",), ("--accept", "changes")):
        outcome = shop.run("--new", *flags)
        assert outcome.code == 6
        assert f"{shop.name} has not finished (2 queued, 1 succeeded)" in outcome.err
        assert f"batchfish resume {shop.name}" in outcome.err
        assert "To agree, add --accept unfinished-batch." in outcome.err
    assert shop.paid() == [1]
    assert len(shop.command("ls", "--json").summary["batches"]) == 1
    assert shop.run("--new", "--accept", "unfinished-batch").code == 0
    assert shop.paid() == [1, 1, 2, 3]
    assert shop.run("--new").code == 0, "the newest batch has finished; the one before it does not count"
    assert shop.paid() == [1, 1, 1, 2, 2, 3, 3]


def test_new_in_a_new_period_leaves_the_last_one_without_asking(shop: Shop) -> None:
    manifest = shop.write_manifest(1, 2, rules="period: day\n")
    for day in (24, 25):
        now = datetime(2026, 11, day, 12, tzinfo=UTC).timestamp()
        shop.command.monkeypatch.setattr(SystemClock, "now", lambda _, now=now: now)
        assert shop.command("run", manifest, "--new", "--limit", "1", *SETTLE).code == 0
    assert shop.command("run", manifest, "--new", *SETTLE).code == 6
