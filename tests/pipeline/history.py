"""The real commands in virtual time: people begin, kill, copy, lose and edit batches; one seed, one history.

Each command is `batchfish.cli.main` itself, with a real journal in a real folder; only its network, its
clock, its chance and the waiting for its disk are others. A history is a short script:

    with living(tmp_path, seed=1) as history:
        shop = history.folder("shop", items=30)
        shop.run(dies_after=4.0)
        shop.lose_journal()
        assert shop.run().code == 6
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import shutil
import sqlite3
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from msgspec import Struct
from msgspec.structs import replace

from batchfish.cli import system_clock
from batchfish.cli.main import main
from batchfish.journal.sqlite import SqliteJournal
from batchfish.webagent.client import WebAgentClient
from tests.journal.building import connection_of
from tests.pipeline.model_server import Faults, ModelServer, Wire
from tests.pipeline.virtual_time import EPOCH, VirtualTimeLoop

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator, Iterator, Mapping, Sequence
    from contextvars import Context
    from pathlib import Path

BASE_URL = "http://127.0.0.1:1"
KEY = "ours/first"
SETTLE = 10.0
CONCURRENCY = 5
FLAGS = ("--progress", "none", "--poll-interval", "0.5s")

READS = ("SELECT", "PRAGMA")
"""How statements begin that leave a journal as it is; a death before one of them is like one after it."""

_PROCESS: ContextVar[Process] = ContextVar("_PROCESS")
"""Which process a line of code belongs to, also where several live in one event loop."""


class Killed(BaseException):
    """The process that a command ran in is no more: none of its code may go on, and none may catch this."""


class Outcome(NamedTuple):
    """How a command ended (`code` is None where it was killed), what it said, and how often it wrote."""

    code: int | None
    said: str
    writes: int


@dataclass(kw_only=True, eq=False)
class Process:
    """One command at work: what it sends through, writes to and waits for."""

    wire: Wire
    dies_after: float | None
    dies_at_write: int | None
    writes: int = 0
    journals: list[SqliteJournal] = field(default_factory=list)
    connections: list[sqlite3.Connection] = field(default_factory=list)
    tasks: list[asyncio.Task[Any]] = field(default_factory=list)
    is_dead: bool = False

    def die(self) -> None:
        """End between two steps: nothing more is sent or heard, and what is not committed is lost."""
        self.is_dead = self.wire.is_cut = True
        for journal in self.journals:
            journal.close()
        self.leave()

    def step(self, statement: str) -> None:
        """Count what is to be written to any file of a journal, and die before the one that was chosen."""
        if self.is_dead:
            raise Killed
        if statement.lstrip().startswith(READS):
            return
        self.writes += 1
        if self.writes == self.dies_at_write:
            self.die()
            raise Killed

    def leave(self) -> None:
        """Cancel whatever of the process still waits."""
        for task in self.tasks:
            task.cancel()


class MortalConnection(sqlite3.Connection):
    """A connection to a journal that reports each statement to its process before it is carried out."""

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - as SQLite takes them
        super().__init__(*arguments, **options)
        _PROCESS.get().connections.append(self)

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:  # noqa: ANN401 - as SQLite takes them
        _PROCESS.get().step(statement)
        return super().execute(statement, *values)

    def executemany(self, statement: str, *values: Any) -> sqlite3.Cursor:  # noqa: ANN401
        _PROCESS.get().step(statement)
        return super().executemany(statement, *values)

    def executescript(self, script: str) -> sqlite3.Cursor:
        _PROCESS.get().step(script)
        return super().executescript(script)


@dataclass(kw_only=True)
class History:
    """A world in virtual time: one server, and the commands that people run in their folders."""

    root: Path
    server: ModelServer
    loop: VirtualTimeLoop
    steps: list[Callable[[], object]] = field(default_factory=list)

    def folder(self, name: str, *, items: int = 0, **manifest: Any) -> Folder:  # noqa: ANN401 - JSON
        """Make a folder with a manifest `shop.yaml` of this many items, whose goals are short and long."""
        folder = Folder(history=self, path=self.root / name)
        folder.path.mkdir()
        folder.write({f"i{number}": goal_of(number) for number in range(1, items + 1)}, **manifest)
        return folder

    def meanwhile(self, after: float, step: Callable[[], object]) -> None:
        """Take a step this many seconds from now, while a command may be at work."""

        def wake() -> None:
            self.steps.append(step)
            self.loop.stop()

        self.loop.call_later(after, wake)

    def pass_time(self, seconds: float) -> None:
        """Let time pass while no command runs; the server goes on."""
        self.loop.run_until_complete(asyncio.sleep(seconds))

    def call(
        self,
        *arguments: str | Path,
        key: str = KEY,
        stdin: str = "",
        dies_after: float | None = None,
        dies_at_write: int | None = None,
    ) -> Outcome:
        """Run a command, and return when it has ended or died.

        It dies after this many seconds of work in its event loop, or before its n-th statement that writes.
        """
        process = Process(wire=Wire(self.server), dies_after=dies_after, dies_at_write=dies_at_write)
        before, said, code = _PROCESS.set(process), io.StringIO(), 0
        environment = {"BATCHFISH_BASE_URL": BASE_URL, "TINYFISH_API_KEY": key}
        try:
            with pytest.MonkeyPatch.context() as patch, redirect_stdout(said), redirect_stderr(said):
                for name, value in environment.items():
                    patch.setenv(name, value)
                patch.setattr("sys.stdin", io.StringIO(stdin))
                code = int(main([str(argument) for argument in arguments]))
        except Killed:
            assert process.is_dead
        finally:
            for connection in process.connections:  # the end of a process closes its files
                connection.close()
            _PROCESS.reset(before)
        if process.is_dead:  # what it said since then, nobody has heard
            return Outcome(None, "", process.writes)
        assert "Traceback" not in said.getvalue(), said.getvalue()
        return Outcome(code, said.getvalue(), process.writes)

    def drive(self, work: Coroutine[Any, Any, int]) -> int:
        """Stand in for `asyncio.run`: all processes share one loop, which the latest command drives."""
        process = _PROCESS.get()
        life = self.loop.create_task(work)
        life.add_done_callback(lambda _: self.loop.stop())
        death = None
        if process.dies_after is not None:
            death = self.loop.call_later(process.dies_after, process.die)
        while not life.done():
            self.loop.run_forever()
            while self.steps:
                self.steps.pop(0)()
        if death is not None:
            death.cancel()
        process.leave()
        self.loop.run_until_complete(asyncio.gather(life, *process.tasks, return_exceptions=True))
        if process.is_dead:
            raise Killed
        return life.result()

    def start_task(
        self,
        loop: asyncio.AbstractEventLoop,
        work: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
        *,
        context: Context | None = None,
    ) -> asyncio.Task[Any]:
        """Start a task of the process that asks for it."""
        task = asyncio.Task(work, loop=loop, context=context)
        process = _PROCESS.get(None)
        if process is not None and not process.is_dead:
            process.tasks.append(task)
            task.add_done_callback(process.tasks.remove)
        return task


class Folder(Struct, kw_only=True):
    """Somebody's folder: a manifest, and in time a journal and a table."""

    history: History
    path: Path
    manifest: str = "shop.yaml"

    @property
    def file(self) -> Path:
        return self.path / self.manifest

    @property
    def journal(self) -> Path:
        return self.path / ".batchfish" / f"{self.file.stem}.db"

    def write(self, goals: Mapping[str, str], **manifest: Any) -> None:  # noqa: ANN401 - JSON
        """Write the manifest: an item for each id and goal, and what else is given; None leaves a key out."""
        content = {
            "batchfish": 1,
            "limits": {"concurrency": CONCURRENCY},
            "unanswered": {"settle": f"{SETTLE:g}s"},
            "output": {"path": "{{ batch }}.csv"},
            "items": [
                {"id": item, "url": f"https://shop.example/{item}", "goal": goal}
                for item, goal in goals.items()
            ],
            **manifest,
        }
        present = {name: value for name, value in content.items() if value is not None}
        self.file.write_text(json.dumps(present, indent=1))

    def run(self, *flags: str, **how: Any) -> Outcome:  # noqa: ANN401 - what `call` takes
        """Run the manifest."""
        return self.history.call("run", self.file, *FLAGS, *flags, **how)

    def do(self, command: str, *arguments: str, **how: Any) -> Outcome:  # noqa: ANN401 - what `call` takes
        """Run a command on the manifest's newest batch, such as `resume` or `audit`."""
        return self.history.call(command, self.file, *arguments, **how)

    def lose_journal(self) -> None:
        """Delete the journal, all that belongs to it, and the tables that only it would know again."""
        shutil.rmtree(self.journal.parent)
        for table in self.path.glob("*.csv"):
            table.unlink()

    def rename(self, name: str) -> Folder:
        """Rename the manifest."""
        self.file.rename(self.path / name)
        return replace(self, manifest=name)

    def copy(self, name: str) -> Folder:
        """Copy the whole folder, journal and all."""
        shutil.copytree(self.path, self.history.root / name)
        return replace(self, path=self.history.root / name)

    def move(self, name: str) -> Folder:
        """Move the whole folder."""
        self.path.rename(self.history.root / name)
        return replace(self, path=self.history.root / name)

    def copy_manifest(self, name: str) -> Folder:
        """Copy the manifest to another name in the same folder: it becomes a batch of another name."""
        shutil.copyfile(self.file, self.path / name)
        return replace(self, manifest=name)

    def statuses(self) -> dict[str, int]:
        """Count the items of all batches by status, as the journal has them."""
        return dict(self.ask("SELECT status, count(*) FROM items GROUP BY status"))

    def markers(self) -> set[str]:
        """Return for each batch whether runs can be found by their markers, from the journal."""
        return {markers for (markers,) in self.ask("SELECT markers FROM batches")}

    def foreign_results(self) -> list[tuple[str, str]]:
        """Return the URL of each item whose result is another page's, with that result."""
        rows = self.ask(
            "SELECT i.url, CAST(s.raw AS TEXT) FROM items i LEFT JOIN reused_results u ON u.item = i.pk"
            " JOIN items o ON o.pk = coalesce(u.source, i.pk)"
            " JOIN results s ON s.item = o.pk AND s.k = o.follows"
        )
        return [(url, raw) for url, raw in rows if json.loads(raw) != {"of": url}]

    def ask(self, query: str) -> Sequence[tuple[Any, ...]]:
        """Read the journal."""
        with closing(sqlite3.Connection(f"{self.journal.as_uri()}?mode=ro", uri=True)) as connection:
            return connection.execute(query).fetchall()


def goal_of(number: int, *, is_long: bool = False) -> str:
    """Word a goal: every other one is longer than a listing may show, the others are short."""
    return f"Read the price of item {number}." + " Mind the small print." * (
        20 if is_long or number % 2 == 0 else 0
    )


@contextmanager
def living(root: Path, *, seed: int, faults: Faults | None = None, **server: Any) -> Iterator[History]:  # noqa: ANN401
    """Yield a world whose server has these faults; further arguments are fields of the server."""
    loop, chance = VirtualTimeLoop(), Random(seed)
    options = {"concurrency": CONCURRENCY, **server}
    books = ModelServer(loop=loop, chance=chance, faults=faults or Faults(), **options)
    history = History(root=root, server=books, loop=loop)
    loop.set_task_factory(history.start_task)
    mask = os.umask(0o077)  # commands set it for their process, which is the tests' here
    try:
        with pytest.MonkeyPatch.context() as patch:
            _replace_the_world(patch, history, chance)
            yield history
    finally:
        os.umask(mask)
        loop.close()


def _replace_the_world(patch: pytest.MonkeyPatch, history: History, chance: Random) -> None:
    """Put virtual time, seeded chance and the model server in the place of what commands find outside."""
    loop = history.loop
    patch.setattr(asyncio, "run", history.drive)
    patch.setattr(os, "urandom", chance.randbytes)
    patch.setattr(system_clock.SystemClock, "now", lambda _: EPOCH + loop.now)
    patch.setattr(system_clock.SystemClock, "boottime", lambda _: loop.now)
    init_client, init_journal = WebAgentClient.__init__, SqliteJournal.__init__

    def connect(client: WebAgentClient, **options: Any) -> None:  # noqa: ANN401 - of the client
        init_client(client, transport=_PROCESS.get().wire, **options)

    def open_journal(journal: SqliteJournal, path: Path) -> None:
        init_journal(journal, path)
        connection_of(journal).execute("PRAGMA synchronous = OFF")  # the death of a process loses no page
        _PROCESS.get().journals.append(journal)

    patch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=MortalConnection))
    patch.setattr(WebAgentClient, "__init__", connect)
    patch.setattr(SqliteJournal, "__init__", open_journal)
