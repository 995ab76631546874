"""One local agent as a process: its socket, its parts, its port file, and when it ends."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import socket
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import uvicorn

from batchfish.errors import TryLater, WrongInput
from batchfish.localagent.api.webhooks import Webhooks
from batchfish.localagent.app import create_app
from batchfish.localagent.attach import Endpoint, keep_token, new_token, write_port_file
from batchfish.localagent.egress.dialer import Dialer
from batchfish.localagent.egress.pace import Pace
from batchfish.localagent.egress.proxy import Egress
from batchfish.localagent.egress.sample_site import SampleSite
from batchfish.localagent.liveview.links import WatchLinks
from batchfish.localagent.runs.queue import RunQueue
from batchfish.localagent.runs.store import RunStore, forget_old_runs
from batchfish.localagent.simulation.engine import SimulateEngine
from batchfish.localagent.simulation.faults import ResettableProtocol, faults_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
    from pathlib import Path

    from batchfish.localagent.engines.base import Engine
    from batchfish.localagent.serve_settings import ServeSettings

HOST = "127.0.0.1"
USERS_POLL = 0.25
GRACE = 2
STEP_LIMIT = frozenset(["agent_config.max_steps"])


def serve(
    settings: ServeSettings,
    *,
    on_ready: Callable[[Endpoint], None] = lambda _: None,
    protocol: type[ResettableProtocol] = ResettableProtocol,
) -> None:
    """Serve until stopped, or until the last user has gone; `on_ready` is called once it listens.

    `protocol` is the class of connections. TryLater if another agent uses the store, WrongInput if the port
    is taken, the site is not there, or no client could learn the key.
    """
    if settings.token_file is None and settings.port_file is None:
        raise WrongInput("Name a --token-file or a --port-file: clients read the API key there.")
    if settings.site is not None and not settings.site.is_dir():
        raise WrongInput(f"--site: {settings.site} is not a folder.")
    with _listen(settings.port) as listener, _lock(settings.store):
        asyncio.run(_serve(settings, listener, on_ready, protocol))


async def _serve(
    settings: ServeSettings,
    listener: socket.socket,
    on_ready: Callable[[Endpoint], None],
    protocol: type[ResettableProtocol],
) -> None:
    endpoint = Endpoint(
        base_url=f"http://{HOST}:{listener.getsockname()[1]}",
        token=new_token() if settings.token_file is None else keep_token(settings.token_file),
        pid=os.getpid(),
    )
    simulation = settings.simulation if settings.engine == "simulate" else None
    draw_lag = partial(simulation.draw_lag, simulation.chance("lags")) if simulation else lambda: 0.0
    faults = faults_of(simulation) if simulation else None
    async with contextlib.AsyncExitStack() as stack:
        # A run that is simulated may be lost when this process is killed.
        call_soon = asyncio.get_running_loop().call_soon if simulation else None
        store = RunStore(settings.store or ":memory:", call_soon=call_soon)
        stack.callback(store.close)
        links = WatchLinks(endpoint.base_url, store.secret())
        egress = await stack.enter_async_context(_egress(settings))
        engine = await stack.enter_async_context(_engine(settings, egress))
        webhooks = await stack.enter_async_context(Webhooks(egress, links.url))
        queue = await stack.enter_async_context(
            RunQueue(
                store,
                engine,
                cap=settings.cap,
                heeded=STEP_LIMIT if settings.engine == "model" else frozenset(),
                draw_lag=draw_lag,
                on_end=webhooks.announce,
            )
        )
        app = create_app(queue, links, settings, token=endpoint.token, faults=faults)
        server = Server(
            uvicorn.Config(
                app,
                http=protocol,
                ws="none",
                lifespan="off",
                log_level="warning",
                access_log=False,
                proxy_headers=False,
                date_header=False,
                server_header=False,
                timeout_graceful_shutdown=GRACE,
            )
        )
        stack.enter_context(_announced(endpoint, settings.port_file, on_ready))
        for stop in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(stop, server.stop)
        cleanup = forget_old_runs(
            store, keep_for=settings.keep_for, keep_runs=settings.keep_runs, clock=time.time
        )
        async with _in_background(_stop_unused(server, settings.users), cleanup):
            await server.serve(sockets=[listener])


def _egress(settings: ServeSettings) -> Egress:
    allowed = settings.allowed_origins()
    site = None if settings.site is None else SampleSite(settings.site)
    return Egress(Dialer(allowed), site, pace=Pace(settings.page_interval, allowed))


@contextlib.asynccontextmanager
async def _engine(settings: ServeSettings, egress: Egress) -> AsyncIterator[Engine]:
    if settings.engine == "simulate":
        yield SimulateEngine(settings.simulation, chance=settings.simulation.chance("runs"))
        return
    from batchfish.localagent.engines.choice import reading_engine

    async with reading_engine(
        settings.engine,
        egress,
        chromium=settings.chromium,
        cap=settings.cap,
        endpoint=settings.endpoint,
    ) as engine:
        yield engine


@contextlib.contextmanager
def _announced(
    endpoint: Endpoint, port_file: Path | None, on_ready: Callable[[Endpoint], None]
) -> Iterator[None]:
    """Publish where the agent is for the length of the block; the socket listens already."""
    if port_file is not None:
        write_port_file(port_file, endpoint)
    on_ready(endpoint)
    try:
        yield
    finally:
        if port_file is not None:
            port_file.unlink(missing_ok=True)


@contextlib.asynccontextmanager
async def _in_background(*jobs: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run coroutines for the length of the block."""
    tasks = [asyncio.create_task(job) for job in jobs]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _stop_unused(server: Server, users: Path | None) -> None:
    """Stop the server once nobody holds a lock on `users`.

    The lock is then ours until the process ends: a client that comes meanwhile waits for it, and starts a new
    agent.
    """
    if users is None:
        return
    lock = os.open(users, os.O_RDWR | os.O_CREAT, 0o600)
    while True:
        await asyncio.sleep(USERS_POLL)
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            server.stop()
            return


def _listen(port: int) -> socket.socket:
    # The protocol is named because asyncio turns Nagle's delay of 40 ms off only for sockets that say TCP.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except (OSError, OverflowError) as error:
        listener.close()
        reason = error.strerror if isinstance(error, OSError) else "it is not from 0 to 65535"
        remedy = "Name another port; --port 0 takes a free one."
        raise WrongInput(f"--port {port} cannot be listened on: {reason}", remedy=remedy) from None
    listener.listen(1024)
    return listener


@contextlib.contextmanager
def _lock(store: Path | None) -> Iterator[None]:
    """Lock the store for the length of the block: two agents would each work on its runs."""
    if store is None:
        yield
        return
    path = store.with_suffix(".lock")
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600)) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TryLater(f"Another local agent uses {store}.") from None
        yield


class Server(uvicorn.Server):
    """uvicorn's server without its signal handling, which ends the process before our clean-up is done."""

    def stop(self) -> None:
        """Accept no more connections, and end."""
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Install no signal handlers: `serve` has its own."""
        yield
