"""The local agent as a process that is told to stop: one run of it, a waiting one, all of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from batchfish.localagent.attach import find_agent
from tests.localagent.agents import DEADLINE, create, served, wait_for_end

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.process

LONG = b"<html><body>" + b"<p><b>Price:</b> $3</p>" * 150_000 + b"</body></html>"
SCHEMA = {"type": "object", "properties": {"price": {"type": "number"}}}


class LongPage(BaseHTTPRequestHandler):
    """Serves a page that takes far longer to read than a cancel may."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(LONG)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(LONG)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture
def long_page() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), LongPage) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def readers_of(pid: int) -> dict[int, float]:
    """Give the living children of a process, with the CPU seconds that each has used."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
    used: dict[int, float] = {}
    for child in map(int, children):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{child}/stat").read_text("ascii").rpartition(")")[2].split()
            if fields[0] != "Z":
                used[child] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return used


def until(is_so: Callable[[], bool]) -> float:
    """Wait until something is so, and give the seconds it took."""
    begun = time.monotonic()
    while not is_so():
        assert time.monotonic() - begun < DEADLINE, "it never came to be so"
        time.sleep(0.01)
    return time.monotonic() - begun


def test_a_cancel_kills_the_reader_in_the_middle_of_its_page_within_two_seconds(
    tmp_path: Path, long_page: str
) -> None:
    options = ("--engine", "extract", "--cap", "1", "--allow-origin", long_page)
    with served(tmp_path, *options) as client:
        agent = find_agent(tmp_path / "agent.json")
        assert agent is not None
        first, second = (
            create(client, url=f"{long_page}/{n}", goal="x", output_schema=SCHEMA) for n in range(2)
        )
        # The reader that works uses CPU; those that wait for a page use none.
        until(lambda: client.get(f"/v1/runs/{first}").json()["steps"] != [])
        idle = readers_of(agent.pid)
        until(lambda: any(now > idle.get(pid, now) + 0.1 for pid, now in readers_of(agent.pid).items()))
        now = readers_of(agent.pid)
        (busy,) = (pid for pid in now if now[pid] > idle.get(pid, now[pid]) + 0.1)
        assert client.post(f"/v1/runs/{second}/cancel").json()["status"] == "CANCELLED"
        assert client.post(f"/v1/runs/{first}/cancel").json()["status"] == "CANCELLED"
        assert until(lambda: busy not in readers_of(agent.pid)) < 2
        runs = wait_for_end(client, [first, second])
        assert runs[second]["started_at"] is None  # it never began
        assert runs[first]["num_of_steps"] == len(runs[first]["steps"]) > 0


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_the_agent_ends_though_streams_and_answers_are_waited_for(
    tmp_path: Path, stop: signal.Signals
) -> None:
    options = ("--engine", "simulate", "--simulate", "duration=600")
    with served(tmp_path, *options) as client:
        agent = find_agent(tmp_path / "agent.json")
        assert agent is not None
        body = {"url": "http://a.example/", "goal": "x"}
        with client.stream("POST", "/v1/automation/run-sse", json=body) as stream:
            frames = stream.iter_lines()
            assert "STARTED" in next(frames)
            os.kill(agent.pid, stop)
            begun = time.monotonic()
            with contextlib.suppress(httpx.HTTPError):
                for _ in frames:  # to the end of the stream
                    pass
            until(lambda: not (tmp_path / "agent.json").exists())
            assert time.monotonic() - begun < 10
        with served(tmp_path, *options) as again:
            (run,) = again.get("/v1/runs").json()["data"]
            assert (run["status"], run["error"]["code"]) == ("FAILED", "LOCAL_AGENT_RESTARTED")


def test_a_hundred_streams_are_told_their_heartbeats_together(tmp_path: Path) -> None:
    """Each has five in the time of five, however many there are; benchmarks/heartbeats.py has figures."""
    options = ("--engine", "simulate", "--simulate", "duration=600", "--heartbeat", "0.5")

    async def watch(client: httpx.AsyncClient) -> float:
        body = {"url": "http://a.example/", "goal": "x"}
        async with client.stream("POST", "/v1/automation/run-sse", json=body) as stream:
            lines, beats, begun = stream.aiter_lines(), 0, 0.0
            async for line in lines:
                begun = begun or time.monotonic()
                beats += "HEARTBEAT" in line
                if beats == 5:
                    return time.monotonic() - begun - 2.5
        return float("inf")

    async def watch_all(address: httpx.URL) -> list[float]:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(
            base_url=address, headers={"X-API-Key": "any"}, limits=limits, trust_env=False, timeout=60
        ) as client:
            return await asyncio.gather(*(watch(client) for _ in range(100)))

    with served(tmp_path, *options) as client:
        late = asyncio.run(watch_all(client.base_url))
        assert client.get("/v1/runs", params={"status": "PENDING"}).json()["pagination"]["total"] == 98
    assert max(late) < 1
