"""The official SDK in its documented pattern: queue each run, then get it until it has ended.

    python sdk.py ITEMS OUTPUT CONCURRENCY SECONDS

SECONDS pass between two requests for one run. OUTPUT gets a line of JSON for each end, with the time at which
it was known. The key and the address of the API are in TINYFISH_API_KEY and BATCHFISH_BASE_URL.
"""

import asyncio
import csv
import json
import os
import sys
import time
from pathlib import Path
from typing import TextIO

from tinyfish import AsyncTinyFish, RunStatus

ALIVE = {RunStatus.PENDING, RunStatus.RUNNING}


async def main(items: list[dict[str, str]], output: TextIO, concurrency: int, seconds: float) -> None:
    """Run all items, this many at once."""
    slots = asyncio.Semaphore(concurrency)
    client = AsyncTinyFish(base_url=os.environ["BATCHFISH_BASE_URL"])

    async def follow(item: dict[str, str]) -> None:
        async with slots:
            queued = await client.agent.queue(url=item["url"], goal=item["goal"])
            if queued.run_id is None:
                raise SystemExit(f"not queued: {queued.error}")
            run = await client.runs.get(queued.run_id)
            while run.status in ALIVE:
                await asyncio.sleep(seconds)
                run = await client.runs.get(queued.run_id)
        output.write(json.dumps({"run_id": run.run_id, "at": time.time(), "result": run.result}) + "\n")

    await asyncio.gather(*map(follow, items))


if __name__ == "__main__":
    with Path(sys.argv[1]).open(newline="") as rows, Path(sys.argv[2]).open("w") as lines:
        asyncio.run(main(list(csv.DictReader(rows)), lines, int(sys.argv[3]), float(sys.argv[4])))
