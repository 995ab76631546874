"""Signals before and after the stages of a batch: a clean end with the signal's exit code, at any moment.

The processes are brought to a stand at a pipe that nobody writes to, or at a server that does not answer, so
that each signal arrives at the moment that its test is about. Once it is sent, the pipe lets them go: a
signal between Python's last check and its system call would else be noticed only after it, which never ends.
"""

from __future__ import annotations

import os
import signal
import socket
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from batchfish.journal.lock import OwnerLock
from tests.endtoend.commands import Desk, JournalView
from tests.endtoend.serving import PATIENCE, ROOT, serving

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.process

CODES = {signal.SIGHUP: 129, signal.SIGINT: 130, signal.SIGTERM: 143}
ONE = [
    signal.SIGTERM,
    *(pytest.param(number, marks=pytest.mark.slow) for number in (signal.SIGHUP, signal.SIGINT)),
]
"""For the stages in which one handler takes them all, as the tests of the other stages show."""
NOWHERE = "http://127.0.0.1:9"
RUN = ("run", "shop.csv", "--goal", "Read it.", "--settle", "2s")

STANDS_STILL = """
import os
open(os.environ["REACHED"], "w").close()
open(os.environ["NEVER"]).read()
"""


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Desk(folder=tmp_path, base_url=NOWHERE) as desk:
        desk.write_rows("shop.csv", 2)
        yield desk


def at_import_of(module: str, desk: Desk) -> Desk:
    """Return a desk whose commands block when they import this module."""
    folder = desk.folder / "imports"
    folder.mkdir()
    (folder / f"{module}.py").write_text(STANDS_STILL)
    pipes = {name: desk.folder / name.lower() for name in ("REACHED", "NEVER")}
    for pipe in pipes.values():
        os.mkfifo(pipe)
    env = {"PYTHONPATH": f"{folder}:{ROOT}", **{name: str(pipe) for name, pipe in pipes.items()}}
    return replace(desk, env=env)


def end_with(process: subprocess.Popen[str], number: signal.Signals, opens: Path | None = None) -> str:
    """Send a signal, check the exit code, and return the messages; `opens` is the pipe that it opens."""
    process.send_signal(number)
    with ExitStack() as stack:
        if opens is not None:
            stack.callback(os.close, os.open(opens, os.O_RDWR))
        return check_end(process, number)


def check_end(process: subprocess.Popen[str], number: signal.Signals) -> str:
    """Wait for the end of a process that was sent a signal, check its exit code, and return the messages."""
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == CODES[number], said
    assert "Traceback" not in said
    return said


@pytest.mark.parametrize("number", CODES)
@pytest.mark.parametrize("module", ["argparse", "asyncio"])
def test_while_the_command_is_imported(desk: Desk, module: str, number: signal.Signals) -> None:
    process = at_import_of(module, desk).start(*RUN)
    (desk.folder / "reached").open().close()
    assert end_with(process, number, opens=desk.folder / "never") == ""


@pytest.mark.parametrize("number", ONE)
def test_while_the_manifest_is_read(desk: Desk, number: signal.Signals) -> None:
    os.mkfifo(desk.folder / "goal.txt")
    process = desk.start("run", "shop.csv", "--goal-file", "goal.txt")
    with (desk.folder / "goal.txt").open("w"):
        process.send_signal(number)
    check_end(process, number)
    assert not (desk.folder / ".batchfish").exists()


@pytest.mark.parametrize("number", ONE)
def test_while_the_journal_is_owned_and_no_batch_has_begun(desk: Desk, number: signal.Signals) -> None:
    os.mkfifo(desk.folder / "key", 0o600)
    process = desk.start(*RUN, "--api-key-file", "key")
    journal = desk.folder / ".batchfish" / "shop.db"
    with (desk.folder / "key").open("w"):
        assert journal.exists()
        process.send_signal(number)
    check_end(process, number)
    assert JournalView(journal).read("SELECT count(*) FROM batches") == [(0,)]
    assert journal.with_name("shop.db.lock").read_text() == "", "the lock was released, not left"
    OwnerLock(journal).release()


@pytest.mark.parametrize("number", CODES)
def test_while_the_search_for_a_lost_journal_is_awaited(tmp_path: Path, number: signal.Signals) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(PATIENCE)
        with Desk(folder=tmp_path, base_url=f"http://127.0.0.1:{silent.getsockname()[1]}") as desk:
            desk.write_rows("shop.csv", 2)
            process = desk.start(*RUN)
            connection, _ = silent.accept()
            with connection:
                connection.recv(1)
                end_with(process, number)
    journal = JournalView(tmp_path / ".batchfish" / "shop.db")
    assert journal.read("SELECT count(*) FROM batches") == [(0,)]


@pytest.mark.parametrize("number", ONE)
def test_while_the_table_is_written(tmp_path: Path, number: signal.Signals) -> None:
    """The runs have ended and are recorded: the next `run` writes the table and sends nothing."""
    with (
        serving(tmp_path / "server", "duration=0.02") as server,
        Desk(folder=tmp_path, base_url=server.base_url) as desk,
    ):
        desk.write_rows("shop.csv", 2)
        process = at_import_of("polars", desk).start(*RUN)
        (tmp_path / "reached").open().close()
        end_with(process, number, opens=tmp_path / "never")
        desk.run(*RUN)
        assert server.books.count() == 2
    assert (tmp_path / "results" / "shop.parquet").exists()
