"""The durable book of runs: one SQLite file that says what this agent was asked for and what came of it."""

from __future__ import annotations

import os
import secrets
import sqlite3
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchfish.errors import WrongInput
from batchfish.localagent.runs.captures import Captures
from batchfish.localagent.runs.records import NewRun, RunFilter, RunPage, StoredRun
from batchfish.webagent.wire import RunStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from batchfish.localagent.runs.ends import RunEnd

SCHEMA = Path(__file__).with_name("store.sql")
FORMAT = 0x62664C31  # in the file's head: "bfL", and a version that rises with every change of the tables
ALIVE = (RunStatus.PENDING, RunStatus.RUNNING)
NEWEST_FIRST = "desc"


class RunStore:
    """The runs of one agent in one file; each change is one transaction, over when its call returns.

    Committed changes outlive a killed process, though not a power cut: rehearsals are free, and a sync for
    each would set the pace of the server.
    """

    def __init__(self, path: Path | str) -> None:
        """Open the book at `path`, readable by its owner alone, or make it; `:memory:` keeps it nowhere.

        WrongInput where the file is something else.
        """
        if path != ":memory:":
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        self._db = sqlite3.connect(path, isolation_level=None)
        _check_format(self._db, path)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute("PRAGMA busy_timeout = 5000")
        self._db.execute("PRAGMA foreign_keys = ON")
        self._db.executescript(SCHEMA.read_text("utf-8") + f"PRAGMA application_id = {FORMAT};")
        self.captures = Captures(self._db)

    def add(self, runs: Sequence[NewRun], *, at: float) -> None:
        """Write down new PENDING runs, all or none."""
        rows = [
            (
                run.run_id,
                run.url,
                run.goal,
                run.goal.casefold(),
                run.options,
                run.output_schema,
                run.origin,
                RunStatus.PENDING,
                at,
                run.visible_at,
            )
            for run in runs
        ]
        with _transaction(self._db) as db:
            db.executemany(
                "INSERT INTO runs (run_id, url, goal, goal_folded, options, output_schema, origin, status,"
                " created_at, visible_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                rows,
            )
            _raise_peak(db, "alive", "finished_at IS NULL")

    def start(self, run_id: str, *, at: float) -> bool:
        """Turn a PENDING run into a RUNNING one; False where it no longer waits."""
        with _transaction(self._db) as db:
            changed = db.execute(
                "UPDATE runs SET status = ?, started_at = ? WHERE run_id = ? AND status = ?",
                (RunStatus.RUNNING, at, run_id, RunStatus.PENDING),
            ).rowcount
            _raise_peak(db, "running", "finished_at IS NULL AND status = 'RUNNING'")
        return changed == 1

    def finish(
        self,
        run_id: str,
        end: RunEnd,
        *,
        at: float,
        steps: str | None = None,
        captured: Iterable[tuple[int, str, bytes]] = (),
    ) -> bool:
        """Write down a run's end and its captures; False where it has an end already: the first stays."""
        with _transaction(self._db) as db:
            changed = db.execute(
                "UPDATE runs SET status = ?, finished_at = ?, result = ?, error = ?, validation = ?,"
                " steps = ? WHERE run_id = ? AND finished_at IS NULL",
                (end.status, at, end.result, end.error, end.validation, steps, run_id),
            ).rowcount
            if changed:
                self.captures.add(run_id, captured)
        return changed == 1

    def fetch(self, run_ids: Iterable[str]) -> dict[str, StoredRun]:
        """Look runs up by id; ids that the book does not hold are left out."""
        wanted = list(dict.fromkeys(run_ids))
        marks = ", ".join("?" * len(wanted))
        rows = self._db.execute(f"SELECT {COLUMNS} FROM runs WHERE run_id IN ({marks})", wanted)  # noqa: S608
        return {run.run_id: run for run in map(_stored, rows)}

    def unfinished(self) -> tuple[StoredRun, ...]:
        """Give the PENDING and RUNNING runs, oldest first."""
        rows = self._db.execute(f"SELECT {COLUMNS} FROM runs WHERE finished_at IS NULL ORDER BY seq")  # noqa: S608
        return tuple(map(_stored, rows))

    def page(
        self, wanted: RunFilter, *, limit: int, direction: str = NEWEST_FIRST, after: int | None, at: float
    ) -> RunPage:
        """List runs visible `at` a time, by age; `after` is the `seq` of the last run of the page before."""
        where, values = _conditions(wanted, at)
        total: int = self._db.execute(f"SELECT count(*) FROM runs WHERE {where}", values).fetchone()[0]  # noqa: S608
        order = "DESC" if direction == NEWEST_FIRST else "ASC"
        if after is not None:
            where += f" AND seq {'<' if direction == NEWEST_FIRST else '>'} ?"
            values.append(after)
        rows = self._db.execute(
            f"SELECT {COLUMNS} FROM runs WHERE {where} ORDER BY seq {order} LIMIT ?",  # noqa: S608
            [*values, limit + 1],
        ).fetchall()
        return RunPage(runs=tuple(map(_stored, rows[:limit])), total=total, has_more=len(rows) > limit)

    def forget(self, *, finished_before: float, keep: int) -> int:
        """Drop runs that ended before a time, and all but the `keep` that ended last; how many went."""
        with _transaction(self._db) as db:
            old = db.execute("DELETE FROM runs WHERE finished_at < ?", (finished_before,)).rowcount
            surplus = db.execute(
                "DELETE FROM runs WHERE seq IN (SELECT seq FROM runs WHERE finished_at IS NOT NULL"
                " ORDER BY finished_at DESC LIMIT -1 OFFSET ?)",
                (keep,),
            ).rowcount
        return old + surplus

    def secret(self) -> str:
        """Give what the links to this book's runs are signed with: drawn once, kept with the runs."""
        self._db.execute(
            "INSERT OR IGNORE INTO secrets (name, value) VALUES ('links', ?)", (secrets.token_urlsafe(32),)
        )
        value: str = self._db.execute("SELECT value FROM secrets WHERE name = 'links'").fetchone()[0]
        return value

    def close(self) -> None:
        """Close the file."""
        self._db.close()


COLUMNS = ", ".join(StoredRun.__slots__)


def _check_format(db: sqlite3.Connection, path: Path | str) -> None:
    """Refuse a file that this code did not make, before it is written to."""
    try:
        ((found,),) = db.execute("PRAGMA application_id")
        is_empty = not db.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall()
    except sqlite3.DatabaseError:
        found, is_empty = 0, False
    if not is_empty and found != FORMAT:
        db.close()
        raise WrongInput(
            f"--store: {path} is no book of this local agent's runs (another version's, or another file)."
            " Its runs are rehearsals: delete it, or name another file."
        )


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """Commit what the block writes, or none of it where it raises."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield db
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def _raise_peak(db: sqlite3.Connection, name: str, where: str) -> None:
    db.execute(
        f"UPDATE peaks SET value = max(value, (SELECT count(*) FROM runs WHERE {where})) WHERE name = ?",  # noqa: S608
        (name,),
    )


def _conditions(wanted: RunFilter, at: float) -> tuple[str, list[Any]]:
    where, values = ["visible_at <= ?"], [at]
    conditions: list[Any] = []
    for condition, value in (
        ("instr(goal_folded, ?) > 0", wanted.goal.casefold() if wanted.goal else None),
        ("status = ?", wanted.status),
        ("created_at >= ?", wanted.created_after),
        ("created_at < ?", wanted.created_before),
    ):
        if value is not None:
            where.append(condition)
            conditions.append(value)
    return " AND ".join(where), [*values, *conditions]


def _stored(row: tuple[Any, ...]) -> StoredRun:
    fields = dict(zip(StoredRun.__slots__, row, strict=True))
    return StoredRun(**{**fields, "status": RunStatus(fields["status"])})
