"""The package as a user installs it: without the local agent's parts, in a fresh environment."""

from __future__ import annotations

import subprocess
import sys
import venv
from typing import TYPE_CHECKING

import pytest

from tests.endtoend.commands import Desk
from tests.endtoend.serving import ROOT, serving
from tests.endtoend.test_faults import check_table

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.process, pytest.mark.slow]


def install(folder: Path) -> Path:
    """Install a wheel of this work tree into a fresh environment; give that one's folder of programs."""
    build = ("--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT))
    subprocess.run([sys.executable, "-m", "pip", "wheel", "--quiet", *build], check=True, timeout=120)
    (wheel,) = folder.glob("batchfish-*.whl")
    venv.create(folder / "venv", with_pip=True)
    programs = folder / "venv" / "bin"
    installed = subprocess.run(
        [programs / "python", "-m", "pip", "install", "--quiet", "--no-input", "--retries", "1", str(wheel)],
        check=False,
        capture_output=True,
        text=True,
        timeout=280,
    )
    if installed.returncode:
        pytest.skip(f"the packages that batchfish needs cannot be fetched here: {installed.stderr[-300:]}")
    return programs


def test_a_plain_install_runs_a_batch_and_names_what_a_local_agent_lacks(tmp_path: Path) -> None:
    programs = install(tmp_path / "install")
    has_parts = [str(programs / "python"), "-c", "import starlette"]
    assert subprocess.run(has_parts, check=False, capture_output=True).returncode != 0
    with (
        serving(tmp_path / "server", "duration=0.2,reset=0.02") as server,
        Desk(
            folder=tmp_path / "work",
            base_url=server.base_url,
            python=(str(programs / "batchfish"),),
            env={"PYTHONPATH": ""},
        ) as desk,
    ):
        desk.write_rows("urls.csv", 200)
        command = ("run", "urls.csv", "--goal", "Read the price", "-j", "50", "--settle", "2s")
        desk.run(*command, "-o", "out.parquet", within=120)
        assert server.books.paid_twice() == {}
        assert server.books.count() == 200
        check_table(desk.folder / "out.parquet", {run.url for run in server.books.runs()})
        assert desk.run("--version").stdout.startswith("batchfish ")
        local = desk.run("run", "--local", "urls.csv", "--goal", "Read the price", expect=2)
        assert "pip install 'batchfish[local]'" in local.stderr
