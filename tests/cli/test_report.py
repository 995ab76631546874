"""`batchfish report` and `--report`: one file, written whole, of a batch in any state."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from batchfish.core.events import RetryRequested, RunEnded
from batchfish.core.runs import RunError, RunSnapshot
from tests.cli.history import History
from tests.cli.shop import SETTLE
from tests.cli.test_held import hold, live
from tests.endtoend.serving import until
from tests.report.building import Document

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Command
    from tests.cli.shop import Shop
    from tests.journal.building import Driver

pytestmark = pytest.mark.process

RULES = "checks:\n  - {expr: \"id != 'i2'\", reason: wrong_book}\n"


@pytest.fixture
def finished(shop: Shop) -> Shop:
    """Return a finished batch of three items, the second of which has failed."""
    assert shop.command("run", shop.write_manifest(1, 2, 3, rules=RULES), *SETTLE).code == 1
    return shop


def written(shop: Shop, name: str | None = None) -> str:
    """Return the page in a file; without a name, in the default one."""
    path = shop.command.folder / (name or f"results/{shop.name}.html")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    assert text.endswith("</html>\n")
    return text


def test_a_report_tells_what_became_of_a_batch(finished: Shop) -> None:
    outcome = finished.command("report")
    assert (outcome.code, outcome.out) == (0, f"{finished.command.folder}/results/{finished.name}.html\n")
    text = written(finished)
    for words in (
        "finished, exit code 1",
        "wrong_book",
        f'<a class="url" href="{finished.url(2)}" rel="noopener noreferrer">',
        f"<code>batchfish retry {finished.name} --failed</code>",
        "<dt>checks</dt>",
        "up to 100 runs at once (auto)",
    ):
        assert words in text
    assert "held attempt" not in text


def test_json_names_the_file(finished: Shop) -> None:
    path = finished.command.folder / "shop.html"
    outcome = finished.command("report", finished.name, "-o", "shop.html", "--json")
    assert outcome.code == 0
    assert outcome.summary["path"] == str(path)
    assert outcome.summary["batch"] == finished.name
    assert written(finished, "shop.html")


def test_a_report_replaces_only_a_report_of_this_journal(finished: Shop) -> None:
    report = ("report", "-o", "shop.html")
    assert finished.command(*report).code == 0
    assert finished.command(*report).code == 0, "it is ours"
    path = finished.command.folder / "shop.html"
    path.write_text("precious")
    refused = finished.command(*report)
    assert (refused.code, "--accept replace-output" in refused.err) == (6, True)
    assert path.read_text() == "precious"
    assert finished.command(*report, "-y").code == 0
    assert finished.command(*report).code == 0


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("shop.pdf", 2, "is no name for this file. End it with .html."),
        ("results.parquet", 2, "is no name for this file. End it with .html."),
        ("nowhere/shop.html", 74, "does not exist. Make that folder first"),
        ("folder.html", 2, "is a folder"),
        ("link.html", 2, "is a symbolic link"),
    ],
)
def test_a_file_that_cannot_be_written_is_refused(finished: Shop, name: str, code: int, said: str) -> None:
    (finished.command.folder / "folder.html").mkdir()
    (finished.command.folder / "link.html").symlink_to("elsewhere")
    outcome = finished.command("report", "-o", name)
    assert outcome.code == code
    assert said in outcome.err


def test_run_writes_the_report_at_its_end(shop: Shop) -> None:
    shop.write(1, 2)
    outcome = shop.run("--report", "shop.html")
    assert outcome.code == 0
    assert f"report: {shop.command.folder}/shop.html" in outcome.err
    assert "finished, exit code 0" in written(shop, "shop.html")
    assert shop.run("--report", "shop.html").code == 0, "a finished batch writes it, too"
    assert shop.command("resume", shop.name, "--report", "again.html").code == 0
    assert "finished, exit code 0" in written(shop, "again.html")


def test_a_report_that_cannot_be_written_stops_a_run_before_it_costs(shop: Shop) -> None:
    shop.write(1)
    (shop.command.folder / "taken.html").write_text("precious")
    for name, code in (("shop.pdf", 2), ("nowhere/shop.html", 74), ("taken.html", 6)):
        assert shop.run("--report", name).code == code
    assert shop.paid() == []
    assert shop.run("--report", "taken.html", "-y").code == 0
    assert "finished" in written(shop, "taken.html")


def test_a_batch_that_is_running_has_a_report(patient_shop: Shop) -> None:
    patient_shop.write(1, 2, 3)
    process = patient_shop.start("-j", "2")
    until(lambda: len(patient_shop.paid()) == 2)
    assert patient_shop.command("report").code == 0
    text = written(patient_shop)
    assert '<span class="pill">running</span>' in text
    assert "batchfish resume" not in text, "a process works on it"
    assert '<p class="alive"' not in text
    assert "whether it works" not in text
    patient_shop.command("cancel", patient_shop.name)
    process.communicate(timeout=60)


def test_held_items_come_with_commands_that_decide_them(finished: Shop) -> None:
    finished.command("run", finished.write_manifest(1, 2, 3, 4, rules=RULES), "--drain", *SETTLE)
    live(finished, "i4", hold)
    assert finished.command("report").code == 0
    text = written(finished)
    assert "not finished" in text
    for decision in ("adopt i4 RUN", "resubmit i4", "drop i4"):
        assert f"<code>batchfish held {decision} --batch {finished.name}</code>" in text
    assert finished.command("held", "drop", "i4", "--batch", finished.name).code == 0
    assert finished.command("report").code == 0
    assert "held attempt" not in written(finished)


def test_what_changed_since_the_batch_before_is_told(command: Command) -> None:
    history = History(folder=command.folder)
    history.add({"a": b'{"title": "A", "price": 2}', "b": b'{"price": 1}', "c": b'{"price": 3}'})
    assert command("report", "-o", "first.html").code == 0
    assert "What changed" not in (command.folder / "first.html").read_text()
    history.add({"a": b'{"title": "A", "price": 1.5}', "b": None, "d": b'{"price": 9}'})
    assert command("report", "-o", "second.html").code == 0
    text = " ".join(Document((command.folder / "second.html").read_text()).text.split())
    for words in (
        "What changed since shop ",
        "1 item that failed or has not ended is compared by an earlier good result",
        "added 1 removed 1 changed 1 1 cell unchanged 1",
        "a https://shop.example/a changed price 2 1.5 \N{MINUS SIGN}0.5",
        'd https://shop.example/d added {"price": 9}',
        'c https://shop.example/c removed {"price": 3}',
    ):
        assert words in text


def test_a_budget_is_told_with_what_is_spent(shop: Shop) -> None:
    budget = "budget: {usd: 20, usd_per_step: 0.015}\n"
    assert shop.command("run", shop.write_manifest(1, 2, rules=budget), *SETTLE).code == 0
    assert shop.command("report").code == 0
    text = Document(written(shop)).text
    assert "$0.03 spent, $0.00 reserved of $20.00" in text
    assert "A step costs $0.015" in text


def test_a_batch_that_has_not_begun_to_run_has_a_report(offline: Command, tmp_path: Path) -> None:
    (offline.folder / "shop.csv").write_text("url\nhttps://shop.example/1\n")
    assert offline("run", "shop.csv", "--goal", "Read it.", "--where", "false").code == 5
    outcome = offline("report", "--json")
    assert outcome.code == 2
    assert "no batch" in outcome.err


def test_what_an_api_says_is_shown_as_text(finished: Shop) -> None:
    hostile = '<script>alert(1)</script>\u202e"><img src=x onerror=alert(1)>'

    def fail(driver: Driver, item: int) -> None:
        driver.record(item, None, RetryRequested())
        run_id = driver.accept(item)
        error = RunError(message=hostile * 20_000, code=hostile, category="AGENT_FAILURE")
        run = RunSnapshot(run_id=run_id, status="FAILED", error=error)
        driver.record(item, driver.journal.item(item).k, RunEnded(run=run))

    live(finished, "i2", fail)
    assert finished.command("report").code == 0
    text = written(finished)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\\u202e" in text
    assert "more characters)" in text
    assert "<script>alert" not in text
    assert "\u202e" not in text
    assert len(text) < 200_000
