"""kill -9 a hundred times under a budget: it is never exceeded, and nothing is counted twice."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.endtoend.commands import Desk, JournalView
from tests.endtoend.serving import Server, serving, until
from tests.endtoend.test_kills import SERVER, has_come_to, kill_with_creates_in_flight

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.process

STEP, MOST_STEPS = 1_000, 150
CAP_STEPS = 1_000
"""The budget in steps: six runs fit at once, and all items, since a simulated run takes one step."""

COMMAND = ("run", "shop.yaml", "-j", "25", "--settle", "1s", "-o", "out.parquet")


def write_manifest(folder: Path, count: int) -> None:
    items = [{"url": f"https://shop.example/{number}"} for number in range(1, count + 1)]
    manifest = {
        "batchfish": 1,
        "defaults": {"goal": "Read the price"},
        "budget": {"usd": CAP_STEPS * STEP / 1e6, "usd_per_step": STEP / 1e6},
        "items": items,
    }
    (folder / "shop.yaml").write_text(json.dumps(manifest))


def check_books(server: Server) -> None:
    """Check that the runs that were made cannot cost more than the cap, by what the server knows."""
    runs = server.books.runs()
    alive = sum(run.status in {"PENDING", "RUNNING"} for run in runs)
    assert alive * MOST_STEPS + len(runs) - alive <= CAP_STEPS


def check_journal(journal: JournalView) -> None:
    """Check that each attempt has one reservation, and that all together cost no more than the cap."""
    rows = journal.read(
        "SELECT a.state, a.steps, s.reserved FROM attempts a"
        " LEFT JOIN spending s ON s.item = a.item AND s.k = a.k"
    )
    costs = [
        0 if state in {"refused", "absent"} else steps * STEP if state == "ended" else reserved
        for state, steps, reserved in rows
    ]
    assert {reserved for *_, reserved in rows} <= {MOST_STEPS * STEP}
    assert sum(costs) <= CAP_STEPS * STEP


@pytest.mark.parametrize(
    ("count", "kills"),
    [
        pytest.param(30, 2, id="2"),
        pytest.param(700, 100, id="100", marks=[pytest.mark.slow, pytest.mark.timeout(3600)]),
    ],
)
def test_a_budget_holds_across_kills(tmp_path: Path, count: int, kills: int) -> None:
    with (
        serving(tmp_path / "server", SERVER, cap=25) as server,
        Desk(folder=tmp_path, base_url=server.base_url) as desk,
    ):
        write_manifest(tmp_path, count)
        journal = JournalView(tmp_path / ".batchfish" / "shop.db")
        for number in range(kills):
            process = desk.start(*COMMAND)
            until(partial(has_come_to, number * count // (kills + 1), server, process))
            kill_with_creates_in_flight(process, journal, server.books, acted_on=number % 2 == 1)
            check_books(server)
            check_journal(journal)
        ended = desk.run(*COMMAND, "--json", within=900)
        summary = json.loads(ended.stdout.splitlines()[-1])
        runs = server.books.runs()
        assert len({run.url for run in runs}) == len(runs) == count
        assert summary["steps"] == count
        assert (summary["money"]["spent_usd"], summary["money"]["reserved_usd"]) == (count * STEP / 1e6, 0.0)
        check_journal(journal)
