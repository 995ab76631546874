"""The engine that takes the quick way, and the browser where a page needs one."""

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
    """Reads a page as it is served; in the browser where it is bare, or where the goal asks for a search."""

    def __init__(self, plain: Engine, browser: Engine | str) -> None:
        """`browser` is the engine for the second look, or in words why there is none."""
        self._plain = plain
        self._browser = browser

    async def run(self, request: RunRequest, emit: Emit) -> RunOutcome:
        """Work on a run with the engine that it needs."""
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
        """Work on a run in the browser; or return in words why this machine has none that can be used."""
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
