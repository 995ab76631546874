"""Stored results that are judged again, under checks that were edited after the batch has ended."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.cli.shop import SETTLE

if TYPE_CHECKING:
    from tests.cli.shop import Shop

ALWAYS, NEVER = 'checks: [{expr: "url", reason: odd}]\n', 'checks: [{expr: "not url", reason: odd}]\n'


def run_with(shop: Shop, rules: str, *items: int) -> int:
    """Run a manifest with these rules; return the exit code."""
    return shop.command("run", shop.write_manifest(*items, rules=rules), *SETTLE).code


def edit(shop: Shop, rules: str, *items: int) -> None:
    shop.write_manifest(*items, rules=rules)


def answer_with(shop: Shop, answer: str, *, items: int) -> None:
    """Store one answer for the first items, as if the API had given it."""
    with closing(sqlite3.connect(shop.journal.path)) as connection, connection:
        connection.execute("UPDATE results SET raw = ? WHERE item <= ?", (answer.encode(), items))


def reasons(shop: Shop) -> list[tuple[str, str | None]]:
    return [(row["status"], row["reason"]) for row in shop.table()]


def test_an_edited_check_changes_statuses_both_ways_without_a_request(shop: Shop) -> None:
    assert run_with(shop, ALWAYS, 1, 2) == 0
    edit(shop, NEVER, 1, 2)
    outcome = shop.command("recheck", shop.name, "--json")
    assert outcome.code == 1
    assert json.loads(outcome.out)["fail_now"] == 2
    assert reasons(shop) == [("failed", "odd")] * 2
    # The batch is finished with the new verdict: `run` sends nothing, and repeats its exit code.
    assert shop.command("run", f"{shop.name}.yaml", *SETTLE).code == 1
    edit(shop, ALWAYS, 1, 2)
    outcome = shop.command("recheck", shop.name, "--json")
    assert (outcome.code, json.loads(outcome.out)["succeed_now"]) == (0, 2)
    assert reasons(shop) == [("succeeded", None)] * 2
    assert shop.paid() == [1, 2]


def test_nothing_is_sent(shop: Shop) -> None:
    run_with(shop, ALWAYS, 1)
    edit(shop, NEVER, 1)
    shop.command.use("http://127.0.0.1:9")  # nobody listens there
    assert shop.command("recheck", shop.name).code == 1


def test_a_result_that_is_a_block_page_fails_and_shows_its_text(shop: Shop) -> None:
    run_with(shop, "", 1, 2)
    answer_with(shop, '{"title": "Just a moment..."}', items=1)
    edit(shop, "blocked: strict\n", 1, 2)
    assert shop.command("recheck", shop.name).code == 1
    first, second = shop.table()
    assert (first["reason"], first["error_message"]) == ("blocked", "result.title is 'Just a moment...'")
    assert second["status"] == "succeeded"
    edit(shop, "blocked: off\n", 1, 2)
    assert shop.command("recheck", shop.name).code == 0


def test_an_answer_that_many_items_share_is_marked_and_explained(shop: Shop) -> None:
    run_with(shop, "", *range(1, 8))
    answer_with(shop, '{"title": "Welcome to our shop"}', items=6)
    outcome = shop.command("recheck", shop.name)
    assert outcome.code == 0
    assert "6 items share an answer with many others" in outcome.err
    assert [row["suspicious"] for row in shop.table()] == [*["same_answer"] * 6, None]
    said = shop.command("explain", "i1", "--batch", shop.name).out
    assert "the same answer as 5 other items, such as i2" in said


def test_a_manifest_that_is_gone_is_judged_as_it_was(shop: Shop) -> None:
    run_with(shop, ALWAYS, 1)
    shop.file.with_suffix(".yaml").unlink()
    outcome = shop.command("recheck", shop.name)
    assert outcome.code == 0
    assert "is gone" in outcome.err
    assert "judged 1 result again: no status has changed. Nothing was sent." in outcome.err


def test_items_without_a_completed_run_are_left_as_they_are(shop: Shop) -> None:
    shop.write(1, 2)
    shop.run("--limit", "1")
    document = json.loads(shop.command("recheck", shop.name, "--json").out)
    assert (document["judged"], document["exit_code"]) == (1, 3)
    assert shop.journal.statuses() == {"succeeded": 1, "queued": 1}


@pytest.mark.parametrize("rules", ["blocked: sometimes\n", "checks: 5\n"])
def test_a_manifest_that_is_wrong_now_changes_nothing(shop: Shop, rules: str) -> None:
    run_with(shop, ALWAYS, 1)
    edit(shop, rules, 1)
    assert shop.command("recheck", shop.name).code == 2
    assert reasons(shop) == [("succeeded", None)]


def test_checks_use_the_variables_that_the_manifest_has_now(shop: Shop) -> None:
    check = 'checks: [{expr: "least | int > 3", reason: few}]\n'
    run_with(shop, ALWAYS, 1)
    for least, code in (("5", 0), ("1", 1)):
        edit(shop, f'vars: {{least: "{least}"}}\n{check}', 1)
        outcome = shop.command("recheck", shop.name)
        assert outcome.code == code, shop.table()
        assert ("checks use the values of least" in outcome.err) == (least == "1")
    # An item that ends later is judged by them, too.
    edit(shop, f'vars: {{least: "5"}}\n{check}', 1)
    assert shop.command("recheck", shop.name).code == 0
    edit(shop, f'vars: {{least: "5"}}\n{check}', 1, 2)
    assert shop.command("run", f"{shop.name}.yaml", *SETTLE).code == 0


def test_a_finished_batch_is_judged_by_the_failures_that_are_allowed_now(shop: Shop) -> None:
    second_fails = "checks: [{expr: \"id != 'i2'\", reason: odd}]\n"
    allowing = ("run", f"{shop.name}.yaml", *SETTLE, "--fail-on-error", "1")
    assert run_with(shop, ALWAYS, 1, 2) == 0
    edit(shop, second_fails, 1, 2)
    assert shop.command("recheck", shop.name).code == 1
    assert shop.command(*allowing, "-q") == (0, "", "")
    assert shop.command(*allowing, "--json").summary["exit_code"] == 0
    assert shop.command("resume", shop.name, "--fail-on-error", "40%").code == 1
    edit(shop, NEVER, 1, 2)
    assert shop.command("recheck", shop.name).code == 1
    assert shop.command(*allowing).code == 1
    assert shop.paid() == [1, 2]
