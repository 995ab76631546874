"""kill -9 at the worst moments, the same command again and again: nothing is paid twice, nothing lost.

A process kills itself right before it sends a create, or it is stopped before it is killed, so that its
journal can be read first: it dies when creates are on their way, not when chance has it so.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.endtoend.commands import Desk, JournalView
from tests.endtoend.serving import PATIENCE, Server, happens_within, serving, until
from tests.endtoend.test_faults import check_table

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from tests.endtoend.books import Books

pytestmark = pytest.mark.process

SERVER = "duration=0.3,sigma=0.5,lag=0.5,reset=0.02,error=0.01"
AT_ONCE = 25
TO_ARRIVE = 0.05
"""Seconds that a request which has left gets to reach the server; one that has not left does not arrive."""

DIES_BEFORE_A_CREATE = """
import os, signal, sys
from batchfish.cli.main import main
from batchfish.webagent.client import WebAgentClient
submit, left = WebAgentClient.submit, int(sys.argv.pop(1))
async def submit_or_die(client, create):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return await submit(client, create)
WebAgentClient.submit = submit_or_die
sys.exit(main())
"""


def command(settle: str) -> tuple[str, ...]:
    rows = ("shop.csv", "--goal", "Read the price", "-o", "out.parquet")
    return ("run", *rows, "-j", str(AT_ONCE), "--settle", settle)


def mortal(desk: Desk, create: int) -> Desk:
    """Return a desk whose commands die before they send a create: the first, if `create` is 1."""
    return replace(desk, python=(sys.executable, "-c", DIES_BEFORE_A_CREATE, str(create)))


@contextmanager
def standing_still(process: subprocess.Popen[str]) -> Iterator[None]:
    """Stop a process for the time of the block, so that what is read of it stays true."""
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def kill_with_creates_in_flight(
    process: subprocess.Popen[str], journal: JournalView, books: Books, *, acted_on: bool = True
) -> None:
    """Kill a process while creates are on their way, one of which (if `acted_on`) has made its run."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        until(lambda: journal.on_their_way() or process.poll() is not None, every=0.002)
        assert process.poll() is None, process.communicate()
        with standing_still(process):
            is_time = happens_within(
                TO_ARRIVE if acted_on else 0.0,
                lambda: journal.on_their_way() & (books.markers() if acted_on else journal.on_their_way()),
            )
            if is_time:
                process.kill()
        if is_time:
            process.communicate()
            assert process.returncode == -signal.SIGKILL
            return
    raise AssertionError("no such moment has come")


def has_come_to(share: int, server: Server, process: subprocess.Popen[str]) -> bool:
    """Whether so many runs have been made, or the process has ended before."""
    return server.books.count() >= share or process.poll() is not None


def check_end(server: Server, desk: Desk, journal: JournalView, count: int) -> None:
    runs = server.books.runs()
    assert server.books.paid_twice() == {}
    assert len({run.url for run in runs}) == len(runs) == count
    assert server.books.most_alive() <= AT_ONCE
    assert journal.statuses() == {"succeeded": count}
    assert journal.count("submitting", "unanswered", "running", "held") == 0
    check_table(desk.folder / "out.parquet", {run.url for run in runs})


@pytest.mark.parametrize(
    ("count", "kills"),
    [
        pytest.param(60, 3, id="3"),
        pytest.param(500, 20, id="20", marks=[pytest.mark.slow, pytest.mark.timeout(600)]),
    ],
)
def test_kills_with_creates_in_flight(tmp_path: Path, count: int, kills: int) -> None:
    with (
        serving(tmp_path / "server", SERVER, cap=AT_ONCE) as server,
        Desk(folder=tmp_path, base_url=server.base_url) as desk,
    ):
        desk.write_rows("shop.csv", count)
        journal = JournalView(tmp_path / ".batchfish" / "shop.db")
        share = count // (kills + 1)  # of the runs: the kills are spread over the batch
        for number in range(kills):
            # By turns a create has not left yet, and one has made a run that nobody heard of.
            if number % 2 == 0:
                mortal(desk, share).run(*command("2s"), expect=-signal.SIGKILL)
                continue
            process = desk.start(*command("2s"))
            until(partial(has_come_to, number * share, server, process))
            kill_with_creates_in_flight(process, journal, server.books)
        desk.run(*command("2s"), within=300)
        assert journal.count("absent") >= (kills + 1) // 2, "creates that had not left were not missed"
        check_end(server, desk, journal, count)


def test_a_kill_right_after_the_first_intent(tmp_path: Path) -> None:
    """The very first create is in doubt, and nothing is known that could serve as a control."""
    with (
        serving(tmp_path / "server", SERVER, cap=AT_ONCE) as server,
        Desk(folder=tmp_path, base_url=server.base_url) as desk,
    ):
        desk.write_rows("shop.csv", 10)
        journal = JournalView(tmp_path / ".batchfish" / "shop.db")
        mortal(desk, 1).run(*command("1s"), expect=-signal.SIGKILL)
        assert (journal.count("submitting"), server.books.count()) == (1, 0)
        desk.run(*command("1s"))
        check_end(server, desk, journal, 10)


def test_new_that_is_killed_and_repeated_begins_no_second_batch(tmp_path: Path) -> None:
    """A supervisor restarts the command that it has been given, whatever that has begun already."""
    with (
        serving(tmp_path / "server", SERVER, cap=AT_ONCE) as server,
        Desk(folder=tmp_path, base_url=server.base_url) as desk,
    ):
        desk.write_rows("shop.csv", 20)
        journal = JournalView(tmp_path / ".batchfish" / "shop.db")
        process = desk.start(*command("2s"), "--new")
        kill_with_creates_in_flight(process, journal, server.books)
        for flags in ((), ("-y",)):
            refused = desk.run(*command("2s"), "--new", *flags, expect=6)
            assert "--accept unfinished-batch" in refused.stderr
        desk.run(*command("2s"))
        check_end(server, desk, journal, 20)
