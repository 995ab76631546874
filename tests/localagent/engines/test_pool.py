"""Reading processes: kept for the next page, killed when a page takes too long or its run is cancelled."""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING

import pytest

from batchfish.localagent.engines.frames import ReadJob
from batchfish.localagent.engines.pool import WorkerPool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.process

SCHEMA = {"type": "object", "properties": {"price": {"type": "number"}}}


def page(body: bytes) -> ReadJob:
    return ReadJob(
        url="http://a.example/", goal="x", content_type="text/html", body=body, output_schema=SCHEMA
    )


QUICK = page(b"<html><body><p>Price: $3</p></body></html>")
SLOW = page(b"<html><body>" + b"<p><b>Price:</b> $3</p>" * 150_000 + b"</body></html>")


@pytest.fixture
async def pool() -> AsyncIterator[WorkerPool]:
    pool = WorkerPool(warm=1)
    await pool.start()
    yield pool
    await pool.close()


def children() -> set[int]:
    """Give the living child processes of this one."""
    with open(f"/proc/self/task/{os.getpid()}/children") as file:  # noqa: PTH123 - /proc is no folder of files
        return set(map(int, file.read().split()))


async def test_one_process_reads_page_after_page(pool: WorkerPool) -> None:
    before = children()
    for _ in range(3):
        assert (await pool.read(QUICK)).result == {"price": 3.0}
    assert children() == before


async def test_a_page_that_takes_too_long_ends_with_its_process() -> None:
    pool = WorkerPool(warm=0, time_limit=0.5)
    before = children()
    with pytest.raises(TimeoutError):
        await pool.read(SLOW)
    assert children() == before
    await pool.close()


async def test_a_cancelled_page_ends_with_its_process_and_the_next_one_is_read(pool: WorkerPool) -> None:
    before = children()
    reading = asyncio.create_task(pool.read(SLOW))
    await asyncio.sleep(0.2)  # into the middle of the page
    begun = time.monotonic()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert time.monotonic() - begun < 2
    assert not children() & before
    assert (await pool.read(QUICK)).result == {"price": 3.0}
