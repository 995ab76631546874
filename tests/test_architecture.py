"""What holds the whole: layers, public names, quick help, docstrings, and files that name no machine."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

import batchfish
from batchfish.cli.exits import ExitCode
from batchfish.journal.sqlite import SqliteJournal
from tests.journal.building import begin, row
from tests.loopback import nobody_listening

ROOT = Path(__file__).resolve().parent.parent
MODULES = sorted((ROOT / "batchfish").rglob("*.py"))
HEAVY = {
    "dateparser",
    "htmldate",
    "httpx",
    "jinja2",
    "lxml",
    "polars",
    "starlette",
    "tenacity",
    "tqdm",
    "yaml",
}

SLOW = {
    "asyncio",
    "dataclasses",
    "difflib",
    "hashlib",
    "inspect",
    "shutil",
    "ssl",
    "tempfile",
    "typing_extensions",
}
"""Modules that take one to thirty milliseconds to import."""

ROWS = "id,url\nb1,https://books.example/1\n"

LOOK_AT_HELP = """
import json, sys
from batchfish.cli.commands import COMMANDS
from batchfish.cli.main import main
codes = []
for command in ([], *([name] for name in COMMANDS)):
    try:
        codes.append(main([*command, "--help"]))
    except SystemExit as end:
        codes.append(end.code or 0)
roots = {name.partition(".")[0] for name, module in sys.modules.items() if module}
print(json.dumps({"codes": codes, "loaded": sorted(roots)}), file=sys.stderr)
"""


def name_of(path: Path) -> str:
    """Spell a file's path as people do, from the root of the repository."""
    return path.relative_to(ROOT).as_posix()


def test_import_contracts_hold(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    # It would disable the loggers of this process, which other tests look at.
    monkeypatch.setattr("importlinter.cli.logging_config.dictConfig", lambda _: None)
    broken = lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True, no_logo=True)
    assert not broken, capsys.readouterr().out


def test_public_names_are_sorted_complete_and_there() -> None:
    names = batchfish.__all__
    assert names
    assert names == sorted(set(names))
    assert [name for name in names if not hasattr(batchfish, name)] == []
    tree = ast.parse(Path(batchfish.__file__).read_text(encoding="utf-8"))
    assert public_definitions(tree) - set(names) == set(), (
        "public in batchfish/__init__.py, but not in __all__"
    )


def public_definitions(tree: ast.Module) -> set[str]:
    """Names that a module defines or takes from its own package, but for those with an underscore."""
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=str(module), names=aliases) if module.startswith("batchfish"):
                found |= {alias.asname or alias.name for alias in aliases}
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                found.add(name)
            case _:
                pass
    return {name for name in found if not name.startswith("_")}


def run_python(program: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a program that imports this package, and return what it printed."""
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.process
def test_no_help_loads_a_heavy_package() -> None:
    run = run_python(LOOK_AT_HELP, cwd=ROOT)
    assert run.returncode == 0, run.stderr
    seen = json.loads(run.stderr.splitlines()[-1])
    assert set(seen["codes"]) == {0}
    assert run.stdout.count("usage: batchfish ") == len(seen["codes"])
    assert HEAVY.intersection(seen["loaded"]) == set()


LOOK_AT_COMMAND = """
import json, sys
from batchfish.cli.main import main
try:
    code = main(sys.argv[1:])
except SystemExit as end:
    code = end.code or 0
roots = {name.partition(".")[0] for name, module in sys.modules.items() if module}
print(json.dumps({"code": code, "loaded": sorted(roots)}), file=sys.stderr)
"""
LOOK_AT_CLIENT = """
import sys, batchfish.webagent.client
print(sorted({"httpx", "rich", "click"} & sys.modules.keys()))
"""


@pytest.mark.process
def test_the_client_loads_nothing_for_the_command_line_of_httpx() -> None:
    run = run_python(LOOK_AT_CLIENT, cwd=ROOT)
    assert run.stdout.strip() == "['httpx']", run.stderr


LOOK_AT_TYPING = """
from batchfish.cli.main import main
main(["ls"])
import msgspec, typing_extensions
print(typing_extensions.TypedDict.__name__, msgspec.__name__)
"""


@pytest.mark.process
def test_what_msgspec_was_imported_without_can_be_imported_afterwards(tmp_path: Path) -> None:
    run = run_python(LOOK_AT_TYPING, cwd=tmp_path)
    assert run.stdout.splitlines()[-1:] == ["TypedDict msgspec"], run.stderr


LOUD_CYCLE = """
import sys
from batchfish.cli.main import main
class Loud:
    def __init__(self):
        self.itself = self
    def __del__(self):
        sys.stderr.write("freed")
loud = Loud()
code = main(sys.argv[1:])
del loud
sys.exit(code)
"""


@pytest.mark.process
def test_the_end_of_a_process_does_not_search_for_garbage() -> None:
    run = run_python(LOUD_CYCLE, "--version", cwd=ROOT)
    assert (run.returncode, run.stdout, run.stderr) == (0, f"batchfish {batchfish.__version__}\n", "")


READING: dict[str, set[str]] = {
    "--version": set(),
    "status": set(),
    "status --json": set(),
    "ls": set(),
    "explain b1": {"hashlib"},
    "held": {"asyncio", "hashlib", "inspect", "shutil", "ssl"},
    "plan rows.csv --goal Read": {"hashlib"},
    "validate rows.csv --goal Read": {"hashlib"},
}
"""The version, and commands that read a journal or rows, each with the slow modules that it loads."""


@pytest.mark.process
@pytest.mark.parametrize("command", READING)
def test_a_command_that_reads_loads_no_heavy_package_and_few_slow_modules(
    command: str, tmp_path: Path
) -> None:
    home = tmp_path / ".batchfish"
    home.mkdir()
    journal = SqliteJournal(home / "books.db")
    begin(journal, row("https://books.example/1", "b1"))
    journal.close()
    (tmp_path / "rows.csv").write_text(ROWS, encoding="utf-8")
    run = run_python(LOOK_AT_COMMAND, *command.split(), cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    seen = json.loads(run.stderr.splitlines()[-1])
    assert seen["code"] == 0, run.stderr
    assert (HEAVY | SLOW).intersection(seen["loaded"]) == READING[command]


@pytest.mark.process
def test_a_run_loads_no_heavy_package_that_its_first_request_does_not_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINYFISH_API_KEY", "sk-tinyfish-unused")
    (tmp_path / "rows.csv").write_text(ROWS, encoding="utf-8")
    words = ("run", "rows.csv", "--goal", "Read", "--max-outage", "1ms", "--base-url")
    with nobody_listening() as port:
        run = run_python(LOOK_AT_COMMAND, *words, f"http://127.0.0.1:{port}", cwd=tmp_path)
    seen = json.loads(run.stderr.splitlines()[-1])
    assert seen["code"] == ExitCode.TEMPFAIL, run.stderr
    assert (HEAVY | {"difflib"}).intersection(seen["loaded"]) == {"httpx", "tenacity"}


def test_each_module_says_in_one_sentence_what_it_owns() -> None:
    assert [
        f"{name_of(module)}: {fault}" for module in MODULES if (fault := fault_of_docstring(module))
    ] == []


def fault_of_docstring(module: Path) -> str | None:
    """Return what is wrong with the first paragraph of a module's docstring."""
    docstring = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8")))
    if not docstring:
        return "no docstring"
    first = " ".join(docstring.split("\n\n")[0].split())
    if not first.endswith("."):
        return "a sentence ends with a full stop"
    return "more than one sentence in the first paragraph" if re.search(r"[.!?] [A-Z]", first) else None


def test_core_reads_no_clock_and_opens_no_file() -> None:
    outside = {"input", "now", "open", "print", "read_text", "today", "utcnow", "write_text"}
    modules = sorted((ROOT / "batchfish/core").rglob("*.py"))
    assert {name_of(module): found for module in modules if (found := outside & calls_of(module))} == {}
    assert outside & calls_of(ROOT / "batchfish/table/target.py"), "nothing would be found"


def calls_of(module: Path) -> set[str]:
    """Return the names of the functions and methods that a module calls."""
    nodes = ast.walk(ast.parse(module.read_text(encoding="utf-8")))
    calls = [node.func for node in nodes if isinstance(node, ast.Call)]
    return {call.attr if isinstance(call, ast.Attribute) else ast.unparse(call) for call in calls}


def test_tracked_files_name_no_machine_and_no_package_index() -> None:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: which files are tracked is not known")
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    tracked = [ROOT / name for name in listing.stdout.split("\0") if name]
    private = re.compile(
        rf"{re.escape(str(ROOT))}\b|(?<![\w./~-])/(?:root|work)/|py(?:pi|thonhosted)\.org|registry\.npm|deb\.debian"
    )
    found = [
        f"{name_of(path)}:{number}: {line.strip()[:100]}"
        for path in tracked
        if path.is_file()
        for number, line in enumerate(
            path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1
        )
        if private.search(line)
    ]
    assert found == []
