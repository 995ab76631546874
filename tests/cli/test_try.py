"""`try`: what it shows, and that an interrupted try is never paid for twice."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests import forking

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.cli.conftest import Command

pytestmark = pytest.mark.process

MANIFEST = """
batchfish: 1
name: books
items:
  - {id: walden, url: "http://books.example/walden", goal: Read the title}
  - {id: emma, url: "http://books.example/emma", goal: Read the title}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "books.yaml").write_text(MANIFEST)
    return tmp_path


def start(folder: Path, *flags: str, duration: float = 0.05) -> subprocess.Popen[str]:
    simulated = f"duration={duration},sigma=0"
    command = [sys.executable, "-m", "batchfish", "try", "books.yaml", "--local", "--engine", "simulate"]
    return forking.start(
        [*command, "--simulate", simulated, *flags],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(started: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = started.communicate(timeout=60)
    return started.returncode, out, err


def signal_once_watched(started: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str]:
    """Send a signal as soon as the run is shown; return the exit code and all messages."""
    assert started.stderr is not None
    said = ""
    for line in started.stderr:
        said += line
        if "watch it at" in line:
            started.send_signal(number)
    code, _, _ = finish(started)
    return code, said


def booked(folder: Path) -> Sequence[tuple[str, str]]:
    """Return URL and status of every run that the local agent has stored."""
    with closing(sqlite3.connect(folder / ".batchfish" / "agent" / "agent.db")) as books:
        return books.execute("SELECT url, status FROM runs ORDER BY created_at").fetchall()


def test_a_try_shows_what_happens_and_then_the_result(folder: Path) -> None:
    code, out, err = finish(start(folder, "--item", "emma"))
    assert code == 0, err
    assert "goal: Read the title" in err
    assert "started, run " in err
    assert "watch it at http://127.0.0.1:" in err
    assert "emma: succeeded" in err
    assert isinstance(json.loads(out), dict)
    assert booked(folder) == [("http://books.example/emma", "COMPLETED")]


def test_each_try_is_another_run_and_no_other_command_chooses_it_by_default(
    folder: Path, command: Command
) -> None:
    for number in (1, 2):
        code, _, err = finish(start(folder, "--json"))
        assert code == 0, err
        assert len(booked(folder)) == number
    status = command("status", "--local")
    assert (status.code, "no batch is known" in status.err) == (2, True)


def test_a_try_that_waits_over_run_gives_the_result_alone(folder: Path) -> None:
    code, out, err = finish(start(folder, "--sync", "--json"))
    assert code == 0, err
    assert json.loads(out)["status"] == "succeeded"
    assert "started" not in err


def test_ctrl_c_cancels_the_remote_run_and_says_so(folder: Path) -> None:
    code, said = signal_once_watched(start(folder, duration=600), signal.SIGINT)
    assert code == 130
    assert "the remote run is being cancelled" in said
    assert "walden: cancelled" in said
    assert booked(folder) == [("http://books.example/walden", "CANCELLED")]


def test_a_try_that_was_left_alone_is_followed_by_the_next_and_not_paid_again(folder: Path) -> None:
    code, said = signal_once_watched(start(folder, duration=600), signal.SIGTERM)
    assert code == 143
    assert "walden: running" in said
    code, _, err = finish(start(folder))
    assert "is followed, and nothing new is paid for" in err
    assert len(booked(folder)) == 1


def test_an_item_that_is_not_there_is_named(folder: Path, command: Command) -> None:
    outcome = command("try", "books.yaml", "--local", "--item", "persuasion")
    assert (outcome.code, "no item is called persuasion" in outcome.err) == (2, True)
