"""The browser engine behind the API: pictures of steps, cancelling, what is left when the agent ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from batchfish.localagent.attach import PORT_FILE, find_agent
from tests.localagent.agents import DEADLINE, create, served, wait_for_end
from tests.localagent.browsing import PAGES, browsers_of, children_of, require_chromium

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import httpx

pytestmark = pytest.mark.process

PRICE = {"type": "object", "properties": {"price": {"type": "number"}}, "required": ["price"]}
OPTIONS = ("--engine", "browser", "--site", str(PAGES / "traps"))
KEY = "sk-tinyfish-never-to-be-seen"


def ask(client: httpx.Client, host: str) -> str:
    return create(client, url=f"http://{host}.example/", goal="Read the price", output_schema=PRICE)


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_run_is_seen_cancelled_and_left_without_a_trace(tmp_path: Path) -> None:
    require_chromium()
    with served(tmp_path, *OPTIONS) as client:
        read = ask(client, "plain")
        run = wait_for_end(client, [read])[read]
        assert run["result"] == {"price": 5}
        picture = client.get(f"/v1/runs/{read}/steps/{run['steps'][0]['id']}/screenshot")
        assert picture.content.startswith(b"\xff\xd8")
        agent = find_agent(tmp_path / PORT_FILE)
        assert agent is not None
        browsers = browsers_of(agent.pid)
        assert browsers

        busy = ask(client, "busy")
        wait_until(lambda: client.get(f"/v1/runs/{busy}").json()["status"] == "RUNNING")
        time.sleep(1)  # into the middle of the page's loop
        begun = time.monotonic()
        assert client.post(f"/v1/runs/{busy}/cancel").json()["status"] == "CANCELLED"
        following = ask(client, "plain")
        assert wait_for_end(client, [following])[following]["result"] == {"price": 5}
        assert time.monotonic() - begun < 10
    wait_until(lambda: not any(process.exists() for process in browsers))


def test_what_the_agent_starts_holds_no_key(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "batchfish", "serve", "--port", "0", "--engine", "extract"]
    environment = {**os.environ, "TINYFISH_API_KEY": KEY}
    agent = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, cwd=tmp_path)
    try:
        assert agent.stdout is not None
        assert b"listening" in agent.stdout.readline()
        wait_until(lambda: bool(readers_of(agent.pid)))
        environments = [reader.joinpath("environ").read_bytes() for reader in readers_of(agent.pid)]
        assert not [each for each in environments if KEY.encode() in each]
    finally:
        agent.send_signal(signal.SIGTERM)
        agent.wait(DEADLINE)
        if agent.stdout is not None:
            agent.stdout.close()


def readers_of(pid: int) -> list[Path]:
    """Give the folders in /proc of an agent's reading processes, once they are no longer its copies."""
    children = children_of(pid)
    return [child for child in children if b"engines.worker" in child.joinpath("cmdline").read_bytes()]
