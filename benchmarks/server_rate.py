"""How many creates a second the simulating server carries, and what a run costs it.

    python -m benchmarks.server_rate [--creates 5000] [--connections 16] [--rounds 3]

Two servers in turn: `batchfish serve` as it is, and the one of `make bench`. A client on another core sends
run-async on kept-alive connections, polls a hundred runs at a time until all of them have ended, and lists
them. CPU is the server's: for 1,000 creates, for 1,000 runs from create to end, polls included, and for
listing 1,000 runs. Figures are medians.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from benchmarks.fanout.serving import Server, pin, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

SIDES = {"batchfish serve": "batchfish.localagent", "make bench": "benchmarks.fanout.server"}
SCHEMA = {"type": "object", "properties": {"title": {"type": "string"}, "price": {"type": "number"}}}
IDS_PER_CALL = 100
ALIVE = {"PENDING", "RUNNING"}


class Connection:
    """One kept-alive connection, with as little of HTTP as this server needs."""

    def __init__(self, server: Server) -> None:
        address = urlsplit(server.base_url)
        self._place = (address.hostname, address.port)
        self._head = (
            f"Host: {address.netloc}\r\nX-API-Key: {server.token}\r\nContent-Type: application/json\r\n"
        )

    async def open(self) -> None:
        """Connect."""
        self._reader, self._writer = await asyncio.open_connection(*self._place)

    async def post(self, path: str, body: object) -> Any:  # noqa: ANN401 - any JSON
        """Send a body of JSON and return the document of its answer."""
        return await self._call("POST", path, json.dumps(body).encode())

    async def get(self, path: str) -> Any:  # noqa: ANN401 - any JSON
        """Return the document of an answer."""
        return await self._call("GET", path, b"")

    async def _call(self, method: str, path: str, sent: bytes) -> Any:  # noqa: ANN401 - any JSON
        head = f"{method} {path} HTTP/1.1\r\n{self._head}Content-Length: {len(sent)}\r\n\r\n"
        self._writer.write(head.encode() + sent)
        lines = (await self._reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
        (length,) = (int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length:"))
        answer = await self._reader.readexactly(length)
        if b" 200 " not in lines[0]:
            raise SystemExit(f"{lines[0].decode()}: {answer.decode()}")
        return json.loads(answer)

    def close(self) -> None:
        """Disconnect."""
        self._writer.close()


async def load(server: Server, creates: int, connections: int) -> tuple[float, float, float, float]:
    """Return creates a second, and the server's CPU seconds: 1,000 creates, whole runs, runs listed."""
    numbers: Iterator[int] = iter(range(creates))
    run_ids: list[str] = []
    opened = [Connection(server) for _ in range(connections)]
    await asyncio.gather(*(connection.open() for connection in opened))

    async def create(connection: Connection) -> None:
        for n in numbers:
            body = {"url": f"https://books.example/{n}", "goal": f"Read book {n}", "output_schema": SCHEMA}
            run_ids.append((await connection.post("/v1/automation/run-async", body))["run_id"])

    before, begun = server.cpu(), time.perf_counter()
    await asyncio.gather(*map(create, opened))
    rate, created = creates / (time.perf_counter() - begun), server.cpu() - before
    while run_ids:
        some, run_ids = run_ids[:IDS_PER_CALL], run_ids[IDS_PER_CALL:]
        found = await opened[0].post("/v1/runs/batch", {"run_ids": some})
        run_ids += [run["run_id"] for run in found["data"] if run["status"] in ALIVE]
    whole = server.cpu() - before
    await list_runs(opened[0])
    listed = server.cpu() - before - whole
    for connection in opened:
        connection.close()
    return rate, 1000 * created / creates, 1000 * whole / creates, 1000 * listed / creates


async def list_runs(connection: Connection) -> None:
    """Read the listing page by page, as far as it goes."""
    cursor = ""
    while True:
        page = await connection.get(f"/v1/runs?goal=book&limit={IDS_PER_CALL}{cursor}")
        if not page["pagination"]["has_more"]:
            return
        cursor = f"&cursor={page['pagination']['next_cursor']}"


def main() -> None:
    """Measure both servers in turn."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--creates", type=int, default=5_000, help="runs created in each round")
    parser.add_argument("--connections", type=int, default=16, help="requests at once")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each server")
    given = parser.parse_args()
    found: dict[str, list[tuple[float, float, float, float]]] = {side: [] for side in SIDES}
    pin(os.getpid(), 1)
    for _ in range(given.rounds):
        for side, module in SIDES.items():
            with TemporaryDirectory() as folder:
                arguments = (
                    [module] if side == "batchfish serve" else [module, str(Path(folder) / "counts.json")]
                )
                with serving(arguments, "duration=0.05", given.creates, Path(folder)) as server:
                    found[side].append(asyncio.run(load(server, given.creates, given.connections)))
    for side, rounds in found.items():
        rate, created, whole, listed = map(statistics.median, zip(*rounds, strict=True))
        cpu = f"CPU s for 1,000 creates {created:.2f}, for 1,000 runs {whole:.2f}, to list 1,000 {listed:.3f}"
        print(f"{side:16} {rate:6,.0f} creates/s, {cpu}")


if __name__ == "__main__":
    main()
