"""A real Chromium, and the application served to it, over an engine that tests hold the strings of.

A module shares one browser, and one event loop with it: a browser takes longer to start than most tests take.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import httpx
import pytest
import pytest_asyncio

from tests.localagent.doubles import TOKEN
from tests.localagent.sockets import served_app

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser

    from batchfish.localagent.runs.queue import RunQueue
    from tests.localagent.doubles import Clock

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


@pytest_asyncio.fixture(loop_scope="module")
async def served(queue: RunQueue, clock: Clock) -> AsyncIterator[httpx.AsyncClient]:
    """Serve the application over a real socket, and give a client of it, with a key."""
    async with (
        served_app(queue, clock) as address,
        httpx.AsyncClient(base_url=address, headers={"X-API-Key": TOKEN}, trust_env=False) as client,
    ):
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
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
