"""`run`, `resume` and `plan`: what they submit, print and write, and their exit codes."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

import pytest

from tests.cli.shop import SETTLE

if TYPE_CHECKING:
    from tests.cli.shop import Shop

pytestmark = pytest.mark.process


def test_plan_counts_items_that_ask_for_the_same(shop: Shop) -> None:
    shop.write(1, 2, 3)
    shop.file.write_text(shop.file.read_text().replace(shop.url(3), shop.url(1)))
    plan = shop.command("plan", shop.file.name, "--goal", "Read it.")
    assert "1 item asks for the same as another one, and costs as much again, such as i3.\n" in plan.out
    assert "for the same" not in shop.command("plan", shop.file.name, "--goal", "{{ id }}").out


def test_a_batch_runs_to_its_end_and_is_then_finished(shop: Shop) -> None:
    shop.write(1, 2, 3)
    first = shop.run()
    assert first.code == 0
    assert first.out == f"{shop.command.folder}/results/{shop.name}.parquet\n"
    assert f"{shop.name}: 3 succeeded" in first.err
    assert shop.paid() == [1, 2, 3]
    assert [row["item_id"] for row in shop.table()] == ["i1", "i2", "i3"]
    again = shop.run()
    assert again.code == 0
    assert "is finished: 3 succeeded. Nothing was sent" in again.err
    assert len(shop.paid()) == 3


def test_a_finished_batch_still_gives_its_table_wherever_it_is_wanted(shop: Shop) -> None:
    shop.write(1, 2)
    shop.run()
    assert shop.run("-o", "elsewhere.csv").out == f"{shop.command.folder}/elsewhere.csv\n"
    assert len((shop.command.folder / "elsewhere.csv").read_text().splitlines()) == 3
    (shop.command.folder / "notes.csv").write_text("not ours\n")
    refused = shop.run("-o", "notes.csv")
    assert refused.code == 6
    assert "notes.csv" in refused.err
    agreed = shop.run("-o", "notes.csv", "-y")
    assert agreed.code == 0
    assert len((shop.command.folder / "notes.csv").read_text().splitlines()) == 3


def test_the_last_line_of_json_output_is_the_summary(shop: Shop) -> None:
    shop.write(1, 2)
    outcome = shop.run("--json")
    expected = {
        "type": "summary",
        "ok": True,
        "exit_code": 0,
        "counts": {"succeeded": 2},
        "table": f"{shop.command.folder}/results/{shop.name}.parquet",
        "resume": None,
    }
    assert {key: outcome.summary[key] for key in expected} == expected


def test_quiet_prints_nothing_if_nothing_is_wrong(shop: Shop) -> None:
    shop.write(1)
    assert shop.run("-q") == (0, "", "")


def test_progress_can_be_objects_for_programs(shop: Shop) -> None:
    shop.write(1)
    outcome = shop.run("--progress", "json", "--json")
    first, *shown, last = [json.loads(line)["type"] for line in outcome.out.splitlines()]
    assert (first, set(shown) - {"progress"}, last) == ("launch", set(), "summary")


@pytest.mark.parametrize(
    ("flags", "submitted"),
    [
        (("--limit", "2"), [1, 2]),
        (("--item", "i3", "--item", "i1"), [1, 3]),
        (("--where", "id == 'i2'"), [2]),
        (("--where", "id != 'i1'", "--limit", "1"), [2]),
    ],
)
def test_options_select_what_to_submit_now_and_not_what_is_in_the_batch(
    shop: Shop, flags: tuple[str, ...], submitted: list[int]
) -> None:
    shop.write(1, 2, 3)
    outcome = shop.run(*flags)
    # The exit code speaks of the selection; the batch goes on.
    assert outcome.code == 0
    assert shop.paid() == submitted
    assert len(shop.table()) == 3
    assert f"go on with: batchfish resume {shop.name}" in outcome.err
    assert shop.run().code == 0
    assert shop.paid() == [1, 2, 3]


def test_a_sample_is_drawn_by_chance(shop: Shop) -> None:
    shop.write(1, 2, 3)
    assert shop.run("--sample", "2").code == 0
    assert len(shop.paid()) == 2


def test_nothing_selected_has_an_exit_code_and_can_be_allowed(shop: Shop) -> None:
    shop.write(1)
    assert shop.run("--where", "id == 'nobody'").code == 5
    assert shop.run("--where", "id == 'nobody'", "--allow-empty").code == 0
    assert shop.paid() == []
    shop.file.write_text("id,url\n")
    assert shop.run().code == 5
    assert shop.run("--allow-empty").code == 0


def test_new_starts_another_batch_and_pays_again(shop: Shop) -> None:
    shop.write(1, 2)
    shop.run()
    assert shop.run("--new").code == 0
    assert shop.paid() == [1, 1, 2, 2]
    listed = shop.command("ls", "--json")
    assert [one["batch"] for one in listed.summary["batches"]] == [shop.name, f"{shop.name}.2"]


def test_resume_needs_no_manifest(shop: Shop) -> None:
    shop.write(1, 2, 3)
    shop.run("--limit", "1")
    shop.file.unlink()
    outcome = shop.command("resume", shop.name, *SETTLE)
    assert outcome.code == 0
    assert len(shop.paid()) == 3
    finished = shop.command("resume", *SETTLE)
    assert finished.code == 0
    assert "is finished" in finished.err
    assert len(shop.paid()) == 3


def test_a_manifest_from_standard_input_keeps_its_table_in_the_working_directory(shop: Shop) -> None:
    text = f"batchfish: 1\nname: {shop.name}\nitems:\n  - {{url: '{shop.url(1)}', goal: Read it.}}\n"
    outcome = shop.command("run", "-", *SETTLE, stdin=text)
    assert outcome.code == 0
    assert outcome.out == f"{shop.command.folder}/results/{shop.name}.parquet\n"
    assert shop.paid() == [1]
    assert shop.command("run", "-", *SETTLE, stdin=text).code == 0
    assert shop.command("resume", shop.name, *SETTLE).code == 0
    assert shop.paid() == [1]


def test_a_plan_sends_nothing_and_counts(shop: Shop) -> None:
    shop.write(1, 2, 3)
    shop.run("--limit", "1")
    shop.write(2, 3, 4)
    for subcommand in (("plan",), ("run", "-n"), ("run", "--dry-run")):
        outcome = shop.command(*subcommand, shop.file.name, "--goal", "Read it.", "--json")
        assert outcome.code == 0
        found = outcome.summary
        assert {name: found[name] for name in ("items", "new", "changed", "removed", "to_submit")} == {
            "items": 3,
            "new": 1,
            "changed": 0,
            "removed": 1,
            "to_submit": 3,
        }
    assert shop.paid() == [1]
    assert "would submit 3 items" in shop.command("plan", shop.file.name, "--goal", "Read it.").out


@pytest.mark.parametrize("subcommand", [("plan",), ("run", "--dry-run")])
def test_a_plan_has_the_concurrency_of_the_command_line(shop: Shop, subcommand: tuple[str, ...]) -> None:
    shop.write(1, 2, 3)
    words = (*subcommand, shop.file.name, "--goal", "Read it.")
    assert "up to 100 runs at once (auto)" in shop.command(*words).out
    outcome = shop.command(*words, "-j", "1-5-200")
    assert "up to 200 runs at once (auto)" in outcome.out
    assert f"batchfish run {shop.file.name} --goal 'Read it.' --concurrency 1-5-200" in outcome.err
    assert shop.command(*words, "-j", "2", "--json").summary["concurrency"] == "2"


def test_a_dry_run_names_the_same_command_without_it(shop: Shop) -> None:
    shop.write(1)
    words = (shop.file.name, "--goal", "Read it.", "--limit", "1", "--halt", "5%", "--max-duration", "90s")
    shown = shop.command("run", "-n", *words, "--output", "table.csv").err
    command = shlex.split(shown[shown.index("batchfish run") :])
    assert shop.command(*command[1:], *SETTLE, "--quiet").code == 0
    assert (shop.command.folder / "table.csv").exists()


@pytest.mark.parametrize(
    ("flags", "would"),
    [
        (("--limit", "1"), 0),
        (("--limit", "2"), 1),
        (("--item", "i1"), 0),
        (("--item", "i3"), 1),
        (("--where", "id != 'i3'"), 1),
        (("--sample", "3"), 2),
        ((), 2),
    ],
)
def test_a_plan_chooses_as_a_run_does(shop: Shop, flags: tuple[str, ...], would: int) -> None:
    shop.write(1, 2, 3)
    shop.run("--limit", "1")
    planned = shop.command("plan", shop.file.name, "--goal", "Read it.", "--json", *flags)
    assert planned.summary["to_submit"] == would
    assert shop.run(*flags).code == 0
    assert len(shop.paid()) == 1 + would


def test_goal_variables_and_schema_come_from_files_and_options(shop: Shop) -> None:
    folder = shop.command.folder
    shop.file.write_text(f"id,url,title\ni1,{shop.url(1)},Walden\n")
    (folder / "goal.txt").write_text("Read {{ title }} in {{ currency }}.")
    (folder / "schema.json").write_text(
        '{"type": "object", "properties": {"price": {"type": "number"}}, "required": ["price"]}'
    )
    flags = ("--goal-file", "goal.txt", "--schema", "schema.json", "--var", "currency=GBP")
    assert shop.run(*flags, "--poll-interval", "100ms", goal=None).code == 0
    (row,) = shop.table()
    assert isinstance(row["price"], float)
    assert row["input_title"] == "Walden"
    assert "Read Walden in GBP." in row["result"]


def test_repeated_rows_are_numbered_if_they_are_allowed(shop: Shop) -> None:
    shop.write(1, 1, ids=False)
    refused = shop.run()
    assert refused.code == 2
    assert "--allow-duplicates" in refused.err
    assert shop.run("--allow-duplicates").code == 0
    assert shop.paid() == [1, 1]


def test_the_journal_can_lie_elsewhere(shop: Shop) -> None:
    shop.write(1)
    assert shop.run("--journal", "elsewhere.db", "-o", "out.csv").code == 0
    assert not (shop.command.folder / ".batchfish" / f"{shop.name}.db").exists()
    assert shop.command("status", "--journal", "elsewhere.db", "--json").summary["ended"] == 1


def test_the_journal_is_found_from_any_folder_below_its_manifest(shop: Shop) -> None:
    shop.write(1)
    shop.run()
    below = shop.command.folder / "below"
    below.mkdir()
    shop.command.monkeypatch.chdir(below)
    assert shop.command("status", shop.name, "--json").summary["batch"] == shop.name
    assert shop.command("run", f"../{shop.file.name}", "--goal", "Read it.", *SETTLE).code == 0
    assert shop.paid() == [1]


def test_status_watches_until_the_end(shop: Shop) -> None:
    shop.write(1)
    shop.run()
    assert len(shop.command("status", "--watch").out.splitlines()) == 1
