"""How fast pages of one host are opened: by a clock of its own, and through the API."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

import pytest

from batchfish.localagent.egress.addresses import parse_origin
from batchfish.localagent.egress.dialer import Dialer
from batchfish.localagent.egress.pace import Pace
from batchfish.localagent.egress.proxy import Egress
from batchfish.localagent.engines.choice import reading_engine
from tests.localagent.doubles import client_of, working_queue
from tests.localagent.listeners import Listener

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchfish.localagent.egress.dialer import Streams


class Watch:
    """A clock that goes on by waiting, and the waits that were asked for."""

    def __init__(self) -> None:
        self.now = 100.0
        self.waits: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    def pace(self, interval: float = 1.0, *allowed: str) -> Pace:
        return Pace(interval, map(parse_origin, allowed), clock=lambda: self.now, sleep=self.sleep)


async def turns(pace: Pace, *urls: str) -> None:
    for url in urls:
        await pace.turn(url)


async def test_pages_of_one_host_are_a_second_apart_and_hosts_do_not_wait_for_each_other() -> None:
    watch = Watch()
    await turns(
        watch.pace(), "http://a.test/1", "https://a.test:8443/2", "http://A.TEST./3", "http://b.test/1"
    )
    assert watch.waits == [1.0, 1.0]


async def test_a_turn_that_is_cancelled_delays_nobody() -> None:
    watch, begun = Watch(), asyncio.Event()

    async def sleep(seconds: float) -> None:
        begun.set()
        await asyncio.Event().wait()

    pace = Pace(1.0, clock=lambda: watch.now, sleep=sleep)
    await pace.turn("http://a.test/")
    waiting = asyncio.create_task(pace.turn("http://a.test/"))
    await begun.wait()
    waiting.cancel()
    await asyncio.wait([waiting])
    watch.now += 1.0
    await asyncio.wait_for(pace.turn("http://a.test/"), 5)


async def test_time_that_has_passed_is_not_waited_for_again() -> None:
    watch = Watch()
    pace = watch.pace(2.0)
    await pace.turn("http://a.test/")
    watch.now += 1.5
    await pace.turn("http://a.test/")
    watch.now += 60
    await pace.turn("http://a.test/")
    assert watch.waits == [0.5]


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.example/",
        "http://127.0.0.1:3000/x",
        "http://local.test/",
        "http://[",
        "no url",
        "file:///x",
    ],
)
async def test_the_sample_site_allowed_origins_and_what_is_no_page_are_not_slowed_down(url: str) -> None:
    watch = Watch()
    pace = watch.pace(1.0, "http://127.0.0.1:3000", "http://local.test")
    await turns(pace, url, url)
    assert watch.waits == []


async def test_no_interval_is_no_wait() -> None:
    watch = Watch()
    await turns(watch.pace(0), "http://a.test/", "http://a.test/")
    assert watch.waits == []


async def test_only_hosts_that_must_still_wait_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batchfish.localagent.egress.pace.MOST_HOSTS", 3)
    watch = Watch()
    pace = watch.pace()
    for number in range(50):
        watch.now += 0.6
        await pace.turn(f"http://{number}.test/")
    assert len(pace._hosts) <= 4  # noqa: SLF001 - what it keeps is what is tested
    await pace.turn("http://49.test/")
    assert watch.waits == [1.0]


async def test_runs_on_one_real_host_take_turns() -> None:
    page = b"<title>Lamp</title><p>Price: $3</p>"
    answer = b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: %d\r\n\r\n%s" % (len(page), page)
    watch = Watch()

    async def resolve(host: str, port: int) -> Sequence[str]:
        return ["93.184.216.34"]

    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(Listener(answer))

        async def connect(address: str, port: int) -> Streams:
            return await asyncio.open_connection("127.0.0.1", server.port)

        egress = Egress(Dialer(resolve=resolve, connect=connect), pace=watch.pace())
        await stack.enter_async_context(egress)
        engine = await stack.enter_async_context(reading_engine("extract", egress, chromium=None, cap=3))
        queue = await stack.enter_async_context(working_queue(engine, time.time, cap=3))
        client = await stack.enter_async_context(client_of(queue, time.time))
        schema = {"type": "object", "properties": {"price": {"type": "number"}}}
        asked = [
            {"url": f"http://{host}/", "goal": "Read the price", "output_schema": schema}
            for host in ("shop.test", "shop.test", "shop.test", "other.test")
        ]
        answers = await asyncio.gather(*(client.post("/v1/automation/run", json=body) for body in asked))
    assert [answer.json()["result"] for answer in answers] == [{"price": 3.0}] * 4
    assert watch.waits == [1.0, 1.0]
