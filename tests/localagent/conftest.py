"""The local agent's application in this process, over an engine that tests hold the strings of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from batchfish.localagent.app import create_app
from batchfish.localagent.liveview.links import WatchLinks
from batchfish.localagent.settings import ServeSettings
from tests.localagent.doubles import Clock, ManualEngine, working_queue

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from batchfish.localagent.runs.queue import RunQueue

KEY = {"X-API-Key": "any"}
LINKS = WatchLinks("http://127.0.0.1:1234", "secret")


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
    """Give a client of the application, with a key."""
    app = create_app(queue, LINKS, ServeSettings(), token="ours", clock=clock)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=KEY) as client:
        yield client
