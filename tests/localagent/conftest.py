"""The local agent's application in this process, over an engine that tests control; and a browser."""

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from batchfish.localagent.egress.dialer import Dialer
from batchfish.localagent.egress.proxy import Egress
from batchfish.localagent.engines.browser.chromium import Chromium
from batchfish.localagent.runs.queue import RunQueue
from tests.localagent.browsing import KEY, require_chromium
from tests.localagent.doubles import Clock, ManualEngine, client_of, working_queue


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def engine() -> ManualEngine:
    return ManualEngine()


@pytest.fixture
async def queue(engine: ManualEngine, clock: Clock) -> AsyncIterator[RunQueue]:
    async with working_queue(engine, clock) as queue:
        yield queue


@pytest.fixture
async def api(queue: RunQueue, clock: Clock) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of the application, with the key."""
    async with client_of(queue, clock) as client:
        yield client


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Chromium]:
    """Start one browser for all engines in this process: that takes longer than most tests of them."""
    async with Egress(Dialer()) as egress:
        browser = Chromium(egress, require_chromium())
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TINYFISH_API_KEY", KEY)
            await browser.start()
        yield browser
        await browser.close()
