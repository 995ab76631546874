"""The files and examples for schedulers: they are valid, and act upon the exit code as the page says."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from batchfish.cli.commands import COMMANDS
from batchfish.cli.exits import ExitCode
from batchfish.cli.options import Messages
from batchfish.cli.parser import build, parse

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[1]
SCHEDULE = ROOT / "jobs" / "schedule"
PAGE = (ROOT / "docs" / "schedules.md").read_text(encoding="utf-8")
MOST_LINES = 15


def example(scheduler: str) -> str:
    """Return the code under a heading of the page."""
    section = PAGE.partition(f"## {scheduler}\n")[2].partition("\n## ")[0]
    found: list[str] = re.findall(r"```\w+\n(.*?)```", section, re.DOTALL)
    return found[0]


def options_of(command: str) -> Any:  # noqa: ANN401 - the dataclass of whatever command
    """Parse a command line as batchfish does; WrongInput if it is none."""
    program, name, *words = shlex.split(command)
    assert Path(program).name == "batchfish"
    options = import_module(f"batchfish.cli.commands.{COMMANDS[name].module}").Options
    return parse(build(name, "x", options, Messages), words, options, Messages)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a home folder with a program `batchfish` where the units look for it, and with the jobs."""
    program = tmp_path / "batches" / ".venv" / "bin" / "batchfish"
    program.parent.mkdir(parents=True)
    program.write_text('#!/bin/sh\nexit "${CODE:-0}"\n')
    program.chmod(0o700)
    shutil.copytree(ROOT / "jobs", tmp_path / "batches" / "jobs", ignore=shutil.ignore_patterns(".batchfish"))
    return tmp_path


@pytest.mark.process
@pytest.mark.parametrize("unit", sorted(path.name for path in SCHEDULE.glob("*.[st]*")))
def test_systemd_accepts_the_units(unit: str, home: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed here")
    done = subprocess.run(
        [program, "verify", "--user", str(home / "batches" / "jobs" / "schedule" / unit)],
        env={"HOME": str(home), "XDG_RUNTIME_DIR": str(home), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_unit_of_the_page_is_that_of_the_folder() -> None:
    unit = (SCHEDULE / "batchfish-price-watch.service").read_text(encoding="utf-8").splitlines()
    assert [line for line in example("systemd").splitlines() if line not in unit] == []
    started = next(line.partition("=")[2] for line in unit if line.startswith("ExecStart="))
    assert options_of(started)[1].quiet


@pytest.mark.parametrize(
    "text",
    [example("cron"), (SCHEDULE / "crontab").read_text(encoding="utf-8")],
    ids=["page", "file"],
)
def test_the_lines_of_a_crontab_are_times_and_commands(text: str, tmp_path: Path) -> None:
    jobs = [line for line in text.splitlines() if line and not re.match(r"#|[A-Z]+=", line)]
    assert jobs
    for line in jobs:
        *times, command = line.split(None, 5)
        assert all(re.fullmatch(r"\*|\d+(?:,\d+)*", time) for time in times), line
        assert re.search(r"(?<!\\)%", command) is None, "cron would end the command at a %"
        run, messages = options_of(command.replace("\\%", "%"))
        assert messages.quiet
        assert (ROOT / "jobs" / Path(run.manifest.file).name).exists()
    if shutil.which("crontab"):
        (tmp_path / "crontab").write_text(text)
        subprocess.run(["crontab", "-T", str(tmp_path / "crontab")], check=True)


@pytest.mark.parametrize("scheduler", ["cron", "systemd", "Airflow", "Prefect", "GitHub Actions"])
def test_an_example_is_short(scheduler: str) -> None:
    lines = [line for line in example(scheduler).splitlines() if line and not line.lstrip().startswith("#")]
    assert len(lines) <= MOST_LINES + 2  # imports and the call of what was defined


def module(name: str, **members: object) -> ModuleType:
    made = ModuleType(name)
    made.__dict__.update(members)
    return made


class AirflowException(Exception):
    """Airflow tries a task again that raises this."""


class AirflowFailException(AirflowException):
    """Airflow does not try a task again that raises this."""


def decorator(*given: Any, **options: Any) -> Any:  # noqa: ANN401 - as schedulers' decorators
    """Return a function as it is, with the options of its decorator as attributes."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        function.__dict__.update(options)
        return function

    return decorate(*given) if given else decorate


@pytest.fixture
def batchfish_ends_with(home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Return a function that sets the exit code of the program `batchfish` on PATH."""
    monkeypatch.setenv("PATH", f"{home / 'batches' / '.venv' / 'bin'}:{os.environ['PATH']}")
    return lambda code: monkeypatch.setenv("CODE", str(code))


@pytest.mark.process
@pytest.mark.parametrize(
    ("code", "raised"),
    [(0, None), (75, AirflowException), (1, AirflowFailException), (6, AirflowFailException)],
)
def test_airflow_tries_again_after_75_alone(
    code: int,
    raised: type[Exception] | None,
    batchfish_ends_with: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exceptions = module(
        "airflow.sdk.exceptions", AirflowException=AirflowException, AirflowFailException=AirflowFailException
    )
    for one in (module("airflow"), exceptions, module("airflow.sdk", dag=decorator, task=decorator)):
        monkeypatch.setitem(sys.modules, one.__name__, one)
    batchfish_ends_with(code)
    found = None
    try:
        exec(compile(example("Airflow"), "prices.py", "exec"), {})  # noqa: S102 - the page's own code
    except AirflowException as error:
        found = type(error)
    assert found is raised


@pytest.mark.process
@pytest.mark.parametrize(("code", "is_tried_again"), [(0, None), (75, True), (1, False), (77, False)])
def test_prefect_tries_again_after_75_alone(
    code: int,
    is_tried_again: bool | None,  # noqa: FBT001 - expected
    batchfish_ends_with: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "prefect", module("prefect", flow=decorator, task=decorator))
    batchfish_ends_with(code)
    names: dict[str, Any] = {"__name__": "prices"}
    exec(compile(example("Prefect"), "prices.py", "exec"), names)  # noqa: S102 - the page's own code
    found = None
    try:
        names["prices"]("price-watch.yaml")
    except RuntimeError as error:
        state = module("state", message=f"Task run encountered an exception RuntimeError: {error}")
        found = names["price_watch"].retry_condition_fn(None, None, state)
    assert found is is_tried_again


@pytest.mark.process
@pytest.mark.parametrize(("code", "ended"), [(0, 0), (75, 0), (1, 1), (6, 6)])
def test_the_step_of_github_actions_warns_after_75(code: int, ended: int, home: Path) -> None:
    steps = yaml.safe_load(example("GitHub Actions"))["jobs"]["prices"]["steps"]
    script = next(step["run"] for step in steps if "batchfish run" in step.get("run", ""))
    command = next(line for line in script.splitlines() if "batchfish run" in line).partition("||")[0]
    assert options_of(command)[0].execution.questions.accept == ("moved-journal",)
    done = subprocess.run(
        ["bash", "-e", "-c", script],
        cwd=home / "batches",
        env={"CODE": str(code), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, "::warning::" in done.stdout) == (ended, code == ExitCode.TEMPFAIL)
