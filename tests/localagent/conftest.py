"""The local agent's application in this process, over an engine that tests control."""

from collections.abc import AsyncIterator

import httpx
import pytest

from batchfish.localagent.runs.queue import RunQueue
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
