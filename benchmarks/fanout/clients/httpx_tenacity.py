"""A good script with httpx and tenacity: a task an item, and polls of one run that back off.

    python httpx_tenacity.py ITEMS OUTPUT CONCURRENCY

OUTPUT gets a line of JSON for each end, with the time at which it was known. The key and the address of the
API are in TINYFISH_API_KEY and BATCHFISH_BASE_URL.
"""

import asyncio
import csv
import json
import os
import sys
import time
from pathlib import Path
from typing import Any, TextIO

import httpx
from tenacity import AsyncRetrying, retry_if_exception_type, retry_if_result, wait_exponential

ALIVE = {"PENDING", "RUNNING"}
CONNECTIONS = 50  # more of them make httpx's pool slower, not faster


async def main(items: list[dict[str, str]], output: TextIO, concurrency: int) -> None:
    """Run all items, this many at once."""
    slots = asyncio.Semaphore(concurrency)
    again = retry_if_exception_type((httpx.TransportError, httpx.HTTPStatusError))
    creates = AsyncRetrying(retry=again, wait=wait_exponential(max=30))
    polls = AsyncRetrying(
        retry=again | retry_if_result(lambda run: run["status"] in ALIVE),
        wait=wait_exponential(multiplier=0.25, max=4),
    )
    async with httpx.AsyncClient(
        base_url=os.environ["BATCHFISH_BASE_URL"],
        headers={"X-API-Key": os.environ["TINYFISH_API_KEY"]},
        limits=httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS),
        timeout=httpx.Timeout(30, pool=None),
    ) as client:

        async def ask(method: str, path: str, body: object = None) -> dict[str, Any]:
            answer = await client.request(method, path, json=body)
            document: dict[str, Any] = answer.raise_for_status().json()
            return document

        async def follow(item: dict[str, str]) -> None:
            async with slots:
                body = {"url": item["url"], "goal": item["goal"]}
                queued: dict[str, Any] = await creates.copy()(ask, "POST", "/v1/automation/run-async", body)
                run: dict[str, Any] = await polls.copy()(ask, "GET", f"/v1/runs/{queued['run_id']}")
            line = {"run_id": run["run_id"], "at": time.time(), "result": run["result"]}
            output.write(json.dumps(line) + "\n")

        await asyncio.gather(*map(follow, items))


if __name__ == "__main__":
    with Path(sys.argv[1]).open(newline="") as rows, Path(sys.argv[2]).open("w") as lines:
        asyncio.run(main(list(csv.DictReader(rows)), lines, int(sys.argv[3])))
