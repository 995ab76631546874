"""The job log: its columns, a line for each run, and no line twice however the batch was interrupted."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from batchfish.cli.joblog import COLUMNS
from tests.endtoend.serving import PATIENCE, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.shop import Shop


def lines_of(path: Path) -> list[dict[str, str]]:
    header, *lines = path.read_text().splitlines()
    assert header.split("\t") == list(COLUMNS)
    return [dict(zip(COLUMNS, line.split("\t"), strict=True)) for line in lines]


def test_each_run_that_ended_has_a_line_in_the_columns_of_gnu_parallel(shop: Shop) -> None:
    shop.write(1, 2, 3)
    shop.run("--joblog", "jobs.log")
    path = shop.command.folder / "jobs.log"
    lines = lines_of(path)
    assert sorted(int(line["Seq"]) for line in lines) == [1, 2, 3]
    assert {(line["Exitval"], line["Signal"], line["Send"]) for line in lines} == {("0", "0", "0")}
    run_ids = {run.run_id for run in shop.runs()}
    assert {line["Command"].split()[-1] for line in lines} == run_ids
    assert all(int(line["Receive"]) > 0 and float(line["JobRuntime"]) >= 0.0 for line in lines)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_batch_that_goes_on_appends_only_what_is_missing(shop: Shop) -> None:
    shop.write(1, 2, 3)
    shop.run("--limit", "1")
    shop.run("--limit", "2", "--joblog", "jobs.log")
    path = shop.command.folder / "jobs.log"
    assert len(lines_of(path)) == 2
    whole = path.read_text()
    path.write_text(whole[: len(whole) - 20])  # as a full disk leaves it
    for _ in range(2):
        assert shop.run("--joblog", "jobs.log").code == 0
    lines = lines_of(path)
    assert len(lines) == 3
    assert {line["Command"].split()[-1] for line in lines} == {run.run_id for run in shop.runs()}


def test_a_finished_batch_writes_its_job_log_later(shop: Shop) -> None:
    shop.write(1, 2)
    shop.run()
    shop.run("--joblog", "jobs.log")
    assert len(lines_of(shop.command.folder / "jobs.log")) == 2


def test_another_file_is_left_alone(shop: Shop) -> None:
    shop.write(1)
    other = shop.command.folder / "notes.txt"
    other.write_text("my notes\n")
    outcome = shop.run("--joblog", "notes.txt")
    assert outcome.code == 2
    assert "is not a job log" in outcome.err
    assert other.read_text() == "my notes\n"
    assert shop.paid() == []


@pytest.mark.parametrize(("name", "more"), [("x.csv", ["-o", "./x.csv"]), ("x.html", ["--report", "x.html"])])
def test_it_is_no_result_at_the_same_time(shop: Shop, name: str, more: list[str]) -> None:
    shop.write(1)
    for _ in range(2):
        outcome = shop.run("--joblog", name, *more)
        assert outcome.code == 2
        assert "would be both the job log and a result" in outcome.err
    assert shop.paid() == []


def test_it_is_no_file_of_metrics_at_the_same_time(shop: Shop) -> None:
    shop.write(1)
    assert shop.run("--joblog", "x.prom", "--metrics", "x.prom").code == 2
    assert shop.paid() == []


def test_a_pipe_is_not_waited_for(shop: Shop) -> None:
    shop.write(1)
    os.mkfifo(shop.command.folder / "pipe")
    outcome = shop.run("--joblog", "pipe")
    assert outcome.code == 2
    assert "pipe is not a regular file" in outcome.err


@pytest.mark.process
def test_lines_appear_while_the_batch_runs(patient_shop: Shop) -> None:
    patient_shop.write(1, 2)
    process = patient_shop.start("--joblog", "jobs.log")
    until(lambda: len(patient_shop.paid()) == 2)
    patient_shop.command("cancel", patient_shop.name, "i1")
    path = patient_shop.command.folder / "jobs.log"
    until(lambda: len(path.read_text().splitlines()) == 2)
    (line,) = lines_of(path)
    assert (line["Seq"], line["Exitval"], line["Signal"]) == ("1", "1", "15")
    patient_shop.command("cancel", patient_shop.name)
    process.communicate(timeout=PATIENCE)
    assert len(lines_of(path)) == 2
