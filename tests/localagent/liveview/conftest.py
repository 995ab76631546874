"""A real Chromium, and the application served to it, over an engine that tests hold the strings of."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from typing import TYPE_CHECKING

import httpx
import pytest
import uvicorn

from batchfish.localagent.app import create_app
from batchfish.localagent.liveview.links import WatchLinks
from batchfish.localagent.serve import Server
from batchfish.localagent.settings import ServeSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser

    from batchfish.localagent.runs import RunQueue
    from tests.localagent.strings import Clock

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture
async def served(queue: RunQueue, clock: Clock) -> AsyncIterator[httpx.AsyncClient]:
    """Serve the application over a real socket, and give a client of it, with a key."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        app = create_app(queue, WatchLinks(address, "secret"), ServeSettings(), token="ours", clock=clock)
        config = uvicorn.Config(app, lifespan="off", log_level="error", timeout_graceful_shutdown=1)
        server = Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        async with httpx.AsyncClient(
            base_url=address, headers={"X-API-Key": "any"}, trust_env=False
        ) as client:
            yield client
        server.stop()
        await serving


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    """Start a browser, or skip in words."""
    playwright = pytest.importorskip("playwright.async_api", reason="playwright is not installed")
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip("no Chromium is installed")
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # root may not have one
    async with playwright.async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=program, args=sandbox)
        yield browser
        await browser.close()
