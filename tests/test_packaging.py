"""The set-up: a lock that pins and hashes all that is asked for, and a `make clean` that spares journals."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hatchling.builders.wheel import WheelBuilder
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import batchfish

ROOT = Path(__file__).resolve().parent.parent
LOCKS = [ROOT / f"requirements/{name}.txt" for name in ("run", "browser", "model", "dev")]
BENCH = ROOT / "requirements/bench.txt"
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}\b")


def pinned(lock: Path) -> dict[str, list[Requirement]]:
    """Read the pins of a lock by package name; one package may be pinned once for each kind of machine."""
    pins: dict[str, list[Requirement]] = {}
    for entry in entries(lock):
        requirement = Requirement(entry.split(" --hash=")[0])
        pins.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return pins


def entries(lock: Path) -> list[str]:
    """Join each requirement of a lock with its continuation lines, comments left out."""
    lines = [
        line for line in lock.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("#")
    ]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [" ".join(line.split()) for line in joined.splitlines() if line.strip()]


def asked_for(lock: Path) -> list[Requirement]:
    """List what pyproject.toml asks for: client, local agent, build backend; its engines, and the tools."""
    settings: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project, groups = settings["project"], settings["dependency-groups"]
    if lock == BENCH:
        return [Requirement(line) for line in (*project["dependencies"], *groups["bench"])]
    extras = project["optional-dependencies"]
    wanted = [
        *project["dependencies"],
        *extras["local"],
        *groups["build"],
        *settings["build-system"]["requires"],
    ]
    engines = {"run.txt": [], "browser.txt": ["browser"]}.get(lock.name, ["browser", "model"])
    wanted += [line for extra in engines for line in extras[extra] if "[local]" not in line]
    wanted += [*extras["notify"], *extras["watch"], *groups["dev"]] if lock.name == "dev.txt" else []
    return [Requirement(line) for line in wanted]


@pytest.mark.parametrize("lock", [*LOCKS, BENCH], ids=lambda lock: lock.name)
def test_every_line_of_a_lock_pins_one_version_by_hash_and_names_no_index(lock: Path) -> None:
    for entry in entries(lock):
        assert re.match(r"[A-Za-z0-9._-]+==\S+ ", entry), entry
        assert HASH.search(entry), entry
        assert "://" not in entry


@pytest.mark.parametrize("lock", [*LOCKS, BENCH], ids=lambda lock: lock.name)
def test_lock_satisfies_all_that_pyproject_asks_for(lock: Path) -> None:
    pins = pinned(lock)
    for wanted in asked_for(lock):
        found = pins.get(canonicalize_name(wanted.name), [])
        versions = [next(iter(pin.specifier)).version for pin in found]
        assert versions, f"{wanted} is not locked: run `make lock`"
        assert all(wanted.specifier.contains(version) for version in versions), (
            f"{wanted}, but locked {versions}"
        )


def test_the_package_and_its_settings_have_the_same_version() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert settings["project"]["version"] == batchfish.__version__


def test_what_the_benchmarks_pin_is_what_the_tools_pin() -> None:
    tools, benchmarks = pinned(LOCKS[-1]), pinned(BENCH)
    shared = tools.keys() & benchmarks.keys()
    assert "httpx" in shared
    assert {name: list(map(str, tools[name])) for name in shared} == {
        name: list(map(str, benchmarks[name])) for name in shared
    }


@pytest.mark.parametrize(("smaller", "larger"), list(pairwise(LOCKS)), ids=lambda lock: lock.name)
def test_a_lock_agrees_with_the_next_larger_one_on_what_both_pin(smaller: Path, larger: Path) -> None:
    few, many = pinned(smaller), pinned(larger)
    assert {name: [str(pin) for pin in pins] for name, pins in few.items()} == {
        name: [str(pin) for pin in pins] for name, pins in many.items() if name in few
    }


@pytest.mark.parametrize("is_local", [False, True], ids=["client", "local agent"])
def test_every_package_that_is_imported_is_asked_for_by_name(is_local: bool) -> None:  # noqa: FBT001 - a case
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    of_agent = ("local", "browser", "model")
    of_client = extras.keys() - {*of_agent}
    asked = project["dependencies"] + [
        line for name in (of_agent if is_local else of_client) for line in extras[name]
    ]
    known = {canonicalize_name(Requirement(line).name) for line in asked}
    modules = [
        path for path in (ROOT / "batchfish").rglob("*.py") if ("localagent" in path.parts) == is_local
    ]
    taken = (
        {name for path in modules for name in imported(path)} - set(sys.stdlib_module_names) - {"batchfish"}
    )
    providers = packages_distributions()
    assert {
        name for name in taken if known.isdisjoint(map(canonicalize_name, providers.get(name, [])))
    } == set()


def imported(path: Path) -> set[str]:
    """Name the top-level packages that a module imports, wherever in it."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return {
        name.partition(".")[0]
        for name in plain | {str(n.module) for n in nodes if isinstance(n, ast.ImportFrom)}
    }


def test_wheel_carries_every_file_of_the_package(tmp_path: Path) -> None:
    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    carried = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("batchfish/")}
    files = {path.relative_to(ROOT) for path in (ROOT / "batchfish").rglob("*") if path.is_file()}
    caches = {path for path in files if any(part.startswith((".", "__pycache__")) for part in path.parts)}
    assert carried == {path.as_posix() for path in files - caches}


@pytest.mark.process
def test_client_works_without_the_packages_of_the_local_agent() -> None:
    modules = [path.relative_to(ROOT).with_suffix("") for path in (ROOT / "batchfish").rglob("*.py")]
    client = [".".join(path.parts) for path in modules if "localagent" not in path.parts]
    code = f"""
import importlib, sys
sys.modules |= dict.fromkeys(["dateparser", "htmldate", "lxml", "price_parser", "starlette", "uvicorn"])
for name in {client}:
    importlib.import_module(name)
"""
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert run.returncode == 0, run.stderr


@pytest.mark.process
def test_make_clean_removes_what_was_built_and_spares_journals(tmp_path: Path) -> None:
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    shutil.copy(ROOT / "Makefile", tmp_path)
    built = [
        "build/lib/x",
        "dist/x.whl",
        ".demo/.batchfish/demo.db",
        ".mypy_cache/x",
        "jobs/__pycache__/x.pyc",
    ]
    kept = [
        ".batchfish/a.db",
        "jobs/.batchfish/prices.db",
        "jobs/.batchfish/__pycache__/x",
        ".venv/__pycache__/x.pyc",
    ]
    for name in built + kept:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x", encoding="utf-8")
    subprocess.run(["make", "clean"], cwd=tmp_path, check=True, capture_output=True, timeout=60)
    assert [name for name in built if (tmp_path / name).exists()] == []
    assert [name for name in kept if not (tmp_path / name).exists()] == []
