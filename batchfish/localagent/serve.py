"""One local agent as a process: its socket, its parts, its port file, and when it ends."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import signal
import socket
import struct
import time
from random import Random
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from batchfish.errors import TryLater, WrongInput
from batchfish.localagent.app import create_app
from batchfish.localagent.attach import Endpoint, keep_token, new_token, write_port_file
from batchfish.localagent.egress.addresses import parse_origin
from batchfish.localagent.egress.dialer import Dialer
from batchfish.localagent.egress.proxy import Egress
from batchfish.localagent.egress.sample_site import SampleSite
from batchfish.localagent.engines.choice import reading_engine
from batchfish.localagent.liveview.links import WatchLinks
from batchfish.localagent.runs.queue import RunQueue
from batchfish.localagent.runs.retention import keep_bounded
from batchfish.localagent.runs.store import RunStore
from batchfish.localagent.simulation.engine import SimulateEngine
from batchfish.localagent.simulation.faults import ABORT, Faults

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
    from pathlib import Path

    from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, HTTPScope

    from batchfish.localagent.engines.base import Engine
    from batchfish.localagent.settings import ServeSettings

LOGGER = logging.getLogger(__name__)
HOST = "127.0.0.1"
USERS_LOOK = 0.25
GRACE = 2
LINGER_NONE = struct.pack("ii", 1, 0)


def serve(settings: ServeSettings, *, tell: Callable[[Endpoint], None] = lambda _: None) -> None:
    """Serve until told to stop, or until the last user has gone; `tell` is called once it listens.

    TryLater where another agent has the store, WrongInput where the port is taken, the site is not there, or
    a token is required that nobody could know.
    """
    if settings.require_token and settings.token_file is None and settings.port_file is None:
        raise WrongInput("--require-token: name a --token-file or a --port-file for clients to read it in.")
    if settings.site is not None and not settings.site.is_dir():
        raise WrongInput(f"--site: {settings.site} is not a folder.")
    with _listen(settings.port) as listener, _own(settings.store):
        asyncio.run(_serve(settings, listener, tell))


async def _serve(settings: ServeSettings, listener: socket.socket, tell: Callable[[Endpoint], None]) -> None:
    endpoint = Endpoint(
        base_url=f"http://{HOST}:{listener.getsockname()[1]}",
        token=new_token() if settings.token_file is None else keep_token(settings.token_file),
        pid=os.getpid(),
    )
    chance = Random(settings.simulation.seed)  # noqa: S311 - simulated chance, no secret
    is_simulated = settings.engine == "simulate"
    async with contextlib.AsyncExitStack() as stack:
        book = RunStore(settings.store or ":memory:")
        stack.callback(book.close)
        engine = await stack.enter_async_context(_engine(settings, chance))
        queue = await stack.enter_async_context(
            RunQueue(
                book,
                engine,
                cap=settings.cap,
                draw_lag=(lambda: settings.simulation.draw_lag(chance)) if is_simulated else lambda: 0.0,
            )
        )
        app = create_app(
            queue,
            WatchLinks(endpoint.base_url, book.secret()),
            settings,
            token=endpoint.token,
            faults=Faults(simulation=settings.simulation, chance=chance) if is_simulated else None,
        )
        server = Server(
            uvicorn.Config(
                app,
                http=CuttableProtocol,
                lifespan="off",
                log_level="warning",
                access_log=False,
                date_header=False,
                server_header=False,
                timeout_graceful_shutdown=GRACE,
            )
        )
        stack.enter_context(_told(endpoint, settings.port_file, tell))
        for stop in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(stop, server.stop)
        bounded = keep_bounded(
            book, keep_for=settings.keep_for, keep_runs=settings.keep_runs, clock=time.time
        )
        async with _beside(_end_unused(server, settings.users), bounded):
            await server.serve(sockets=[listener])


@contextlib.asynccontextmanager
async def _engine(settings: ServeSettings, chance: Random) -> AsyncIterator[Engine]:
    if settings.engine == "simulate":
        yield SimulateEngine(settings.simulation, chance=chance)
        return
    site = None if settings.site is None else SampleSite(settings.site)
    async with (
        Egress(Dialer(map(parse_origin, settings.allow_origins)), site) as egress,
        reading_engine(settings.engine, egress, chromium=settings.chromium, cap=settings.cap) as engine,
    ):
        yield engine


@contextlib.contextmanager
def _told(endpoint: Endpoint, port_file: Path | None, tell: Callable[[Endpoint], None]) -> Iterator[None]:
    """Say where the agent is, and take it back at the end; the socket listens already, so none is refused."""
    if port_file is not None:
        write_port_file(port_file, endpoint)
    tell(endpoint)
    try:
        yield
    finally:
        if port_file is not None:
            port_file.unlink(missing_ok=True)


@contextlib.asynccontextmanager
async def _beside(*jobs: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run jobs for the time of the block."""
    tasks = [asyncio.create_task(job) for job in jobs]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _end_unused(server: Server, users: Path | None) -> None:
    """End the server once nobody holds a lock on `users`; the lock stays with us until the process ends."""
    if users is None:
        return
    lock = os.open(
        users, os.O_RDWR | os.O_CREAT, 0o600
    )  # never closed: who comes now waits, then starts anew
    while True:
        await asyncio.sleep(USERS_LOOK)
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
    except OSError as taken:
        listener.close()
        raise WrongInput(f"--port {port} cannot be listened on: {taken.strerror}.") from None
    listener.listen(1024)
    return listener


@contextlib.contextmanager
def _own(store: Path | None) -> Iterator[None]:
    """Hold the store: two agents on one book would each work on its runs."""
    if store is None:
        yield
        return
    with store.with_suffix(".lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TryLater(f"Another local agent has {store}.") from None
        yield


class Server(uvicorn.Server):
    """uvicorn's server, which leaves signals to us: its own handling ends the process before ours is done."""

    def stop(self) -> None:
        """Take no more connections, and end."""
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take no signal."""
        yield


class CuttableProtocol(H11Protocol):
    """HTTP/1.1 whose application may cut the connection, as an ASGI extension: a reset, not a goodbye."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - handed on as they come
        super().__init__(*args, **kwargs)
        app = self.app

        async def with_cut(scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
            scope["extensions"] = {**(scope.get("extensions") or {}), ABORT: {"cut": self._cut}}
            await app(scope, receive, send)

        self.app = with_cut

    def _cut(self) -> None:
        peer = self.transport.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NONE)
        self.transport.abort()
