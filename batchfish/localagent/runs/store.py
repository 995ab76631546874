"""The durable store of runs: one SQLite file with what was asked for, what came of it, and screenshots."""

from __future__ import annotations

import asyncio
import math
import os
import secrets
import sqlite3
from contextlib import contextmanager, nullcontext
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchfish.errors import WrongInput
from batchfish.localagent.runs.counts import RunCounts
from batchfish.localagent.runs.records import NewRun, RunFilter, RunPage, StoredRun
from batchfish.webagent.wire import RunStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from batchfish.localagent.runs.records import RunEnd

SCHEMA = Path(__file__).with_name("store.sql")
# The application_id of the file: "bfL" and a version that rises with each change of the tables.
FORMAT = 0x62664C32
NEWEST_FIRST = "desc"
END = 2**63 - 1
"""More than any `seq`."""
MOST_SCREENSHOT_BYTES = 256 * 1024 * 1024
FORGET_EVERY = 60.0
OLD_RUNS_STAY = 3600.0


class RunStore:
    """The runs of one agent in one file; each method that writes does all it says, or nothing.

    What is committed survives a killed process, but not a power cut: runs of a rehearsal cost nothing, and an
    fsync for each would limit the rate of the server.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        most_screenshot_bytes: int = MOST_SCREENSHOT_BYTES,
        call_soon: Callable[[Callable[[], None]], object] | None = None,
    ) -> None:
        """Open or create the file, readable by its owner only; `:memory:` keeps nothing.

        With `call_soon`, of an event loop, all that is written in one turn of the loop is one transaction,
        committed in the next turn; without it each method commits before it returns.
        WrongInput if the file is something else.
        """
        if path != ":memory:":
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        self._most_screenshot_bytes = most_screenshot_bytes
        self._call_soon = call_soon
        self._will_commit = False
        self._db = sqlite3.connect(path, isolation_level=None)
        _check_format(self._db, path)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute("PRAGMA busy_timeout = 5000")
        self._db.execute("PRAGMA foreign_keys = ON")
        self._db.executescript(SCHEMA.read_text("utf-8") + f"PRAGMA application_id = {FORMAT};")
        self._counts = RunCounts(self._db)
        self._deletions = 0

    def add(self, runs: Sequence[NewRun]) -> None:
        """Insert runs, all or none; none may be older than those that are stored."""
        self._write(INSERT + ", ".join([NEW_ROW] * len(runs)), list(chain.from_iterable(runs)))

    def start(self, run_id: str, *, at: float) -> bool:
        """Change a run from PENDING to RUNNING; return whether it was PENDING."""
        return self._write(
            "UPDATE runs SET status = ?, started_at = ? WHERE run_id = ? AND status = ?",
            (RunStatus.RUNNING, at, run_id, RunStatus.PENDING),
        )

    def finish(
        self,
        run_id: str,
        end: RunEnd,
        *,
        at: float,
        steps: str | None = None,
        screenshots: Iterable[tuple[int, bytes]] = (),
    ) -> bool:
        """Record the end of a run with its screenshots; return whether it had not ended before."""
        pictures = [(run_id, step, body) for step, body in screenshots]
        with self._together() if pictures else nullcontext():
            is_first_end = self._write(
                "UPDATE runs SET status = ?, finished_at = ?, result = ?, error = ?, validation = ?,"
                " steps = ? WHERE run_id = ? AND finished_at IS NULL",
                (end.status, at, end.result, end.error, end.validation, steps, run_id),
            )
            if is_first_end and pictures:
                self._db.executemany(
                    "INSERT INTO screenshots (run_id, step, body) VALUES (?, ?, ?)", pictures
                )
                self._db.execute(
                    "DELETE FROM screenshots WHERE seq IN (SELECT seq FROM (SELECT seq,"
                    " sum(length(body)) OVER (ORDER BY seq DESC) AS bytes FROM screenshots) WHERE bytes > ?)",
                    (self._most_screenshot_bytes,),
                )
        return is_first_end

    def newest_created_at(self) -> float:
        """Return when the newest run was created, epoch seconds; 0 if there is none."""
        ((at,),) = self._db.execute("SELECT max(created_at) FROM runs")
        return at or 0.0

    def fetch(self, run_ids: Iterable[str]) -> dict[str, StoredRun]:
        """Return runs by id; unknown ids are left out."""
        wanted = list(dict.fromkeys(run_ids))
        marks = ", ".join("?" * len(wanted))
        return {run.run_id: run for run in self._select(f"run_id IN ({marks})", wanted)}

    def screenshot(self, run_id: str, step: int) -> bytes | None:
        """Return the screenshot of a step, None if there is none or it had to make room for newer ones."""
        row = self._db.execute(
            "SELECT body FROM screenshots WHERE run_id = ? AND step = ?", (run_id, step)
        ).fetchone()
        return None if row is None else bytes(row[0])

    def unfinished(self) -> list[StoredRun]:
        """Return the PENDING and RUNNING runs, oldest first."""
        return self._select("finished_at IS NULL ORDER BY seq")

    def page(
        self, wanted: RunFilter, *, limit: int, direction: str = NEWEST_FIRST, after: int | None, at: float
    ) -> RunPage:
        """Return the runs visible at a time, by age; `after` is the `seq` of the previous page's last run."""
        where, values = _conditions(wanted)
        first, end = self._first_since(wanted.created_after, 0), self._first_since(wanted.created_before, END)
        # Runs change their status, but neither their goal nor the time at which they were created.
        version = self._deletions if wanted.status is None else self._db.total_changes
        total = self._counts.count(where, values, range(first, end), at=at, version=version)
        if direction == NEWEST_FIRST:
            order, end = "DESC", end if after is None else min(end, after)
        else:
            order, first = "ASC", first if after is None else max(first, after + 1)
        runs = self._select(
            f"seq >= ? AND seq < ? AND visible_at <= ? AND {where} ORDER BY seq {order} LIMIT ?",
            (first, end, at, *values, limit + 1),
        )
        return RunPage(runs=tuple(runs[:limit]), total=total, has_more=len(runs) > limit)

    def forget(self, *, finished_before: float, keep: int) -> int:
        """Delete runs that ended before a time, and all but the `keep` that ended last; return how many."""
        with self._together():
            old = self._db.execute("DELETE FROM runs WHERE finished_at < ?", (finished_before,)).rowcount
            surplus = self._db.execute(
                "DELETE FROM runs WHERE seq IN (SELECT seq FROM runs WHERE finished_at IS NOT NULL"
                " ORDER BY finished_at DESC LIMIT -1 OFFSET ?)",
                (keep,),
            ).rowcount
        self._deletions += old + surplus
        return old + surplus

    def secret(self) -> str:
        """Return the key that links to the runs are signed with; it is drawn once and stored."""
        self._db.execute(
            "INSERT OR IGNORE INTO secrets (name, value) VALUES ('links', ?)", (secrets.token_urlsafe(32),)
        )
        value: str = self._db.execute("SELECT value FROM secrets WHERE name = 'links'").fetchone()[0]
        return value

    def close(self) -> None:
        """Commit what is not committed yet, and close the file."""
        self._commit()
        self._db.close()

    def _first_since(self, at: float | None, otherwise: int) -> int:
        """Return the `seq` of the first run that was created at a time or later; END if there is none."""
        if at is None:
            return otherwise
        row = self._db.execute(
            "SELECT seq FROM runs WHERE created_at >= ? ORDER BY created_at, seq LIMIT 1", (at,)
        ).fetchone()
        return END if row is None else int(row[0])

    def _select(self, condition: str, values: Sequence[Any] = ()) -> list[StoredRun]:
        rows = self._db.execute(f"SELECT {COLUMNS} FROM runs WHERE {condition}", values)  # noqa: S608
        return [StoredRun._make((*row[:-1], RunStatus(row[-1]))) for row in rows]

    def _write(self, statement: str, values: Sequence[Any]) -> bool:
        """Execute a statement; return whether it wrote a row."""
        self._begin()
        return self._db.execute(statement, values).rowcount > 0

    @contextmanager
    def _together(self) -> Iterator[None]:
        """Keep all that the block writes, or undo it if the block raises."""
        self._begin()
        # Outside of a transaction a savepoint begins one, and its release commits it.
        self._db.execute("SAVEPOINT together")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK TO together")
            raise
        finally:
            self._db.execute("RELEASE together")

    def _begin(self) -> None:
        """Begin the transaction of this turn of the loop, if turns have one."""
        if self._call_soon is not None and not self._will_commit:
            if not self._db.in_transaction:  # a commit that failed is tried again
                self._db.execute("BEGIN IMMEDIATE")
            self._call_soon(self._commit)
            self._will_commit = True

    def _commit(self) -> None:
        self._will_commit = False
        if self._db.in_transaction:
            self._db.execute("COMMIT")


async def forget_old_runs(
    store: RunStore, *, keep_for: float, keep_runs: int, clock: Callable[[], float]
) -> None:
    """Delete surplus runs each minute, and old ones too after the first hour; never returns.

    `keep_for` is in seconds since the end of a run, by `clock` (epoch seconds). A client that comes back
    after a long stop of the agent has that first hour to ask for its runs.
    """
    loop = asyncio.get_running_loop()
    old_ones_go_at = loop.time() + OLD_RUNS_STAY
    while True:
        await asyncio.sleep(FORGET_EVERY)
        begin = -math.inf if loop.time() < old_ones_go_at else clock() - keep_for
        store.forget(finished_before=begin, keep=keep_runs)


COLUMNS = ", ".join(StoredRun._fields)
INSERT = f"INSERT INTO runs ({', '.join(NewRun._fields)}, status) VALUES "  # noqa: S608
NEW_ROW = f"({'?, ' * len(NewRun._fields)}'{RunStatus.PENDING}')"


def _check_format(db: sqlite3.Connection, path: Path | str) -> None:
    """Raise WrongInput, before anything is written, unless the file is empty or has our format."""
    try:
        ((found,),) = db.execute("PRAGMA application_id")
        is_empty = not db.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall()
    except sqlite3.DatabaseError:
        found, is_empty = 0, False
    if not is_empty and found != FORMAT:
        db.close()
        raise WrongInput(
            f"--store: {path} is not a store of runs of this version of the local agent."
            " Its runs are rehearsals: delete it, or name another file."
        )


def _conditions(wanted: RunFilter) -> tuple[str, list[Any]]:
    """Return the conditions of a filter other than those on times."""
    conditions: dict[str, Any] = {
        "instr(goal_folded, ?) > 0": wanted.goal.casefold() if wanted.goal else None,
        "status = ?": wanted.status,
    }
    asked = {condition: value for condition, value in conditions.items() if value is not None}
    return " AND ".join(["TRUE", *asked]), list(asked.values())
