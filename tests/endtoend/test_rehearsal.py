"""A rehearsal on real pages: runs are cancelled midway, command and agent killed, and all is told right."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from batchfish.localagent.attach import PORT_FILE
from tests.endtoend.books import Books
from tests.endtoend.commands import Desk, JournalView, read_table
from tests.endtoend.serving import ROOT, until
from tests.localagent.browsing import require_chromium

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(900)]

SAMPLES = ROOT / "sample_inputs"
COUNT, AT_ONCE, CANCELLED = 200, 8, 3
UNREADABLE = {
    *("missing-page", "human-check", "login-wall", "empty-body", "empty-file"),
    *("page-not-found-with-200", "price-on-application"),
}
SITE = str(SAMPLES / "site")
RUN = ("run", "pages.jsonl", "--local", "-j", str(AT_ONCE), "--engine", "browser", "--site", SITE)


def ended(journal: JournalView) -> int:
    """Count the items whose fate is decided."""
    counts = journal.statuses()
    return sum(counts.get(status, 0) for status in ("succeeded", "failed", "cancelled"))


def alive(journal: JournalView) -> list[tuple[str, str]]:
    """Give the run and the item's id of each attempt that is alive, the newest first."""
    return journal.read(
        "SELECT a.run_id, i.id FROM attempts a JOIN items i ON i.pk = a.item"
        " WHERE a.state = 'running' ORDER BY a.intended_at DESC"
    )


def cancelled(journal: JournalView) -> set[str]:
    return {name for (name,) in journal.read("SELECT id FROM items WHERE status = 'cancelled'")}


def test_a_batch_of_mixed_pages_ends_whatever_is_cancelled_and_killed(tmp_path: Path) -> None:
    require_chromium()
    rows = (SAMPLES / "pages.jsonl").read_text().splitlines()
    rows = rows[-8:] + rows[:-8]  # the last ones are those that cannot be read without a browser, or at all
    (tmp_path / "pages.jsonl").write_text("\n".join(rows[:COUNT]))
    journal = JournalView(tmp_path / ".batchfish" / "local" / "pages.db")
    agent = tmp_path / ".batchfish" / "agent"
    with Desk(folder=tmp_path, base_url="http://127.0.0.1:9") as desk:
        process = desk.start(*RUN, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def comes_to(share: int) -> None:
            until(lambda: ended(journal) >= share and len(alive(journal)) == AT_ONCE, within=300)

        comes_to(20)
        told = {name for _, name in alive(journal)[:CANCELLED]}
        desk.run("cancel", "--local", "pages", *told)
        until(lambda: cancelled(journal) == told)

        comes_to(60)
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        os.kill(json.loads((agent / PORT_FILE).read_bytes())["pid"], signal.SIGKILL)
        died = dict(alive(journal))
        process.kill()
        process.wait()
        desk.run(*RUN, expect=4, within=600)

    # The server's books and the journal tell the same of every run, and each died run is told as such.
    books = {run.run_id: run.status for run in Books(agent / "agent.db").runs()}
    known = journal.read("SELECT run_id, run_status, error_code FROM attempts WHERE run_id IS NOT NULL")
    assert {run_id: status for run_id, status, _ in known} == books
    restarted = {run_id for run_id, _, code in known if code == "LOCAL_AGENT_RESTARTED"}
    assert restarted
    assert restarted >= {run_id for run_id in died if books[run_id] == "FAILED"}

    # Each of them was tried once more; nothing else was paid for twice.
    owners = journal.read("SELECT a.run_id, i.id FROM attempts a JOIN items i ON i.pk = a.item")
    again = {name for name, count in Counter(name for _, name in owners).items() if count > 1}
    assert again == {name for run_id, name in owners if run_id in restarted}

    table = {row["item_id"]: row["status"] for row in read_table(tmp_path / "results" / "pages.parquet")}
    assert {name for name, status in table.items() if status == "cancelled"} == told
    assert {name for name, status in table.items() if status == "failed"} == UNREADABLE
    assert Counter(table.values())["succeeded"] == COUNT - CANCELLED - len(UNREADABLE)
