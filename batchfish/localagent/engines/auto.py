"""The engine that reads pages as they are served, and in the browser if a page needs that."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from batchfish.localagent.engines.base import Emit, RunOutcome, RunRequest, Step
from batchfish.localagent.engines.browser.chromium import NO_BROWSER
from batchfish.localagent.engines.errand import errand_of

if TYPE_CHECKING:
    from batchfish.localagent.engines.base import Engine

# What a page says to who runs no scripts: it may say more to a browser.
WORTH_A_SECOND_LOOK = frozenset(["LOCAL_NEEDS_JAVASCRIPT", "LOCAL_NOT_FOUND", "LOCAL_EMPTY_PAGE"])


class AutoEngine:
    """Reads a page as it is served, and in the browser if it is empty or the goal asks for a search."""

    def __init__(self, plain: Engine, browser: Engine | str) -> None:
        """`browser` is the second engine, or the reason in words why there is none."""
        self._plain = plain
        self._browser = browser

    async def run(self, request: RunRequest, emit: Emit) -> RunOutcome:
        """Run a request with the engine that it needs."""
        if errand_of(request.goal, request.output_schema).search is not None:
            found = await self._in_browser(request, emit)
            if isinstance(found, RunOutcome):
                return found
        outcome = await self._plain.run(request, emit)
        failure = outcome.failure
        if failure is None or failure.code not in WORTH_A_SECOND_LOOK:
            return outcome
        if not isinstance(self._browser, str):
            emit(Step(action=f"{failure.message} The browser looks again."))
        found = await self._in_browser(request, emit)
        if isinstance(found, RunOutcome):
            return found
        message = f"{failure.message} A browser might see more. {found}"
        return replace(outcome, failure=replace(failure, message=message))

    async def _in_browser(self, request: RunRequest, emit: Emit) -> RunOutcome | str:
        """Run a request in the browser, or return the reason why this machine has no usable one."""
        if isinstance(self._browser, str):
            return self._browser
        outcome = await self._browser.run(request, emit)
        failure = outcome.failure
        if failure is None or failure.code != NO_BROWSER or failure.retry_after is not None:
            return outcome
        return failure.message

    async def close(self) -> None:
        """Close both."""
        await self._plain.close()
        if not isinstance(self._browser, str):
            await self._browser.close()
