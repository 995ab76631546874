"""The local agent's application over a real socket, in this process."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING

import uvicorn

from batchfish.localagent.app import create_app
from batchfish.localagent.liveview.links import WatchLinks
from batchfish.localagent.serve import Server
from batchfish.localagent.serve_settings import ServeSettings
from tests.localagent.doubles import TOKEN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from batchfish.localagent.runs.queue import RunQueue


@contextlib.asynccontextmanager
async def served_app(
    queue: RunQueue, clock: Callable[[], float], settings: ServeSettings | None = None
) -> AsyncIterator[str]:
    """Serve for the time of the block, and give the address; streams still open then are cut."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        links = WatchLinks(address, "secret")
        app = create_app(queue, links, settings or ServeSettings(), token=TOKEN, clock=clock)
        config = uvicorn.Config(app, lifespan="off", log_level="critical", timeout_graceful_shutdown=1)
        server = Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        yield address
        server.stop()
        await serving
