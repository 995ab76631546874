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
def others() -> set[int]:
    """Give the child processes that other tests have left running: they are none of the pool's."""
    return children()


@pytest.fixture
async def pool(others: set[int]) -> AsyncIterator[WorkerPool]:
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


async def test_a_cancelled_page_ends_with_its_process_and_the_next_one_is_read(
    pool: WorkerPool, others: set[int]
) -> None:
    before = children() - others
    reading = asyncio.create_task(pool.read(SLOW))
    await asyncio.sleep(0.2)  # into the middle of the page
    begun = time.monotonic()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert time.monotonic() - begun < 2
    assert not children() & before
    assert (await pool.read(QUICK)).result == {"price": 3.0}


DEEP = "<html><body><h1>Deep</h1><p>Price: $3</p>{}</body></html>"
ROWS = "".join(
    f"<tr><td><a href='/p/{n}'>Item {n}</a></td><td>£{n}.50</td><td>{n % 28 + 1} March 2021</td></tr>"
    for n in range(12_000)
)
HEAD = "<tr><th>Name</th><th>Price</th><th>Released</th></tr>"
TABLE = f"<html lang=en><body><table>{HEAD}{ROWS}</table></body></html>"
ITEM = {
    "name": {"type": "string"},
    "price": {"type": "number"},
    "released": {"type": "string", "format": "date"},
}
ITEMS = {"type": "array", "items": {"type": "object", "properties": ITEM, "required": list(ITEM)}}
MOST_SECONDS, MOST_MEGABYTES = 20, 500


def spent(pid: int) -> tuple[float, float]:
    """Give a process's processor time in seconds, and the most memory that it has held in megabytes."""
    with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123 - /proc is no folder of files
        times = file.read().rpartition(")")[2].split()[11:13]
    with open(f"/proc/{pid}/status") as file:  # noqa: PTH123
        (peak,) = [line.split()[1] for line in file if line.startswith("VmHWM")]
    return sum(map(int, times)) / os.sysconf("SC_CLK_TCK"), int(peak) / 1024


@pytest.mark.parametrize(
    "body", ["<div>" * 20_000 + "x" + "</div>" * 20_000, "<b>" * 20_000 + "x"], ids=["closed", "unclosed"]
)
async def test_a_page_of_twenty_thousand_nested_tags_is_read(
    pool: WorkerPool, others: set[int], body: str
) -> None:
    assert (await pool.read(page(DEEP.format(body).encode()))).result == {"price": 3}
    (pid,) = children() - others
    seconds, megabytes = spent(pid)
    assert seconds < MOST_SECONDS
    assert megabytes < MOST_MEGABYTES


async def test_a_table_of_twelve_thousand_rows_is_read_within_bounds() -> None:
    """Bounds of processor time, which no busy neighbour changes."""
    pool = WorkerPool(warm=1, time_limit=200)
    before = children()
    await pool.start()
    (pid,) = children() - before
    schema = {"type": "object", "properties": {"items": ITEMS}, "required": ["items"]}
    job = ReadJob(
        url="http://a.example/", goal="x", content_type="text/html", body=TABLE.encode(), output_schema=schema
    )
    answer = await pool.read(job)
    assert answer.result["items"][11_999] == {
        "name": "Item 11999",
        "price": 11999.5,
        "released": "2021-03-16",
    }
    seconds, megabytes = spent(pid)
    assert seconds < MOST_SECONDS
    assert megabytes < MOST_MEGABYTES
    await pool.close()
