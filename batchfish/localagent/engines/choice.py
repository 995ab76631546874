"""The choice of the engine: the one that was asked for, as far as this machine has what it needs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from batchfish.errors import WrongInput
from batchfish.localagent.egress.loader import Loader
from batchfish.localagent.engines.auto import AutoEngine
from batchfish.localagent.engines.browser.chromium import Chromium, NoChromium, find_chromium
from batchfish.localagent.engines.extract import ExtractEngine
from batchfish.localagent.engines.model.endpoint import client_of
from batchfish.localagent.engines.pool import WorkerPool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from batchfish.localagent.egress.proxy import Egress
    from batchfish.localagent.engines.base import Engine
    from batchfish.localagent.engines.model.endpoint import ModelEndpoint

LOGGER = logging.getLogger(__name__)
WARM = 2
WARM_AFTER = 0.25


@contextlib.asynccontextmanager
async def reading_engine(
    name: str, egress: Egress, *, chromium: Path | None, cap: int, endpoint: ModelEndpoint | None = None
) -> AsyncIterator[Engine]:
    """Return the engine `auto`, `extract`, `browser` or `model` for the time of the block.

    It works on `cap` runs at once.

    NoChromium when this machine's Chromium opens no pages, or `browser` is asked for and there is none.
    `auto` starts it only when a page needs it, and does without one that is of no use. `model` asks the model
    behind `endpoint`.
    """
    pool = WorkerPool(warm=min(cap, WARM))
    browser = None if name == "extract" else _find_browser(name, egress, chromium)
    warming = asyncio.create_task(_warm(pool))
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(pool.close)
        stack.push_async_callback(_end, warming)
        if name == "model":
            engine = await stack.enter_async_context(_model_engine(egress, browser, pool, endpoint))
        else:
            engine = _make(name, egress, browser, pool)
        stack.push_async_callback(engine.close)
        if isinstance(browser, Chromium) and name != "auto":
            await browser.start()
        yield engine


async def _warm(pool: WorkerPool) -> None:
    """Start the first readers once the agent listens: what they import would hold up its first answer."""
    await asyncio.sleep(WARM_AFTER)
    await pool.start()


async def _end(warming: asyncio.Task[None]) -> None:
    warming.cancel()
    await asyncio.gather(warming, return_exceptions=True)


@contextlib.asynccontextmanager
async def _model_engine(
    egress: Egress, browser: Chromium | str | None, pool: WorkerPool, endpoint: ModelEndpoint | None
) -> AsyncIterator[Engine]:
    if endpoint is None:
        raise WrongInput("The model engine needs an endpoint.")
    from batchfish.localagent.engines.model.engine import ModelEngine

    async with client_of(endpoint) as model:
        found = browser if isinstance(browser, Chromium) else None
        yield ModelEngine(model, egress, Loader(egress), pool, browser=found)


def _find_browser(name: str, egress: Egress, chromium: Path | None) -> Chromium | str:
    """Find the browser of this machine, or return in words why there is none."""
    try:
        return Chromium(egress, find_chromium(chromium))
    except NoChromium as missing:
        if name == "browser":
            raise
        LOGGER.warning("Pages are read as they are served, without a browser. %s", missing)
        return str(missing)


def _make(name: str, egress: Egress, browser: Chromium | str | None, pool: WorkerPool) -> Engine:
    plain = ExtractEngine(Loader(egress), pool)
    if browser is None:
        return plain
    if isinstance(browser, str):
        return AutoEngine(plain, browser)
    from batchfish.localagent.engines.browser.engine import BrowserEngine

    engine = BrowserEngine(egress, browser, pool)
    return engine if name == "browser" else AutoEngine(plain, engine)
