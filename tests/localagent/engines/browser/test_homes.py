"""A browser's folder goes with it; what a killed agent has left goes with the next one's start."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from batchfish.localagent.engines.browser.homes import PREFIX, make_home


@pytest.mark.process
def test_what_a_killed_process_left_is_removed_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ended = subprocess.Popen(["true"])
    ended.wait()
    left, alive = (tmp_path / f"{PREFIX}{pid}-abc" for pid in (ended.pid, os.getppid()))
    foreign = tmp_path / f"{PREFIX}of-a-person"
    for folder in (left, alive, foreign):
        (folder / "profile").mkdir(parents=True)
    with make_home() as home:
        assert not left.exists()
        assert Path(home).parent == tmp_path
        assert sorted(tmp_path.iterdir()) == sorted([alive, foreign, Path(home)])
    assert not Path(home).exists()
