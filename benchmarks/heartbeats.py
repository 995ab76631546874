"""How late the heartbeats of 100 streams are, while the agent reads heavy pages and while it reads none.

One agent a side, in turn, each with 100 streams of runs that wait behind those it works on. `busy`: its
readers work on pages of 2,000 table rows without a pause. `idle`: the runs before the streams wait for a page
that never comes. A stream's schedule begins with its first byte as the client saw it, so that what is told
includes the client's own delays. The target is 1 s.

    python benchmarks/heartbeats.py [--streams 100] [--seconds 30]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import time
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import httpx

from batchfish.localagent.attach import Endpoint, local_agent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ROWS = 2_000
EVERY = 1.0  # seconds between heartbeats, fifteen times as often as usual
SCHEMA = {
    "type": "object",
    "properties": {
        "rows": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "price": {"type": "number"}},
            },
        }
    },
}
HEAVY = (
    "<!doctype html><title>Prices</title><table><caption>Rows</caption><tr><th>Name<th>Price"
    + "".join(f"<tr><td>Thing {n}<td>£{n % 900}.50" for n in range(ROWS))
    + "</table>"
).encode()


@contextlib.asynccontextmanager
async def pages() -> AsyncIterator[str]:
    """Serve the heavy page, and at `/never` one that does not come."""

    async def answer(requests: asyncio.StreamReader, page: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await requests.readuntil(b"\r\n\r\n")
            if b"/never" in head:
                await requests.read()
            page.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nConnection: close\r\n")
            page.write(b"Content-Length: %d\r\n\r\n" % len(HEAVY) + HEAVY)
            await page.drain()
        page.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def watch(client: httpx.AsyncClient, url: str, late: list[float], opened: asyncio.Semaphore) -> None:
    """Follow one stream, and note by how much each heartbeat misses its schedule; one left out is 1 s."""
    body = {"url": url, "goal": "wait"}
    async with client.stream("POST", "/v1/automation/run-sse", json=body) as stream:
        begun, beats = 0.0, 0
        async for line in stream.aiter_lines():
            now = time.perf_counter()
            if not begun:
                begun = now
                opened.release()
            if line.startswith("data:") and json.loads(line[5:])["type"] == "HEARTBEAT":
                beats += 1
                late.append(now - begun - beats * EVERY)


async def keep_busy(client: httpx.AsyncClient, origin: str, count: int) -> None:
    """Queue runs, all at once, so that streams wait behind them."""
    run = {"url": f"{origin}/heavy", "goal": "List the rows"}
    for begin in range(0, count, 100):
        runs = [run] * min(100, count - begin)
        answer = await client.post("/v1/automation/run-batch", json={"runs": runs, "output_schema": SCHEMA})
        answer.raise_for_status()


async def finished(client: httpx.AsyncClient) -> int:
    """Count the runs that came to a result."""
    page = await client.get("/v1/runs", params={"limit": 1, "status": "COMPLETED"})
    total: int = page.raise_for_status().json()["pagination"]["total"]
    return total


async def measure(agent: Endpoint, origin: str, *, is_busy: bool, streams: int, seconds: float) -> str:
    """Open the streams, let them run for a while, and say how late they were."""
    late: list[float] = []
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(
        base_url=agent.base_url,
        headers={"X-API-Key": agent.token},
        limits=limits,
        timeout=httpx.Timeout(None),
        trust_env=False,
    ) as client:
        if is_busy:
            await keep_busy(client, origin, int(40 * seconds))
        else:
            for _ in range(2):
                await client.post("/v1/automation/run-async", json={"url": f"{origin}/never", "goal": "wait"})
        opened = asyncio.Semaphore(0)
        tasks = [asyncio.create_task(watch(client, f"{origin}/never", late, opened)) for _ in range(streams)]
        for _ in tasks:
            await opened.acquire()
        late.clear()
        before, begun = await finished(client), time.perf_counter()
        await asyncio.sleep(seconds)
        read, passed = await finished(client) - before, time.perf_counter() - begun
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        answer = await client.get("/v1/runs", params={"status": "PENDING", "limit": 1})
        if answer.status_code != HTTPStatus.OK or (is_busy and not read):
            raise SystemExit("the agent did not read while the streams were watched")
    expected = int(streams * (seconds // EVERY - 1))
    if len(late) < expected:
        raise SystemExit(f"only {len(late)} heartbeats of at least {expected} came")
    late.sort()
    return (
        f"{len(late)} heartbeats, late by {statistics.median(late):.3f} s in the median,"
        f" {late[int(len(late) * 0.99)]:.3f} s at p99, {late[-1]:.3f} s at most; {read / passed:.1f} pages/s"
    )


async def main() -> None:
    """Measure both sides in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--streams", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=30.0)
    given = parser.parse_args()
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    async with pages() as origin:
        options = ("--engine", "extract", "--allow-origin", origin, "--heartbeat", str(EVERY))
        for side in ("idle", "busy"):
            with TemporaryDirectory() as folder, local_agent(Path(folder), options, env=environment) as agent:
                found = await measure(
                    agent, origin, is_busy=side == "busy", streams=given.streams, seconds=given.seconds
                )
                print(f"{side}: {found}", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
