"""The API key stays in the environment it came in: it is in no output, no file and no command line."""

from __future__ import annotations

import base64
import subprocess
import sys
from pathlib import Path

import pytest

from tests.endtoend.commands import KEY, Desk, JournalView
from tests.endtoend.serving import serving, until

pytestmark = pytest.mark.process

FORMS = (KEY.encode(), base64.b64encode(KEY.encode()).rstrip(b"="), KEY.encode().hex().encode())
RUN = ("run", "shop.csv", "--goal", "Read it.", "--settle", "2s", "-v", "--progress", "json", "--json")


def command_lines(process: subprocess.Popen[str]) -> dict[int, bytes]:
    """Give the command lines of a process and of all that came of it, by process id."""
    parents, found = {}, {process.pid}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue  # it has ended
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    lines = {}
    for pid in found:
        try:
            lines[pid] = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
    return lines


def files_with_the_key(folder: Path) -> list[Path]:
    """Find the files that hold the key in any form, journals and logs among them."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if any(form in path.read_bytes() for form in FORMS)]


@pytest.mark.parametrize("given", ["environment", pytest.param("file", marks=pytest.mark.slow)])
def test_nothing_shows_the_key_of_a_remote_api(tmp_path: Path, given: str) -> None:
    work = tmp_path / "work"
    flags: tuple[str, ...] = ()
    environment = {"TINYFISH_API_KEY": KEY}
    if given == "file":
        (tmp_path / "key").write_text(KEY + "\n")
        (tmp_path / "key").chmod(0o600)
        flags, environment = ("--api-key-file", str(tmp_path / "key")), {"TINYFISH_API_KEY": ""}
    with (
        serving(tmp_path / "server", "duration=0.3,reset=0.1,busy=0.1,look_error=0.1") as server,
        Desk(folder=work, base_url=server.base_url, env=environment, is_executed=True) as desk,
    ):
        desk.write_rows("shop.csv", 12)
        process = desk.start(*RUN, *flags, "-o", "out.csv")
        until(server.books.count)
        lines = command_lines(process)
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        assert "POST" in err or "run-async" in err, "nothing was logged: the test has shown nothing"
        said = [out, err]
        for verb in (("status",), ("explain", "--batch", "shop"), ("results",), ("ls",)):
            known = JournalView(work / ".batchfish" / "shop.db").read("SELECT id FROM items LIMIT 1")
            item = [known[0][0]] if verb[0] == "explain" else []
            told = desk.run(*verb, *item, "-v")
            said += [told.stdout, told.stderr]
    assert lines
    assert not [line for line in lines.values() if KEY.encode() in line]
    assert not [text for text in said if any(form.decode() in text for form in FORMS)]
    assert (work / "out.csv").exists()
    assert files_with_the_key(work) == []
    assert files_with_the_key(tmp_path / "server") == []


def test_a_rehearsal_does_not_even_hand_the_key_on(tmp_path: Path) -> None:
    """`--local` starts a server, which has no business with the key of the real API."""
    with Desk(folder=tmp_path, base_url="https://never.example", is_executed=True) as desk:
        desk.write_rows("shop.csv", 4)
        simulate = ("--local", "--engine", "simulate", "--simulate", "duration=2")
        process = desk.start(*RUN, *simulate)
        port_file = tmp_path / ".batchfish" / "agent" / "agent.json"
        until(lambda: port_file.exists() or process.poll() is not None)
        lines = command_lines(process)
        agents = [pid for pid, line in lines.items() if b"batchfish.localagent" in line]
        assert agents
        for pid in agents:
            assert KEY.encode() not in Path(f"/proc/{pid}/environ").read_bytes()
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
    assert KEY.encode() not in b"".join(lines.values())
    assert KEY not in out + err
    assert (tmp_path / ".batchfish" / "agent" / "agent.log").exists()
    assert files_with_the_key(tmp_path) == []


def test_the_search_for_the_key_finds_one(tmp_path: Path) -> None:
    """The test of the test: a file and a command line that do show it."""
    (tmp_path / "log").write_text(f"X-API-Key: {KEY}")
    assert files_with_the_key(tmp_path) == [tmp_path / "log"]
    python = (sys.executable, "-c", "import sys; print(1, flush=True); sys.stdin.read()", KEY)
    with Desk(folder=tmp_path, base_url="", python=python, is_executed=True) as desk:
        process = desk.start(stdin=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == "1\n"
        assert any(KEY.encode() in line for line in command_lines(process).values())
