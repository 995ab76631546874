"""An isolated JavaScript world: scripts of the page cannot see or change what runs in it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from playwright.async_api import Error
from playwright.async_api import TimeoutError as ActionTimeout

from batchfish.localagent.egress.loader import LoadFailed
from batchfish.localagent.engines.browser.scripts import tab_script

if TYPE_CHECKING:
    from playwright.async_api import CDPSession, Page

NAME = "batchfish"
LOOK_TIME = 15.0
DOCUMENT_TIME = 20.0
MOST_MOVES = 20


class World:
    """An isolated world in which the functions of `tab.js` inspect the current document."""

    def __init__(self, page: Page, cdp: CDPSession) -> None:
        """`cdp` is the page's CDP session."""
        self._page = page
        self._cdp = cdp

    async def ask(self, call: str) -> Any:  # noqa: ANN401 - JSON
        """Call a function of `tab.js` in an isolated world; repeat it if the page navigates meanwhile."""
        for _ in range(MOST_MOVES):
            try:
                async with asyncio.timeout(LOOK_TIME):
                    return await self._call(call)
            except TimeoutError:
                message = f"{self._page.url} is too busy to be looked at."
                raise LoadFailed("LOCAL_TIMEOUT", message) from None
            except Error:
                if self._page.is_closed():
                    raise
                await self._wait_for_document()
        raise LoadFailed("LOCAL_REDIRECTS", f"{self._page.url} does not stay: it moves on again and again.")

    async def _wait_for_document(self) -> None:
        try:
            await self._page.wait_for_load_state("domcontentloaded", timeout=DOCUMENT_TIME * 1000)
        except ActionTimeout:
            message = f"{self._page.url} did not answer within {DOCUMENT_TIME:.0f} s."
            raise LoadFailed("LOCAL_TIMEOUT", message, is_ours=True) from None

    async def _call(self, call: str) -> Any:  # noqa: ANN401 - JSON
        tree = await self._cdp.send("Page.getFrameTree")
        frame = tree["frameTree"]["frame"]["id"]
        world = await self._cdp.send("Page.createIsolatedWorld", {"frameId": frame, "worldName": NAME})
        asked = {
            "expression": f"(globalThis.tab ??= {tab_script()}).{call}",
            "contextId": world["executionContextId"],
            "awaitPromise": True,
            "returnByValue": True,
        }
        answer = await self._cdp.send("Runtime.evaluate", asked)
        if "exceptionDetails" in answer:
            raise RuntimeError(str(answer["exceptionDetails"]))
        return answer["result"].get("value")
