"""A local agent that simulates, as a process of its own: to the command it is a remote API."""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests import forking
from tests.endtoend.books import Books

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0
AGENT_KEY = "sk-canary-7f3a9c51e2"
"""The key that the agent accepts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Server:
    """Where a server listens, which process it is, and its books."""

    base_url: str
    process: subprocess.Popen[bytes]
    books: Books

    @property
    def port(self) -> int:
        return int(self.base_url.rpartition(":")[2])


@contextmanager
def serving(
    folder: Path, simulate: str = "", *, site: Path | None = None, cap: int = 50, port: int = 0
) -> Iterator[Server]:
    """Serve from a folder for the time of the block; its books outlive it, and the next one takes them up.

    It simulates, or (with `site`) reads the pages of that folder. The files with its key lie elsewhere,
    so that tests can look for the key in this one.
    """
    secret = folder.with_name(f"{folder.name}.secret")
    for made in (folder, secret):
        made.mkdir(parents=True, exist_ok=True)
    port_file, token_file, store = secret / "agent.json", secret / "key", folder / "agent.db"
    token_file.write_text(AGENT_KEY)
    token_file.chmod(0o600)
    engine = ("--engine", "simulate", "--simulate", simulate)
    if site is not None:
        engine = ("--engine", "extract", "--site", str(site))
    places = (
        "--port",
        str(port),
        "--store",
        str(store),
        "--port-file",
        str(port_file),
        "--token-file",
        str(token_file),
    )
    with (folder / "agent.log").open("ab") as log:
        process = forking.start(
            [sys.executable, "-m", "batchfish.localagent", *engine, "--cap", str(cap), *places],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=log,
            stderr=log,
        )
    try:
        until(lambda: port_file.exists() or process.poll() is not None)
        endpoint = json.loads(port_file.read_bytes())
        assert endpoint["pid"] == process.pid
        yield Server(base_url=endpoint["base_url"], process=process, books=Books(store))
    finally:
        process.terminate()
        process.wait(PATIENCE)


def until(happened: Callable[[], object], *, within: float = PATIENCE, every: float = 0.02) -> None:
    """Return as soon as something has happened; it is asked for `every` so many seconds."""
    assert happens_within(within, happened, every=every), "it has not happened"


def happens_within(seconds: float, happened: Callable[[], object], *, every: float = 0.002) -> bool:
    """Return whether something happens in so many seconds, as soon as it has."""
    deadline = time.monotonic() + seconds
    while not happened():
        if time.monotonic() >= deadline:
            return False
        time.sleep(every)
    return True
