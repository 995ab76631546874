"""Many items against an API that loses answers: every item ends, none is paid for twice, none misplaced."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.endtoend.commands import Desk, JournalView, read_table
from tests.endtoend.serving import serving

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.process

FAULTS = "sigma=0.5,lag=1,busy=0.02,look_error=0.02"


def check_table(path: Path, urls: set[str]) -> None:
    """Each URL has one row, and on it the result that the server made for this very URL."""
    rows = list(read_table(path))
    assert sorted(row["url"] for row in rows) == sorted(urls)
    for row in rows:
        simulated = json.loads(row["result"])["simulated"]
        assert simulated["url"] == row["url"]
        assert row["status"] == "succeeded"


@pytest.mark.parametrize(
    ("count", "at_once", "duration", "lost", "settle"),
    [
        pytest.param(60, 12, 0.6, 0.08, "2s", id="60"),
        pytest.param(
            2000, 50, 1.0, 0.02, "5s", id="2000", marks=[pytest.mark.slow, pytest.mark.timeout(900)]
        ),
    ],
)
def test_every_item_ends_once_whatever_becomes_of_answers(
    tmp_path: Path, count: int, at_once: int, duration: float, lost: float, settle: str
) -> None:
    with (
        serving(
            tmp_path / "server", f"{FAULTS},reset={lost},error={lost},duration={duration}", cap=at_once
        ) as server,
        Desk(folder=tmp_path, base_url=server.base_url) as desk,
    ):
        desk.write_rows("shop.csv", count)
        desk.run(
            *("run", "shop.csv", "--goal", "Read the price", "-j", str(at_once)),
            *("--settle", settle, "-o", "out.parquet"),
            within=800,
        )
        runs = server.books.runs()
        assert server.books.paid_twice() == {}
        assert len(runs) == len({run.url for run in runs}) == count
        # The bound was kept, and it was put to the test.
        assert at_once * 0.5 <= server.books.most_alive() <= at_once
        journal = JournalView(tmp_path / ".batchfish" / "shop.db")
        assert journal.statuses() == {"succeeded": count}
        causes = dict(journal.read("SELECT cause, count(*) FROM attempts GROUP BY cause"))
        assert causes.get("adopted", 0) >= count * lost / 4, "no answer was lost: the test has shown nothing"
        assert journal.count("absent") >= count * lost / 4, "no create failed: the test has shown nothing"
        check_table(tmp_path / "out.parquet", {run.url for run in runs})
