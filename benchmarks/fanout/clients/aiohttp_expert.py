"""An expert's script with aiohttp: runs are created and polled a hundred at a time, and some always wait.

    python aiohttp_expert.py ITEMS OUTPUT CONCURRENCY

It is told the cap of the server as CONCURRENCY, and keeps twice as many runs alive, so that a slot which
becomes free there is filled at once. It keeps no journal: started again, it pays for everything again.
OUTPUT gets a line of JSON for each end, with the time at which it was known. The key and the address of the
API are in TINYFISH_API_KEY and BATCHFISH_BASE_URL.
"""

import asyncio
import csv
import json
import os
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any, TextIO

import aiohttp

ALIVE = {"PENDING", "RUNNING"}
IDS_PER_CALL = 100
SECONDS = 0.25  # between two polls
CONNECTIONS = 8


async def main(items: list[dict[str, str]], output: TextIO, concurrency: int) -> None:
    """Run all items; about twice as many as `concurrency` are alive, most of the time."""
    waiting = deque({"url": item["url"], "goal": item["goal"]} for item in items)
    alive: dict[str, None] = {}
    async with aiohttp.ClientSession(
        os.environ["BATCHFISH_BASE_URL"],
        headers={"X-API-Key": os.environ["TINYFISH_API_KEY"]},
        connector=aiohttp.TCPConnector(limit=CONNECTIONS),
        raise_for_status=True,
    ) as session:

        async def ask(path: str, body: object) -> dict[str, Any]:
            async with session.post(path, json=body) as answer:
                document: dict[str, Any] = await answer.json()
                return document

        async def create(runs: list[dict[str, str]]) -> None:
            made = await ask("/v1/automation/run-batch", {"runs": runs})
            alive.update(dict.fromkeys(made["run_ids"]))

        async def poll(run_ids: list[str]) -> None:
            found = await ask("/v1/runs/batch", {"run_ids": run_ids})
            for run in found["data"]:
                if run["status"] not in ALIVE:
                    del alive[run["run_id"]]
                    line = {"run_id": run["run_id"], "at": time.time(), "result": run["result"]}
                    output.write(json.dumps(line) + "\n")

        while waiting or alive:
            free = 2 * concurrency - len(alive)
            if waiting and free >= min(concurrency // 2, IDS_PER_CALL):
                new = [waiting.popleft() for _ in range(min(free, len(waiting)))]
                await asyncio.gather(
                    *(create(new[n : n + IDS_PER_CALL]) for n in range(0, len(new), IDS_PER_CALL))
                )
            await asyncio.sleep(SECONDS)
            ids = list(alive)
            await asyncio.gather(*(poll(ids[n : n + IDS_PER_CALL]) for n in range(0, len(ids), IDS_PER_CALL)))


if __name__ == "__main__":
    with Path(sys.argv[1]).open(newline="") as rows, Path(sys.argv[2]).open("w") as lines:
        asyncio.run(main(list(csv.DictReader(rows)), lines, int(sys.argv[3])))
