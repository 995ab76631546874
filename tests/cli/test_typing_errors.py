"""Mistyped command lines: the error names the wrong word and the nearest right one."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

import pytest

from batchfish.cli.main import main
from tests.endtoend.commands import Desk, read_table

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Command


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("statsu", "there is no command 'statsu' (did you mean status?). Try `batchfish --help`."),
        ("run x.csv --gaol y", "unknown argument --gaol (did you mean --goal?). Try `batchfish run --help`."),
        ("run x.csv --loc", "unknown argument --loc (did you mean --local?)"),
        ("run x.csv --api-key=sk-secret", "unknown argument --api-key (did you mean --api-key-file?)"),
        ("-q run x.csv", "unknown argument -q (options go after the command). Try `batchfish --help`."),
        ("status one two", "unknown argument two. Try `batchfish status --help`."),
        ("held adapt x", "there is no choice 'adapt' (did you mean adopt?)"),
        ("run x.csv --settle 5", "expected a duration, got '5' (Write it with its unit: 250ms, 30s"),
        ("run x.csv --halt many", "expected a share or a count, got 'many' (Write a share as 20%"),
    ],
)
def test_a_typing_error_is_named_with_the_nearest_word(
    typed: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(shlex.split(typed)) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("batchfish: ") == 1
    assert "secret" not in told


@pytest.mark.process
def test_closed_standard_streams_end_no_command(tmp_path: Path) -> None:
    """As some schedulers start what they schedule: nothing stands at the numbers 0, 1 and 2."""
    batchfish = f"{shlex.quote(sys.executable)} -m batchfish"
    line = f"exec {batchfish} run shop.csv --goal Read --local --engine simulate <&- >&- 2>&-"
    with Desk(folder=tmp_path, base_url="http://127.0.0.1:9", python=("sh", "-c", line)) as desk:
        desk.write_rows("shop.csv", 2)
        desk.run()
    assert len(list(read_table(tmp_path / "results" / "shop.parquet"))) == 2


def test_an_api_that_cannot_be_reached_is_said_to_be_just_that(offline: Command, port: int) -> None:
    (offline.folder / "rows.csv").write_text("url\nhttps://shop.example/1\n")
    offline.use(f"http://127.0.0.1:{port}")
    outcome = offline("run", "rows.csv", "--goal", "Read it.", "--max-outage", "250ms")
    assert outcome.code == 75
    assert "the API gave no answer (" in outcome.err
    assert "Try again later: the same command goes on." in outcome.err


def test_a_goal_that_cannot_be_read_is_named_once(offline: Command) -> None:
    (offline.folder / "rows.csv").write_text("url\nhttp://shop.example/1\n")
    missing = offline("plan", "rows.csv", "--goal-file", "goal.txt")
    assert missing == (2, "", "batchfish: goal.txt: the goal cannot be read: No such file or directory\n")
    (offline.folder / "goal.txt").write_bytes(b"Read the price in \xa3.")
    latin = offline("plan", "rows.csv", "--goal-file", "goal.txt")
    assert latin == (2, "", "batchfish: goal.txt: the goal is not UTF-8. Save the file as UTF-8.\n")


@pytest.mark.parametrize("wrong", ["70000", "-1"])
def test_a_port_that_there_is_not_is_refused(offline: Command, wrong: str) -> None:
    outcome = offline("serve", "--engine", "simulate", f"--port={wrong}")
    assert outcome.code == 2
    assert f"--port {wrong} cannot be listened on: it is not from 0 to 65535. Name another" in outcome.err


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("--cap=0", "--cap: expected a whole number from 1 on, got 0"),
        ("--page-interval=nan", "--page-interval: expected 0 seconds or more, got nan"),
        ("--engine=nope", "--engine: invalid choice: 'nope' (choose from "),
    ],
)
def test_a_wrong_option_of_the_local_agent_is_named_without_a_usage(
    offline: Command, wrong: str, said: str
) -> None:
    (outcome, rows) = offline("serve", wrong), offline.folder / "rows.csv"
    rows.write_text("url\nhttp://shop.example/1\n")
    for one in (outcome, offline("run", rows.name, "--goal", "Read it.", "--local", wrong)):
        assert one.code == 2
        assert one.err.startswith(f"batchfish: {said}")
        assert one.err.count("\n") == 1
