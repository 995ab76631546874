"""Standard streams that nobody reads, or that cannot be written, and full disks: never a traceback."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.endtoend.commands import Desk
from tests.endtoend.serving import PATIENCE, serving

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from tests.endtoend.serving import Server

pytestmark = pytest.mark.process

RUN = ("run", "shop.csv", "--goal", "Read it.", "--settle", "2s")
FULL = Path("/dev/full")

needs_full = pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server"), "duration=0.4") as server:
        yield server


@pytest.fixture
def desk(tmp_path: Path, server: Server, request: pytest.FixtureRequest) -> Iterator[Desk]:
    with Desk(folder=tmp_path, base_url=server.base_url) as desk:
        desk.write_rows("shop.csv", 3, first=abs(hash(request.node.nodeid)))
        yield desk


def end(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for the end; return the exit code and the rest of standard error."""
    said = "" if process.stderr is None or process.stderr.closed else process.stderr.read()
    process.wait(PATIENCE)
    assert "Traceback" not in said
    return process.returncode, said


def check_batch_is_whole(desk: Desk) -> None:
    assert '"succeeded": 3' in desk.run("status", "shop", "--json").stdout


def test_a_reader_that_leaves_ends_the_printing_and_not_the_batch(desk: Desk) -> None:
    """As `--progress json | head -1` does."""
    process = desk.start(*RUN, "-j", "1", "--progress", "json")
    assert process.stdout is not None
    assert process.stdout.readline().startswith('{"type": "progress"')
    process.stdout.close()
    code, said = end(process)
    assert code == 0, said
    check_batch_is_whole(desk)


@pytest.mark.parametrize("progress", ["bar", "line"])
def test_a_reader_of_standard_error_that_leaves_ends_no_batch(desk: Desk, progress: str) -> None:
    process = desk.start(*RUN, "--progress", progress)
    assert process.stderr is not None
    process.stderr.read(1)
    process.stderr.close()
    assert end(process)[0] == 0
    check_batch_is_whole(desk)


@needs_full
@pytest.mark.parametrize("flags", [("--json", "--progress", "json"), ("--head", "2")])
def test_a_full_standard_output_ends_the_printing_and_not_the_batch(
    desk: Desk, flags: tuple[str, ...]
) -> None:
    with FULL.open("w") as full:
        code, said = end(desk.start(*RUN, *flags, stdout=full))
    assert code == 0, said
    assert said.count("standard output cannot be written: No space left on device") == 1
    check_batch_is_whole(desk)


@needs_full
@pytest.mark.parametrize("flags", [("--progress", "bar"), ("-v",)])
def test_a_full_standard_error_ends_no_batch(desk: Desk, flags: tuple[str, ...]) -> None:
    with FULL.open("w") as full:
        assert end(desk.start(*RUN, *flags, stderr=full))[0] == 0
    check_batch_is_whole(desk)


READERS = [  # of text, of an object, of a table's path, and of what argparse itself prints
    ("status",),
    ("held", "--json"),
    ("results", "-o", "out.csv"),
    ("--help",),
    *(
        pytest.param(words, marks=pytest.mark.slow)
        for words in (
            ("validate", "shop.csv", "--goal", "Read it."),
            ("plan", "shop.csv", "--goal", "Read it."),
            ("run", "-n", "shop.csv", "--goal", "Read it."),
            ("explain", "i1"),
            ("ls",),
            ("run", "--help"),
            ("--version",),
        )
    ),
]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Return a folder with a batch that has ended."""
    with (
        serving(tmp_path_factory.mktemp("quick"), "duration=0.02") as server,
        Desk(folder=tmp_path_factory.mktemp("finished"), base_url=server.base_url) as desk,
    ):
        (desk.folder / "shop.csv").write_text("id,url\ni1,https://shop.example/1\n")
        desk.run(*RUN)
        yield desk


@needs_full
@pytest.mark.parametrize("words", READERS, ids=" ".join)
def test_a_command_that_only_prints_fails_where_it_cannot(finished: Desk, words: tuple[str, ...]) -> None:
    with FULL.open("w") as full:
        code, said = end(finished.start(*words, stdout=full))
    assert code == 74
    assert "standard output cannot be written: No space left on device" in said


@pytest.mark.parametrize("words", READERS, ids=" ".join)
def test_a_command_that_only_prints_ends_as_by_sigpipe_when_its_reader_has_left(
    finished: Desk, words: tuple[str, ...]
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    code, _ = end(finished.start(*words, stdout=writer))
    os.close(writer)
    assert code == 128 + signal.SIGPIPE


def test_a_disk_that_is_full_at_the_lock_file_is_an_error_of_the_disk(desk: Desk) -> None:
    desk.run(*RUN, "--limit", "1")
    line = f"ulimit -f 0; exec {shlex.join((sys.executable, '-m', 'batchfish', 'resume', 'shop'))}"
    full = Desk(folder=desk.folder, base_url=desk.base_url, python=("sh", "-c", line), started=desk.started)
    code, said = end(full.start())
    assert code == 74, said
    assert "shop.db.lock: cannot write the lock file" in said
    desk.run(*RUN)
