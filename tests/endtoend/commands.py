"""The command as its users start it: a process in a folder, with a key in its environment."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from tests import forking
from tests.documents import documents_in
from tests.endtoend.serving import AGENT_KEY, PATIENCE, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

KEY = AGENT_KEY


def end_all(started: Sequence[subprocess.Popen[str]]) -> None:
    """End the processes that a test has started and not yet ended."""
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@dataclass(frozen=True, kw_only=True, slots=True)
class Desk:
    """A folder to work in, and the API that the commands started there speak to.

    A command is forked from a process that has imported it, or (`is_executed`) begins with the interpreter.
    """

    folder: Path
    base_url: str
    key: str = KEY
    python: Sequence[str] = (sys.executable, "-m", "batchfish")
    env: Mapping[str, str] = field(default_factory=dict)
    is_executed: bool = False
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def __enter__(self) -> Self:
        """Begin to work; the folder is made where it is missing."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        """Leave no process behind, however the test has ended."""
        end_all(self.started)

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:  # noqa: ANN401 - handed on
        """Start a command; its output is kept unless `options` say otherwise."""
        process: subprocess.Popen[str] = (subprocess.Popen if self.is_executed else forking.start)(
            [*self.python, *arguments],
            cwd=self.folder,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "TINYFISH_API_KEY": self.key,
                "BATCHFISH_BASE_URL": self.base_url,
                **self.env,
            },
            **{
                "stdin": subprocess.DEVNULL,
                "stdout": subprocess.PIPE,
                "stderr": subprocess.PIPE,
                "text": True,
                **options,
            },
        )
        self.started.append(process)
        return process

    def run(
        self, *arguments: str, expect: int | None = 0, within: float = PATIENCE
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, which is this exit code (None: any)."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=within)
        assert expect is None or process.returncode == expect, f"exit {process.returncode}: {out}\n{err}"
        if "--json" in arguments:
            documents_in(out)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def write_rows(self, name: str, count: int, *, first: int = 1) -> Path:
        """Write a CSV of so many different URLs."""
        path = self.folder / name
        urls = (f"https://shop.example/{number}" for number in range(first, first + count))
        path.write_text("url\n" + "".join(f"{url}\n" for url in urls))
        return path


@dataclass(frozen=True, slots=True)
class JournalView:
    """A journal read beside the process that works on it, and after its death."""

    path: Path

    def read(self, query: str) -> list[tuple[Any, ...]]:
        """Ask one question; a journal that is not there yet, or is being made, has no rows."""
        try:
            with closing(sqlite3.connect(f"{self.path.as_uri()}?mode=ro", uri=True, timeout=10)) as db:
                return db.execute(query).fetchall()
        except sqlite3.OperationalError:
            return []

    def count(self, *states: str) -> int:
        """Count the attempts in these states (none given: all)."""
        counts = dict(self.read("SELECT state, count(*) FROM attempts GROUP BY state"))
        return sum(counts.get(state, 0) for state in states or counts)

    def on_their_way(self) -> set[str]:
        """Give the markers of the creates whose answer is awaited, as far as the journal knows."""
        return {marker for (marker,) in self.read("SELECT marker FROM attempts WHERE state = 'submitting'")}

    def statuses(self) -> dict[str, int]:
        """Count the items by status."""
        return dict(self.read("SELECT status, count(*) FROM items GROUP BY status"))


def read_table(path: Path) -> Iterator[dict[str, Any]]:
    """Read the rows of a table that a batch wrote."""
    import polars as pl

    yield from pl.read_parquet(path).iter_rows(named=True)
