"""A self-check: the browser must open one page through the proxy."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.async_api import Error

from batchfish.localagent.egress.dialer import Dialer
from batchfish.localagent.egress.loader import LoadFailed
from batchfish.localagent.egress.proxy import Egress
from batchfish.localagent.egress.sample_site import SampleSite

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from batchfish.localagent.egress.proxy import Ticket
    from batchfish.localagent.engines.browser.tab import Tab

ADDRESS = "http://check.example/"
FOLDER = Path(__file__).parent / "check_site"
WRITTEN_BY_SCRIPT = b"opened and run"
TIME_LIMIT = 20.0


async def why_unusable(open_tab: Callable[[Ticket], AbstractAsyncContextManager[Tab]]) -> str | None:
    """Return the reason why a browser cannot be used, as the end of a sentence; None if it can."""
    try:
        async with asyncio.timeout(TIME_LIMIT), Egress(Dialer(), SampleSite(FOLDER)) as egress:
            with egress.admit() as ticket:
                async with open_tab(ticket) as tab:
                    await tab.open(ADDRESS)
                    source = await tab.source()
    except LoadFailed as failed:
        return f"{failed}".removesuffix(".")
    except Error as broken:
        return broken.message.partition("\n")[0].removesuffix(".")
    except TimeoutError:
        return f"{ADDRESS} did not open within {TIME_LIMIT:.0f} s"
    return None if WRITTEN_BY_SCRIPT in source else f"the script of {ADDRESS} did not run"
