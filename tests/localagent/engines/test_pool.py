"""Reading processes: kept for the next page, killed when one takes too long, bounded in what they take."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from batchfish.localagent.engines.extract import ExtractEngine
from batchfish.localagent.engines.frames import BEGUN, HEADER, OutlineJob, ReadJob, length_of, pack
from batchfish.localagent.engines.pool import WorkerPool
from tests.localagent.browsing import PRICE, ask, failure_of, read
from tests.localagent.doubles import Pages
from tests.localagent.page.pages import DAY, NUMBER, TEXT, several
from tests.pipes import stop_while_it_writes

pytestmark = pytest.mark.process

ITEM = "<p><b>Price:</b> $3</p>"


def page(body: str, schema: dict[str, Any] = PRICE) -> ReadJob:
    return ReadJob(
        url="http://a.example/",
        goal="x",
        content_type="text/html",
        body=f"<html lang=en><body>{body}</body></html>".encode(),
        output_schema=schema,
    )


QUICK, SLOW = page("<p>Price: $3</p>"), page(ITEM * 150_000)


@pytest.fixture
def others() -> set[int]:
    """Return the child processes that other tests have left running: they are none of the pool's."""
    return children()


@pytest.fixture
async def pool(others: set[int]) -> AsyncIterator[WorkerPool]:
    pool = WorkerPool(warm=1)
    await pool.start()
    yield pool
    await pool.close()


def children() -> set[int]:
    return set(map(int, Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()))


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_an_answer_is_whole_though_its_process_is_stopped_while_it_writes(unbuffered: str) -> None:
    worker = subprocess.Popen(
        [sys.executable, "-m", "batchfish.localagent.engines.worker", str(2**30)],
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    text = "fish " * 100_000
    job = OutlineJob(url="http://a.example/", content_type="text/html", body=f"<p>{text}".encode())
    with worker:
        assert worker.stdin is not None
        assert worker.stdout is not None
        worker.stdin.write(pack(job))
        worker.stdin.close()
        stop_while_it_writes(worker.pid)
        assert worker.stdout.read(len(BEGUN)) == BEGUN
        header, answer = worker.stdout.read(HEADER.size), worker.stdout.read()
    assert len(answer) == length_of(header) > len(text) // 2


async def test_a_page_that_takes_too_long_ends_with_its_process() -> None:
    pool = WorkerPool(warm=0, time_limit=0.5)
    before = children()
    with pytest.raises(TimeoutError):
        await pool.read(SLOW)
    assert children() <= before
    await pool.close()


async def test_the_start_of_a_process_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, python = tmp_path / "gate", tmp_path / "python"
    os.mkfifo(gate)
    python.write_text(f'#!/bin/sh\ncat "{gate}"\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(python))
    pool = WorkerPool(warm=0)
    reading = asyncio.create_task(pool.read(QUICK))
    opened = await asyncio.to_thread(gate.open, "wb")  # once the process has come to it
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "time", lambda now=loop.time: now() + 3600)
    for _ in range(10):
        await asyncio.sleep(0)
    opened.close()
    assert (await reading).result == {"price": 3.0}
    await pool.close()


async def test_a_cancelled_page_ends_its_process_and_no_other(pool: WorkerPool, others: set[int]) -> None:
    before = children() - others
    reading = asyncio.create_task(pool.read(SLOW))
    await asyncio.sleep(0.2)  # into the middle of the page
    begun = time.monotonic()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert time.monotonic() - begun < 10
    assert not children() & before
    assert (await pool.read(QUICK)).result == {"price": 3.0}


async def test_a_page_that_needs_too_much_memory_fails_its_run_and_the_next_is_read() -> None:
    pages = Pages({"http://large.example/": ITEM * 250_000, "http://small.example/": ITEM})
    pool = WorkerPool(most_memory=120 << 20)
    engine = ExtractEngine(pages.loader, pool)
    failure = failure_of((await read(engine, ask("large")))[0])
    assert (failure.code, failure.category) == ("LOCAL_TOO_LARGE", "AGENT_FAILURE")
    assert "more memory than it may have" in failure.message
    assert (await read(engine, ask("small")))[0].result == {"price": 3.0}
    await pool.close()


HEAD = "<tr><th>Name</th><th>Price</th><th>Released</th></tr>"
ROW = "<tr><td><a href='/p/{0}'>Item {0}</a></td><td>£{0}.50</td><td>{1} March 2021</td></tr>"
CARD = "<li><h3>Item {0}</h3><p>£{0}.50</p><time>{1} March 2021</time></li>"
ITEMS = several("items", name=TEXT, price=NUMBER, released=DAY)
LAST = {"name": "Item 11999", "price": 11999.5, "released": "2021-03-16"}
MOST_SECONDS, MOST_MEGABYTES = 10, 500
TABLE, LIST = ("".join(form.format(n, n % 28 + 1) for n in range(12_000)) for form in (ROW, CARD))


def spent(pid: int) -> tuple[float, float]:
    """Return a process's processor time in seconds, and the most memory that it has held in megabytes."""
    times = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    (peak,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if "VmHWM" in line]
    return sum(map(int, times)) / os.sysconf("SC_CLK_TCK"), int(peak.split()[1]) / 1024


@pytest.mark.parametrize(
    ("job", "last"),
    [
        (page(f"<p>Price: $3</p>{'<div>' * 20_000}x{'</div>' * 20_000}"), {"price": 3.0}),
        (page(f"<p>Price: $3</p>{'<b>' * 20_000}x"), {"price": 3.0}),
        pytest.param(page(f"<table>{HEAD}{TABLE}</table>", ITEMS), LAST, marks=pytest.mark.slow),
        pytest.param(page(f"<ul>{LIST}</ul>", ITEMS), LAST, marks=pytest.mark.slow),
    ],
    ids=["nested and closed", "nested and unclosed", "rows", "cards"],
)
async def test_large_pages_are_read_in_bounds(others: set[int], job: ReadJob, last: dict[str, Any]) -> None:
    """Bounds of processor time, which no busy neighbour changes."""
    pool = WorkerPool(warm=1, time_limit=200)
    await pool.start()
    (pid,) = children() - others
    result = (await pool.read(job)).result
    assert result.get("items", [result])[-1] == last
    seconds, megabytes = spent(pid)
    assert seconds < MOST_SECONDS
    assert megabytes < MOST_MEGABYTES
    await pool.close()
