"""What tests control: an engine, a clock, pages and servers; the application over them."""

import asyncio
import contextlib
import re
import socket
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from itertools import chain, repeat
from typing import Any, Self

import httpx
import uvicorn

from batchfish.localagent.app import create_app
from batchfish.localagent.egress.loader import Loaded, LoadFailed
from batchfish.localagent.engines.base import Emit, Engine, RunOutcome, RunRequest, Step
from batchfish.localagent.engines.frames import OutlineJob, ReadAnswer, ReadJob
from batchfish.localagent.engines.worker import answer
from batchfish.localagent.liveview.links import WatchLinks
from batchfish.localagent.runs.queue import RunQueue
from batchfish.localagent.runs.store import RunStore
from batchfish.localagent.serve import Server
from batchfish.localagent.serve_settings import ServeSettings
from batchfish.localagent.simulation.faults import ResettableProtocol

TOKEN = "token-of-the-agent"
LINKS = WatchLinks("http://127.0.0.1:1234", "secret")


class Reader:
    """Reads pages in this process in place of another."""

    async def read(self, job: ReadJob | OutlineJob) -> ReadAnswer:
        return answer(job)


READER: Any = Reader()


class Pages:
    """Pages by address in place of the network."""

    def __init__(self, pages: Mapping[str, str | bytes]) -> None:
        self._pages = pages
        self.asked: list[str] = []
        self.loader: Any = self
        self.pool = READER

    async def load(self, url: str) -> Loaded:
        self.asked.append(url)
        if (page := self._pages.get(url)) is None:
            raise LoadFailed("LOCAL_HTTP_STATUS", f"{url} answered 404.")
        body = page if isinstance(page, bytes) else page.encode()
        return Loaded(url=url, content_type="text/html", body=body)


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
        async with asyncio.timeout(60):
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
    **more: Any,  # noqa: ANN401 - handed on
) -> AsyncIterator[RunQueue]:
    """Work on runs, two at once, for the length of the block."""
    with contextlib.closing(RunStore(":memory:")) as store:
        async with RunQueue(store, engine, **{"cap": 2, **more}, clock=clock) as queue:
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


@contextlib.asynccontextmanager
async def served_app(
    queue: RunQueue, clock: Callable[[], float], settings: ServeSettings | None = None
) -> AsyncIterator[str]:
    """Serve over a real socket for the time of the block, and yield the address; open streams are cut."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        links = WatchLinks(address, "secret")
        app = create_app(queue, links, settings or ServeSettings(), token=TOKEN, clock=clock)
        config = uvicorn.Config(
            app, http=ResettableProtocol, lifespan="off", log_level="critical", timeout_graceful_shutdown=1
        )
        server = Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        yield address
        server.stop()
        await serving


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


OK = b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 2\r\nset-cookie: a=b\r\n\r\nok"


class Listener:
    """Answers each request with the next of its answers, later ones with the last.

    No bytes close the connection, None keeps it open without an answer.
    """

    def __init__(self, *answers: bytes | None) -> None:
        self.is_connected_to, self.is_left = asyncio.Event(), asyncio.Event()
        self._serving: set[asyncio.Task[None] | None] = set()
        self.restart(*answers)

    def restart(self, *answers: bytes | None) -> None:
        """Use these answers from now on, and forget what was asked before."""
        self._answers = chain(answers, repeat(answers[-1]))
        self.heads: list[bytes] = []
        self.requests: asyncio.Queue[tuple[bytes, bytes]] = asyncio.Queue()
        self.bodies: list[bytes] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        self.origin = f"http://127.0.0.1:{self.port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await settle()  # a connection that has just been made gets its task
        for task in filter(None, self._serving):
            task.cancel()
        await settle()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._serving.add(asyncio.current_task())
        self.is_connected_to.set()
        try:
            self.heads.append(await reader.readuntil(b"\r\n\r\n"))
            length = re.search(rb"content-length: (\d+)", self.heads[-1].lower())
            body = await reader.readexactly(int(length[1])) if length else b""
            self.requests.put_nowait((self.heads[-1], body))
            self.bodies.append(body)
            answer = next(self._answers)
            if answer is None:
                await reader.read()
                self.is_left.set()
            else:
                writer.write(answer)
        except asyncio.IncompleteReadError as ended:
            self.heads.append(ended.partial)
        finally:
            writer.close()
