"""Which engine reads pages: the one that was asked for, with what this machine has for it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from batchfish.localagent.egress.loader import Loader
from batchfish.localagent.engines.auto import AutoEngine
from batchfish.localagent.engines.chromium import Chromium, NoChromium, find_chromium
from batchfish.localagent.engines.extract import ExtractEngine
from batchfish.localagent.engines.pool import WorkerPool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from batchfish.localagent.egress.proxy import Egress
    from batchfish.localagent.engines.base import Engine

LOGGER = logging.getLogger(__name__)
WARM = 2
WARM_AFTER = 0.25


@contextlib.asynccontextmanager
async def reading_engine(
    name: str, egress: Egress, *, chromium: Path | None, cap: int
) -> AsyncIterator[Engine]:
    """Return the engine `auto`, `extract` or `browser` for the time of the block, `cap` runs at once.

    NoChromium when `browser` is asked for and this machine has no Chromium that opens pages; `auto` starts
    one when a page needs it, and does without where there is none.
    """
    pool = WorkerPool(warm=min(cap, WARM))
    browser = None if name == "extract" else _find_browser(name, egress, chromium)
    engine = _make(name, egress, browser, pool)
    warming = asyncio.create_task(_warm(pool))
    try:
        if isinstance(browser, Chromium) and name == "browser":
            await browser.start()
        yield engine
    finally:
        warming.cancel()
        await asyncio.gather(warming, return_exceptions=True)
        await engine.close()
        await pool.close()


async def _warm(pool: WorkerPool) -> None:
    """Start the first readers once the agent listens: what they import would hold up its first answer."""
    await asyncio.sleep(WARM_AFTER)
    await pool.start()


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
    from batchfish.localagent.engines.browser import BrowserEngine

    engine = BrowserEngine(egress, browser, pool)
    return engine if name == "browser" else AutoEngine(plain, engine)
