"""Verdicts, exit codes and decisions of a person: retry, held, cancel, and what explain shows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.cli.shop import SETTLE, Shop, open_shop
from tests.endtoend.commands import KEY
from tests.endtoend.serving import serving

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Command

pytestmark = pytest.mark.process

SECOND_FAILS = "checks:\n  - {expr: \"id != 'i2'\", reason: wrong_book}\n"
ALL_FAIL = 'checks:\n  - {expr: "1 == 2", reason: wrong_book}\n'


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        ((), 1),
        (("--fail-on-error", "1"), 0),
        (("--fail-on-error", "34%"), 0),
        (("--fail-on-error", "33%"), 1),
    ],
)
def test_failures_are_an_exit_code_that_every_rerun_repeats(
    shop: Shop, flags: tuple[str, ...], code: int
) -> None:
    manifest = shop.write_manifest(1, 2, 3, rules=SECOND_FAILS)
    assert shop.command("run", manifest, *SETTLE, *flags).code == code
    again = shop.command("run", manifest, *SETTLE, *flags)
    assert again.code == code
    assert "is finished: 2 succeeded, 1 failed" in again.err
    assert shop.paid() == [1, 2, 3]


def test_results_are_the_table_or_only_what_is_not_fine(shop: Shop) -> None:
    shop.command("run", shop.write_manifest(1, 2, 3, rules=SECOND_FAILS), *SETTLE)
    whole = shop.command("results", shop.name, "-o", "all.jsonl", "--json").summary
    assert (whole["rows"], whole["path"]) == (3, f"{shop.command.folder}/all.jsonl")
    assert shop.command("results", shop.name, "--failed", "-o", "failed.jsonl").code == 0
    (failed,) = map(json.loads, (shop.command.folder / "failed.jsonl").read_text().splitlines())
    assert (failed["item_id"], failed["status"], failed["reason"]) == ("i2", "failed", "wrong_book")
    refused = shop.command("results", shop.name, "--failed")
    assert refused.code == 2
    assert "-o FILE" in refused.err
    assert "i1" in shop.command("results", shop.name, "--head", "2").out


def test_a_formula_in_a_table_is_made_safe_unless_raw_is_asked_for(shop: Shop) -> None:
    shop.file.write_text(f"id,url,note\ni1,{shop.url(1)},=1+1\n")
    shop.run("-o", "safe.csv")
    assert "'=1+1" in (shop.command.folder / "safe.csv").read_text()
    shop.command("results", shop.name, "-o", "raw.csv", "--csv-raw")
    assert "'=1+1" not in (shop.command.folder / "raw.csv").read_text()


@pytest.mark.parametrize(
    ("which", "code"),
    [(("--failed",), 1), (("--reason", "wrong_book"), 1), (("--reason", "other"), 5), (("--held",), 5)],
)
def test_retry_is_one_attempt_more_for_those_it_names(shop: Shop, which: tuple[str, ...], code: int) -> None:
    shop.command("run", shop.write_manifest(1, 2, 3, rules=SECOND_FAILS), *SETTLE)
    outcome = shop.command("retry", shop.name, *which, *SETTLE)
    assert outcome.code == code
    assert shop.paid() == ([1, 2, 2, 3] if code == 1 else [1, 2, 3])


def test_a_retry_whose_table_is_refused_queues_nothing(shop: Shop) -> None:
    shop.command("run", shop.write_manifest(1, 2, rules=SECOND_FAILS), *SETTLE)
    refused = shop.command("retry", shop.name, "--failed", "-o", "no/such/folder.csv", *SETTLE)
    assert refused.code == 74
    assert shop.journal.statuses() == {"succeeded": 1, "failed": 1}
    assert shop.command("status", shop.name, "--json").summary["exit_code"] == 1


def test_halt_stops_submitting_and_the_batch_can_go_on(shop: Shop) -> None:
    manifest = shop.write_manifest(*range(1, 16), rules=ALL_FAIL)
    outcome = shop.command("run", manifest, "-j", "1", "--halt", "50%", *SETTLE)
    assert outcome.code == 3
    assert "10 of 10 items failed" in outcome.err
    assert f"batchfish resume {shop.name}" in outcome.err
    assert shop.paid() == list(range(1, 11))
    assert shop.command("resume", shop.name, *SETTLE).code == 1
    assert shop.paid() == list(range(1, 16))


def test_status_and_explain_tell_people_and_programs(shop: Shop) -> None:
    manifest = shop.write_manifest(1, 2, 3, rules=SECOND_FAILS)
    shop.command("run", manifest, "--limit", "2", *SETTLE)
    assert f"{shop.name}: 2 of 3 done (1 queued, 1 succeeded, 1 failed)" in shop.command("status").out
    found = shop.command("status", manifest, "--json").summary
    assert (found["ended"], found["total"], found["owner"]) == (2, 3, None)
    assert found["counts"] == {"queued": 1, "succeeded": 1, "failed": 1}
    told = shop.command("explain", "i2").out
    assert "status   failed, wrong_book" in told
    assert shop.runs()[1].run_id in told
    item = shop.command("explain", "i3", "--batch", shop.name, "--json").summary
    assert (item["status"], item["attempts_made"]) == ("queued", [])
    assert shop.command("explain", "i4").code == 2
    assert shop.command("held").code == 0
    assert f"{shop.name}  " in shop.command("ls").out


def test_what_a_page_says_cannot_write_to_the_terminal(shop: Shop) -> None:
    shop.file.write_text(f'id,url,goal\ni1,{shop.url(1)},"Read \u202e it."\n')
    shop.run(goal=None)
    assert "\u202e" not in shop.command("explain", "i1").out


def test_cancelling_what_is_finished_changes_nothing(shop: Shop) -> None:
    shop.write(1)
    shop.run()
    outcome = shop.command("cancel", shop.name)
    assert outcome.code == 0
    assert "nothing is left to cancel" in outcome.err


def test_a_part_of_a_batch_gives_its_own_code_and_the_whole_keeps_its_own(shop: Shop) -> None:
    manifest = shop.write_manifest(1, 2, rules="checks: [{expr: \"id == 'i2'\", reason: wrong}]\n")
    assert shop.command("run", manifest, "--item", "i1").code == 1
    assert shop.command("run", manifest, "--item", "i2").code == 0
    assert shop.command("run", manifest).code == 1, "the batch has an item that is not fine"


def test_a_batch_whose_last_item_would_have_stopped_it_is_finished(shop: Shop) -> None:
    rules = "checks: [{expr: 'false', reason: wrong}]\nlimits: {halt: 10%, concurrency: 10}\n"
    manifest = shop.write_manifest(*range(10), rules=rules)
    assert shop.command("run", manifest).code == 1
    assert "is finished" in shop.command("run", manifest).err


HOLD = "unanswered: {then: hold, marker: false}\n"


def test_a_person_decides_about_what_is_held(
    command: Command, port: int, request: pytest.FixtureRequest
) -> None:
    """Three creates whose answers were lost: one run is adopted, one item sent again, one given up."""
    folder = command.folder / "server"
    with serving(folder, "duration=0.02,reset=1", port=port) as server:
        shop = open_shop(command, server, request.node.nodeid)
        manifest = shop.write_manifest(1, 2, 3, rules=HOLD)
        outcome = command("run", manifest)
        assert outcome.code == 1
        assert "batchfish held list" in outcome.err
        assert shop.paid() == [1, 2, 3]
        again = command("run", manifest)
        assert again.code == 1, "what is held is never sent again by itself"
        assert shop.paid() == [1, 2, 3]
        listed = command("held", "list", "--batch", shop.name, "--json").summary
        assert [(item["id"], item["reason"]) for item in listed["items"]] == [
            (f"i{number}", "unanswered") for number in (1, 2, 3)
        ]
        run_of = {int(run.url.rpartition("/")[2]): run.run_id for run in shop.runs()}
    with serving(folder, "duration=0.02", port=port):
        assert command("held", "adopt", "i1").code == 2
        assert command("held", "adopt", "i1", "no-such-run").code == 2
        assert command("held", "adopt", "i1", run_of[1]).code == 0
        assert command("held", "adopt", "i2", run_of[1]).code == 2, "a run has one item"
        refused = command("held", "resubmit", "i2")
        assert refused.code == 6
        assert "paid for twice" in refused.err
        assert command("held", "resubmit", "i2", "-y").code == 0
        assert command("held", "drop", "i3").code == 0
        assert command("held", "drop", "i3").code == 2
        assert shop.paid() == [1, 2, 3]
        ended = command("resume", shop.name)
        assert ended.code in {1, 4}
        assert shop.paid() == [1, 2, 2, 3]
        statuses = {row["item_id"]: row["status"] for row in shop.table()}
        assert statuses == {"i1": "succeeded", "i2": "succeeded", "i3": "cancelled"}
        assert command("resume", shop.name).code == ended.code


def test_a_run_of_an_earlier_create_is_adopted_as_that_create(
    command: Command, port: int, request: pytest.FixtureRequest
) -> None:
    """A person may find the run of a create that was believed to have made none."""
    folder = command.folder / "server"
    rules = "unanswered: {then: hold, settle: 1s}\n"
    with serving(folder, "duration=0.02,error=1", port=port) as server:
        shop = open_shop(command, server, request.node.nodeid)
        assert command("run", shop.write_manifest(1, rules=rules)).code == 1
        assert command("held", "resubmit", "i1", "-y").code == 0
        assert command("resume", shop.name).code == 1
        first, second = (marker for (marker,) in shop.journal.read("SELECT marker FROM attempts ORDER BY k"))
        foreign = second.replace(second.split("-")[2], "z" * 13)
    with serving(folder, "duration=0.02", port=port):
        run_of = {
            marker: httpx.post(
                f"{server.base_url}/v1/automation/run-async",
                json={"url": shop.url(1), "goal": f"Read it.\n\n[ref {marker}.]"},
                headers={"X-API-Key": KEY},
                trust_env=False,
            ).json()["run_id"]
            for marker in (first, foreign)
        }
        refused = command("held", "adopt", "i1", run_of[foreign])
        assert (refused.code, "another item or batch" in refused.err) == (2, True)
        assert command("held", "adopt", "i1", run_of[first]).code == 0
        outcome = shop.command("resume", shop.name)
        assert outcome.code == 0, outcome
        ((followed, status),) = shop.journal.read("SELECT follows, status FROM items")
        assert (followed, status) == (1, "succeeded")


def test_cancelling_at_an_api_out_of_reach_is_no_success(
    command: Command, port: int, request: pytest.FixtureRequest
) -> None:
    folder = command.folder / "server"
    with serving(folder, "duration=60", port=port) as server:
        shop = open_shop(command, server, request.node.nodeid)
        shop.write(1)
        assert shop.run(*shop.up_to(1)).code == 3
    assert command("cancel", shop.name, "--max-outage", "1s").code == 75


def test_retry_of_what_is_held_asks_first(
    command: Command, port: int, request: pytest.FixtureRequest
) -> None:
    folder = command.folder / "server"
    with serving(folder, "duration=0.02,error=1", port=port) as server:
        shop = open_shop(command, server, request.node.nodeid)
        assert command("run", shop.write_manifest(1, 2, rules=HOLD)).code == 1
    with serving(folder, "duration=0.02", port=port):
        assert command("retry", shop.name, "--held").code == 6
        assert shop.paid() == []
        assert command("retry", shop.name, "--held", "-y").code == 0
        assert shop.paid() == [1, 2]


def test_serve_says_what_is_wrong_with_its_options(command: Command, tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_text("")
    assert command("serve", "--port", "0", "--engine", "simulate", "--simulate", "speed=1").code == 2
    assert command("serve", "--port", "0", "--site", "file.txt").code == 2
