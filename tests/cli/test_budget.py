"""Budgets as people meet them: before a run, beside it, at its end and afterwards."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from batchfish.cli.exits import ExitCode
from tests.endtoend.commands import Desk
from tests.endtoend.serving import PATIENCE, until

if TYPE_CHECKING:
    import subprocess

    from tests.cli.conftest import Outcome
    from tests.cli.shop import Shop

BUDGET = "budget: {{usd: {usd}, usd_per_step: 0.01{more}}}\nlimits: {{concurrency: 2}}\n"
"""A run at the simulated agent takes 1 step and reserves 150, or $1.50."""


def run(shop: Shop, usd: str, *items: int, more: str = "", flags: tuple[str, ...] = ()) -> Outcome:
    manifest = shop.write_manifest(*items, rules=BUDGET.format(usd=usd, more=more))
    return shop.command("run", manifest, "--settle", "2s", *flags)


def test_a_quiet_batch_that_waits_for_its_budget_prints_nothing(shop: Shop) -> None:
    assert run(shop, "1.52", 1, 2, flags=("-q",)) == (0, "", "")
    assert shop.paid() == [1, 2]


def start(shop: Shop, usd: str, *items: int, progress: str = "none") -> subprocess.Popen[str]:
    """Run a manifest with a budget in a process of its own."""
    manifest = shop.write_manifest(*items, rules=BUDGET.format(usd=usd, more=""))
    desk = Desk(folder=shop.command.folder, base_url=shop.server.base_url, started=shop.command.started)
    return desk.start("run", manifest, "--settle", "2s", "--progress", progress)


def document(shop: Shop, *arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(shop.command(*arguments, "--json").out)
    return found


def test_a_budget_that_does_not_cover_another_run_ends_with_3_and_the_command_that_goes_on(
    shop: Shop,
) -> None:
    ended = run(shop, "1.51", 1, 2, 3, 4, 5)
    assert ended.code == ExitCode.INCOMPLETE
    assert f"{shop.name}: 5 queued" in ended.err
    assert "an item; $0.00 spent, $0.00 reserved of $1.51" in ended.err
    assert "it waits for runs that are alive to cost less than they reserve" in ended.err
    stopped = "the budget does not cover another run: $0.02 spent, $0.00 reserved of $1.51, and the next run"
    assert f"stopping: {stopped} reserves $1.50 (150 steps)" in ended.err
    assert f"{shop.name}: 2 steps, $0.02 spent, $0.00 reserved of $1.51" in ended.err
    assert f"to raise the budget to N dollars first: batchfish set {shop.name} budget=N" in ended.err
    assert f"go on with: batchfish resume {shop.name}" in ended.err
    assert shop.paid() == [1, 2]
    again = run(shop, "1.51", 1, 2, 3, 4, 5, flags=("--json",))
    assert again.code == ExitCode.INCOMPLETE
    assert shop.paid() == [1, 2], "nothing more was paid for"
    assert (again.summary["stop"], again.summary["steps"]) == ("budget", 2)
    raised = run(shop, "1.52", 1, 2, 3, 4, 5)
    assert raised.code == ExitCode.INCOMPLETE
    assert shop.paid() == [1, 2, 3], "the edited budget is in force at once"


def test_a_person_raises_the_budget_of_a_batch_and_it_goes_on(shop: Shop) -> None:
    assert run(shop, "1.5", 1, 2, 3).code == ExitCode.INCOMPLETE
    said = shop.command("set", shop.name, "budget=20").err
    assert f"{shop.name}: budget 20.00; go on with: batchfish resume {shop.name}" in said
    status = document(shop, "status")
    assert (status["settings"]["budget"], status["money"]["cap_usd"]) == ("20.00", 20.0)
    assert document(shop, "plan", f"{shop.name}.yaml")["money"]["cap_usd"] == 20.0
    assert shop.command("resume", shop.name).code == ExitCode.OK
    assert shop.paid() == [1, 2, 3]
    assert shop.command("report", shop.name, "-o", "page.html").code == ExitCode.OK
    page = (shop.command.folder / "page.html").read_text()
    assert "$0.03 spent, $0.00 reserved of $20.00" in page
    assert "budget was set to $20.00" in page


def test_a_budget_cannot_be_set_where_the_price_of_a_step_is_not_known(shop: Shop) -> None:
    shop.write(1)
    assert shop.run("--limit", "1").code == ExitCode.OK
    refused = shop.command("set", shop.name, "budget=20")
    assert refused.code == ExitCode.USAGE
    assert f"{shop.name} has no budget, so the price of a step is not known" in refused.err
    for wrong in ("0", "-3", "much", "nan"):
        refused = shop.command("set", shop.name, f"budget={wrong}")
        assert refused.code == ExitCode.USAGE
        assert "expected US dollars" in refused.err


@pytest.mark.process
def test_a_raised_budget_lets_a_running_process_submit_more(patient_shop: Shop) -> None:
    """One run of two fits, and waits for the end of the other, which never comes."""
    shop = patient_shop
    process = start(shop, "1.5", 1, 2)
    until(lambda: shop.paid() == [1])
    assert shop.command("set", shop.name, "budget=3").code == ExitCode.OK
    until(lambda: shop.paid() == [1, 2])
    assert shop.command("cancel", shop.name).code == ExitCode.OK
    process.communicate(timeout=PATIENCE)
    assert process.returncode == ExitCode.CANCELLED


def test_status_and_summary_show_what_is_spent_reserved_and_allowed(shop: Shop) -> None:
    ended = run(shop, "20", 1, 2, flags=("--json",))
    money = {"spent_usd": 0.02, "reserved_usd": 0.0, "cap_usd": 20.0, "excess_usd": 0.0, "per": "batch"}
    assert ended.summary["money"] == money
    status = document(shop, "status")
    assert (status["steps"], status["money"]) == (2, money)
    assert "2 steps, $0.02 spent, $0.00 reserved of $20.00" in shop.command("status").out


@pytest.mark.process
def test_the_money_of_runs_that_are_alive_is_reserved(patient_shop: Shop) -> None:
    process = start(patient_shop, "20", 1, 2, 3, progress="json")
    assert process.stdout is not None
    assert any('"reserved_usd": 3.0' in line for line in process.stdout)
    process.terminate()
    process.communicate(timeout=PATIENCE)
    status = document(patient_shop, "status")
    assert status["steps"] == 0
    assert status["money"]["spent_usd"] == 0.0
    assert status["money"]["reserved_usd"] == 3.0
    explained = patient_shop.command("explain", "i1").out
    assert "$1.50 reserved, which counts until its steps are known" in explained
    (attempt,) = document(patient_shop, "explain", "i1")["attempts_made"]
    assert (attempt["reserved_usd"], attempt["cost_usd"]) == (1.5, 1.5)


def test_a_budget_for_the_month_counts_all_batches_of_the_journal(shop: Shop) -> None:
    assert run(shop, "20", 1, 2, more=", per: month").code == ExitCode.OK
    ended = run(shop, "1.52", 1, 2, 3, more=", per: month", flags=("--new",))
    assert ended.code == ExitCode.INCOMPLETE
    assert shop.paid() == [1, 1, 2], "$0.03 of $1.52 were spent before the second run"
    assert "$0.03 spent, $0.00 reserved of $1.52 for the month" in ended.err
    status = document(shop, "status")
    assert (status["steps"], status["money"]["spent_usd"], status["money"]["per"]) == (1, 0.03, "month")


def test_without_a_budget_steps_are_shown_and_nothing_is_reserved(shop: Shop) -> None:
    shop.write(1, 2)
    ended = shop.run("--json")
    assert (ended.summary["steps"], ended.summary["money"]) == (2, None)
    assert document(shop, "status")["steps"] == 2
    assert shop.journal.read("SELECT count(*) FROM spending") == [(0,)]
    (attempt,) = document(shop, "explain", "i1")["attempts_made"]
    assert (attempt["reserved_usd"], attempt["cost_usd"]) == (None, None)


class TestPlan:
    def test_without_a_past_it_says_so(self, shop: Shop) -> None:
        manifest = shop.write_manifest(1, 2)
        assert "No run of this journal has ended yet" in shop.command("plan", manifest).out
        estimate = document(shop, "plan", manifest)["estimate"]
        assert estimate == {"runs": 0, "steps": None, "usd": None, "seconds": None, "at_once": 2}

    def test_the_past_of_the_journal_tells_what_to_expect(self, shop: Shop) -> None:
        assert run(shop, "20", 1, 2, 3).code == ExitCode.OK
        manifest = shop.write_manifest(*range(1, 13), rules=BUDGET.format(usd="20", more=""))
        said = shop.command("plan", manifest).out
        assert "Expected by the 3 ended runs of this journal: 9 steps, $0.09, 0." in said
        assert "at 2 runs at once." in said
        assert "Budget: $0.03 spent, $0.00 reserved of $20.00; a run reserves $1.50 unless" in said
        plan = document(shop, "plan", manifest)
        assert plan["estimate"]["runs"] == 3
        assert plan["estimate"]["steps"] == {"low": 9, "expected": 9, "high": 9}
        assert plan["estimate"]["usd"] == {"low": 0.09, "expected": 0.09, "high": 0.09}
        assert plan["money"]["spent_usd"] == 0.03

    def test_the_price_is_not_known_without_a_budget(self, shop: Shop) -> None:
        assert shop.command("run", shop.write_manifest(1), "--settle", "2s").code == ExitCode.OK
        plan = document(shop, "plan", shop.write_manifest(1, 2))
        assert plan["estimate"]["steps"] == {"low": 1, "expected": 1, "high": 1}
        assert plan["estimate"]["usd"] is None
        assert plan["money"] is None
