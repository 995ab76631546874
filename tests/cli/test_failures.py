"""`--json`: what a command prints when it ends in an error, before and after its batch was launched."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import pytest

from batchfish import errors
from batchfish.cli import exits
from batchfish.cli.exits import ExitCode
from batchfish.cli.failures import ERROR_STOPS, EXIT_CODES, ErrorKind, failure_of, failure_of_stop
from batchfish.cli.interrupts import Interrupted
from batchfish.cli.main import main
from batchfish.pipeline.context import Stop, StopKind
from tests.cli.shop import SETTLE
from tests.documents import documents_in, schema_of

if TYPE_CHECKING:
    from batchfish.journal.sqlite import SqliteJournal
    from tests.cli.conftest import Command
    from tests.cli.shop import Shop


def error_of(document: dict[str, Any]) -> tuple[str, str, str | None]:
    """Return kind, message and remedy of the error in a document."""
    error = document["error"]
    return error["kind"], error["message"], error["remedy"]


@pytest.mark.parametrize(
    ("typed", "message", "remedy"),
    [
        ("rnu --json", "there is no command 'rnu' (did you mean run?)", "Try `batchfish --help`."),
        ("--json", "unknown argument --json (options go after the command)", "Try `batchfish --help`."),
        ("run --json", "the following arguments are required: FILE", "Try `batchfish run --help`."),
        (
            "status --json --wacht",
            "unknown argument --wacht (did you mean --watch?)",
            "Try `batchfish status --help`.",
        ),
    ],
)
def test_a_wrong_command_line_is_a_document_too(
    typed: str, message: str, remedy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(shlex.split(typed)) == 2
    printed = capsys.readouterr()
    (document,) = documents_in(printed.out)
    assert (document["type"], document["ok"], document["exit_code"]) == ("error", False, 2)
    assert error_of(document) == ("usage", message, remedy)
    assert printed.err == f"batchfish: {message}. {remedy}\n"


def test_without_json_an_error_is_a_message_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rnu"]) == 2
    assert capsys.readouterr().out == ""


def test_each_problem_of_a_manifest_has_its_place(offline: Command) -> None:
    (offline.folder / "shop.csv").write_text("id,url\na,https://shop.example/1\nb,ftp://shop.example/2\n,x\n")
    outcome = offline("validate", "shop.csv", "--goal", "Read it.", "--json")
    assert (outcome.code, outcome.summary["error"]["kind"]) == (2, "invalid_manifest")
    problems = outcome.summary["error"]["problems"]
    assert [(one["file"], one["line"]) for one in problems] == [("shop.csv", 3), ("shop.csv", 4)]
    assert problems[0]["remedy"] == "Begin it with https://."


@pytest.mark.process
def test_a_question_is_named_as_accept_takes_it(shop: Shop) -> None:
    shop.write(1)
    shop.run()
    (shop.command.folder / "table.csv").write_text("of another program\n")
    outcome = shop.command("results", shop.name, "-o", "table.csv", "--json")
    assert outcome.code == 6
    assert outcome.summary["error"]["question"] == "replace-output"
    assert outcome.summary["error"]["remedy"].endswith("add --accept replace-output.")


@pytest.mark.process
def test_a_run_prints_its_launch_first_and_its_summary_last(shop: Shop) -> None:
    shop.write(1, 2)
    launch, summary = documents_in(shop.run("--json", "-j", "3").out)
    assert (launch["type"], launch["batch"], launch["counts"]) == ("launch", shop.name, {"queued": 2})
    assert launch["journal"] == str(shop.command.folder / ".batchfish" / f"{shop.name}.db")
    assert (launch["to_submit"], launch["most_runs"]) == (2, 4)
    assert (launch["concurrency"], launch["bound"]) == ("3", 3)
    assert launch["resume"] == f"batchfish resume {shop.name}"
    assert (summary["type"], summary["ok"], summary["counts"]) == ("summary", True, {"succeeded": 2})
    assert (summary["batch"], summary["stop"], summary["error"]) == (shop.name, None, None)


@pytest.mark.process
def test_a_finished_batch_is_launched_to_submit_nothing(shop: Shop) -> None:
    shop.write(1)
    shop.run()
    for words in (("run", shop.file.name, "--goal", "Read it."), ("resume", shop.name)):
        launch, summary = documents_in(shop.command(*words, "--json").out)
        assert (launch["to_submit"], launch["most_runs"], launch["counts"]) == (0, 0, {"succeeded": 1})
        assert summary["exit_code"] == 0


@pytest.mark.process
def test_an_error_after_the_launch_is_part_of_the_summary(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.write(1, 2)

    def fail(*_: object, **__: object) -> None:
        raise errors.StorageFailed("the disk is full", remedy="Make room.")

    monkeypatch.setattr("batchfish.cli.summary.write_batch", fail)
    outcome = shop.run("--json")
    launch, summary = documents_in(outcome.out)
    assert (outcome.code, launch["type"], summary["type"]) == (74, "launch", "summary")
    assert (summary["ok"], summary["exit_code"]) == (False, 74)
    assert summary["counts"] == {"succeeded": 2}
    assert summary["resume"] == launch["resume"]
    assert error_of(summary) == ("storage_failed", "the disk is full", "Make room.")


@pytest.mark.process
def test_a_bug_after_the_launch_is_part_of_the_summary_even_without_a_journal(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.write(1)

    async def lose(_: object, journal: SqliteJournal) -> None:
        journal.path.unlink()
        raise KeyError("sk-canary")

    monkeypatch.setattr("batchfish.cli.requests.take_requests", lose)
    code = main(["run", shop.file.name, "--goal", "Read it.", "--json", *SETTLE])
    printed = capsys.readouterr()
    launch, summary = documents_in(printed.out)
    assert (code, summary["exit_code"], summary["error"]["kind"]) == (70, 70, "bug")
    assert summary["counts"] == launch["counts"] == {"queued": 1}
    assert "sk-canary" not in printed.out
    assert "Traceback" in printed.err


@pytest.mark.process
def test_cancel_ends_with_the_exit_code_that_its_summary_names(shop: Shop) -> None:
    shop.write(1, 2)
    shop.run("--limit", "1")
    outcome = shop.command("cancel", shop.name, "--json")
    assert outcome.code == outcome.summary["exit_code"] == 0
    assert outcome.summary["counts"] == {"succeeded": 1, "cancelled": 1}


@pytest.mark.process
def test_a_stop_that_is_an_error_says_so_in_the_summary(shop: Shop) -> None:
    shop.write(1)
    shop.command.use(shop.server.base_url, key="sk-unknown-key")
    outcome = shop.run("--json")
    assert outcome.code == 77
    assert outcome.summary["error"]["kind"] == "not_permitted"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (errors.WrongInput("x"), "wrong_input"),
        (errors.WrongUsage("x"), "usage"),
        (errors.ManifestError([]), "invalid_manifest"),
        (errors.NeedsYes("x"), "needs_yes"),
        (errors.NotPermitted("x"), "not_permitted"),
        (errors.BatchBusy("x"), "batch_busy"),
        (errors.TryLater("x"), "try_later"),
        (errors.StorageFailed("x"), "storage_failed"),
        (errors.WebAgentUnavailable("x"), "unreachable"),
        (errors.RunMayExist("x"), "bug"),
        (OSError(28, "No space left on device", "table.csv"), "storage_failed"),
        (ExceptionGroup("x", [OSError(28, "No space left on device")]), "storage_failed"),
        (ModuleNotFoundError("x", name="lxml"), "missing_package"),
        (ValueError("x"), "bug"),
    ],
)
def test_each_error_has_a_kind_and_the_exit_code_of_that_kind(error: Exception, kind: str) -> None:
    failure = failure_of(error)
    assert (failure.kind, failure.exit_code) == (kind, EXIT_CODES[ErrorKind(kind)])


def test_an_interruption_has_the_exit_code_of_its_signal() -> None:
    failure = failure_of(Interrupted(15))
    assert (failure.kind, failure.exit_code) == ("interrupted", 143)


@pytest.mark.parametrize("kind", list(StopKind))
def test_a_stop_is_an_error_where_its_exit_code_is_one(kind: StopKind) -> None:
    failure = failure_of_stop(Stop(kind=kind, message="x"))
    usual = {ExitCode.INCOMPLETE, ExitCode.CANCELLED, None}
    assert (failure is None) == (exits.STOPS.get(kind) in usual)
    if failure is not None:
        assert failure.exit_code == exits.STOPS[kind]
        assert failure.remedy is not None


def test_the_kinds_and_stops_are_those_of_the_schemas() -> None:
    assert set(ERROR_STOPS) <= set(StopKind)
    assert set(EXIT_CODES) == set(ErrorKind) - {ErrorKind.INTERRUPTED}
    summary = schema_of("summary")["properties"]
    for error in (summary["error"], schema_of("error")["properties"]["error"]):
        assert error["properties"]["kind"]["enum"] == list(ErrorKind)
    assert summary["stop"]["enum"] == [*StopKind, None]
