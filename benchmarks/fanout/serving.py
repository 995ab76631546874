"""A simulating server as a process of its own, on a core of its own, for the length of a block."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.machine import cores

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).parents[2]
CERTIFICATE, KEY = "certificate.pem", "key.pem"
START_TIMEOUT = 30.0
POLL_INTERVAL = 0.02
CORES = cores()  # before this process pins itself, after which it sees one alone


class Failed(Exception):
    """A side, or the server, did not do what it was to do; the text says what it wrote."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Server:
    """A server that listens; `token` is its API key."""

    pid: int
    base_url: str
    token: str = field(repr=False)

    def cpu(self) -> float:
        """Return the CPU seconds that it has used so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def serving(program: Sequence[str], simulation: str, cap: int, folder: Path) -> Iterator[Server]:
    """Serve for the length of the block; runs are kept in `agent.db` in the folder, which must be empty.

    `program` is a module that takes the options of batchfish.localagent, and arguments before them.
    """
    token, port_file = secrets.token_urlsafe(24), folder / "agent.json"
    (folder / "key").touch(0o600)
    (folder / "key").write_text(token)
    command = [
        *(sys.executable, "-m", *program),
        *("--engine", "simulate", "--simulate", simulation, "--cap", str(cap)),
        *("--store", str(folder / "agent.db"), "--port-file", str(port_file)),
        *("--token-file", str(folder / "key")),
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)  # noqa: S603 - our own program
    pin(process.pid, 0)
    try:
        _wait_for(port_file, process)
        base_url = json.loads(port_file.read_bytes())["base_url"]
        yield Server(pid=process.pid, base_url=base_url, token=token)
    finally:
        process.terminate()
        process.wait(START_TIMEOUT)


def _wait_for(port_file: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while not port_file.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            said = (port_file.parent / "log").read_text(errors="replace").strip()
            raise Failed(f"the server did not start: {said}")
        time.sleep(POLL_INTERVAL)


def pin(pid: int, number: int) -> None:
    """Keep a process on one core, where there are several and the system can do so."""
    if hasattr(os, "sched_setaffinity") and len(CORES) > number:
        os.sched_setaffinity(pid, {CORES[number]})
