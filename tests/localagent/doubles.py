"""An engine and a clock that tests control, the application over them, and a way to make runs."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import httpx

from batchfish.localagent.app import create_app
from batchfish.localagent.engines.base import Emit, Engine, RunOutcome, RunRequest, Step
from batchfish.localagent.liveview.links import WatchLinks
from batchfish.localagent.runs.queue import RunQueue
from batchfish.localagent.runs.store import RunStore
from batchfish.localagent.serve_settings import ServeSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from batchfish.localagent.engines.base import Engine
    from batchfish.localagent.runs.records import StoredRun

TOKEN = "token-of-the-agent"
LINKS = WatchLinks("http://127.0.0.1:1234", "secret")


class ManualEngine:
    """Works on a run until a test ends it."""

    def __init__(self) -> None:
        self.alive: dict[str, asyncio.Future[RunOutcome]] = {}
        self._emits: dict[str, Emit] = {}
        self._begun: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.stopped: list[str] = []
        self.order: list[str] = []

    async def run(self, request: RunRequest, emit: Emit) -> RunOutcome:
        emit(Step(action=f"opened {request.url}"))
        self._emits[request.url] = emit
        self.order.append(request.url)
        self.alive[request.url] = asyncio.get_running_loop().create_future()
        self._begun[request.url].set()
        try:
            return await self.alive[request.url]
        except asyncio.CancelledError:
            self.stopped.append(request.url)
            raise
        finally:
            del self.alive[request.url]

    async def begun(self, url: str) -> None:
        """Wait until the run of `url` is worked on."""
        async with asyncio.timeout(10):
            await self._begun[url].wait()

    async def tell(self, url: str, step: Step) -> None:
        """Add a step to the run of `url`."""
        self._emits[url](step)
        await settle()

    async def end(self, url: str, outcome: RunOutcome) -> None:
        """End the run of `url` and let the agent write that down."""
        self.alive[url].set_result(outcome)
        await settle()

    async def close(self) -> None:
        """There is nothing to release."""


@contextlib.asynccontextmanager
async def working_queue(
    engine: Engine,
    clock: Callable[[], float],
    *,
    cap: int = 2,
    on_end: Callable[[StoredRun], None] = lambda _: None,
) -> AsyncIterator[RunQueue]:
    """Work on runs, two at once, for the length of the block."""
    with contextlib.closing(RunStore(":memory:")) as store:
        async with RunQueue(store, engine, cap=cap, clock=clock, on_end=on_end) as queue:
            yield queue


def client_of(
    queue: RunQueue, clock: Callable[[], float], settings: ServeSettings | None = None
) -> httpx.AsyncClient:
    """Return a client, with the key, of the application over a queue."""
    app = create_app(queue, LINKS, settings or ServeSettings(), token=TOKEN, clock=clock)
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://127.0.0.1",
        headers={"X-API-Key": TOKEN},
        timeout=60,
    )


async def settle() -> None:
    """Yield to the other tasks until none of them can go on."""
    for _ in range(10):
        await asyncio.sleep(0)


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


async def create(api: httpx.AsyncClient, url: str = "http://a.example/", **fields: object) -> str:
    """Make a run and give its id."""
    body: Mapping[str, Any] = {"url": url, "goal": "Read the price", **fields}
    answer = await api.post("/v1/automation/run-async", json=body)
    assert answer.status_code == 200, answer.text
    await settle()
    run_id: str = answer.json()["run_id"]
    return run_id
