"""The sides that are compared: how each is started, and how it is learned when it knew of each end."""

from __future__ import annotations

import json
import sqlite3
import sys
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benchmarks.fanout.workloads import Workload

CLIENTS = Path(__file__).parent / "clients"
ITEMS = "items.csv"
OUTPUT = "ends.jsonl"
SUCCEEDED_AT = """
    SELECT attempts.run_id, items.changed_at FROM items
    JOIN attempts ON attempts.item = items.pk AND attempts.k = items.follows
    WHERE items.status = 'succeeded'
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """One way to run many items; it is started in a folder that holds ITEMS.

    - `command`: returns its command line for a workload.
    - `known_at`: returns from that folder, once it has ended, when it knew of the end of each run: epoch
      seconds by run id.
    - `needs`: the module without which it cannot run.
    """

    name: str
    title: str
    command: Callable[[Workload], list[str]]
    known_at: Callable[[Path], Mapping[str, float]]
    needs: str = "batchfish"

    @property
    def is_installed(self) -> bool:
        """Whether what it needs is installed."""
        return find_spec(self.needs) is not None


def _from_output(folder: Path) -> dict[str, float]:
    lines = (folder / OUTPUT).read_text(encoding="utf-8").splitlines()
    return {end["run_id"]: end["at"] for end in map(json.loads, lines)}


def _from_journal(folder: Path) -> dict[str, float]:
    (journal,) = (folder / ".batchfish").glob("*.db")
    with closing(sqlite3.connect(journal)) as db:
        return dict(db.execute(SUCCEEDED_AT))


def _batchfish(*program: str) -> Callable[[Workload], list[str]]:
    def command(workload: Workload) -> list[str]:
        given = (
            "-j",
            workload.window or str(workload.concurrency),
            "-o",
            "results.parquet",
            "--progress",
            "none",
            "-q",
            "-y",
        )
        away = [str(CLIENTS / "batchfish_remote.py")] if workload.is_remote else program
        return [sys.executable, *away, "run", ITEMS, *given]

    return command


def _script(name: str, *more: str, has_tasks: bool = True) -> Callable[[Workload], list[str]]:
    def command(workload: Workload) -> list[str]:
        alive = (has_tasks and workload.tasks) or workload.concurrency
        return [sys.executable, str(CLIENTS / name), ITEMS, OUTPUT, str(alive), *more]

    return command


SIDES = {
    side.name: side
    for side in (
        Side(
            name="batchfish",
            title="`batchfish run`",
            command=_batchfish("-m", "batchfish"),
            known_at=_from_journal,
        ),
        Side(
            name="unsynced",
            title="`batchfish run` with `synchronous=OFF`",
            command=_batchfish(str(CLIENTS / "batchfish_unsynced.py")),
            known_at=_from_journal,
        ),
        Side(
            name="sdk",
            title="official SDK, as documented: a poll a run every 2 s",
            command=_script("sdk.py", "2"),
            known_at=_from_output,
            needs="tinyfish",
        ),
        Side(
            name="sdk-fast",
            title="official SDK, a poll a run every 0.25 s",
            command=_script("sdk.py", "0.25"),
            known_at=_from_output,
            needs="tinyfish",
        ),
        Side(
            name="httpx",
            title="good script: httpx, tenacity, polls that back off",
            command=_script("httpx_tenacity.py"),
            known_at=_from_output,
        ),
        Side(
            name="expert",
            title="expert's script: aiohttp, run-batch, no journal",
            command=_script("aiohttp_expert.py", has_tasks=False),
            known_at=_from_output,
            needs="aiohttp",
        ),
    )
}
