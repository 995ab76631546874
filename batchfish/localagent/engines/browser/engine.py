"""The engine that reads pages as a person sees them in a browser, and uses the controls that lead on."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from batchfish.localagent.egress.loader import Loaded, LoadFailed
from batchfish.localagent.engines.base import Emit, RunOutcome, RunRequest, Step
from batchfish.localagent.engines.browser.chromium import ChromiumGone, NoChromium, browser_failure
from batchfish.localagent.engines.errand import errand_of
from batchfish.localagent.engines.lists import Result, count_of, extends, is_more, join
from batchfish.localagent.engines.reading import Unread, agent_failure, not_loaded, read_page, tell

if TYPE_CHECKING:
    from batchfish.localagent.egress.pace import Pace
    from batchfish.localagent.egress.proxy import Egress
    from batchfish.localagent.engines.browser.chromium import Chromium
    from batchfish.localagent.engines.browser.tab import Tab
    from batchfish.localagent.engines.frames import ReadAnswer
    from batchfish.localagent.engines.pool import WorkerPool
    from batchfish.localagent.page.going_on import GoingOn

RUN_TIME = 120.0
MOST_CONSENTS = 3
MOST_TURNS = 40
MOST_UNFOLDED = 12
HTML = "text/html; charset=utf-8"
NOT_THERE = frozenset(["LOCAL_NOT_FOUND", "LOCAL_EMPTY_PAGE"])


class BrowserEngine:
    """Opens each run's page in a context of its own in the one browser that all runs share."""

    def __init__(self, egress: Egress, chromium: Chromium, pool: WorkerPool) -> None:
        """Own the browser: closing the engine ends it."""
        self._egress = egress
        self._chromium = chromium
        self._pool = pool

    async def run(self, request: RunRequest, emit: Emit) -> RunOutcome:
        """Carry out the goal on a page and read the page, or return the reason why that is impossible."""
        try:
            async with asyncio.timeout(RUN_TIME):
                with self._egress.admit() as ticket:
                    async with self._chromium.open_tab(ticket) as tab:
                        visit = _Visit(tab, self._pool, self._egress.pace, request, emit)
                        return RunOutcome(result=await visit.read())
        except LoadFailed as failed:
            emit(Step(action=str(failed)))
            return RunOutcome(failure=not_loaded(failed))
        except Unread as unread:
            return RunOutcome(failure=unread.failure)
        except (NoChromium, ChromiumGone) as broken:
            return RunOutcome(failure=browser_failure(broken))
        except TimeoutError:
            message = f"The page was not done with after {RUN_TIME:.0f} s."
            return RunOutcome(failure=agent_failure("LOCAL_TIMEOUT", message))

    async def close(self) -> None:
        """End the browser."""
        await self._chromium.close()


class _Visit:
    """One run's way through its page."""

    def __init__(self, tab: Tab, pool: WorkerPool, pace: Pace, request: RunRequest, emit: Emit) -> None:
        self._tab = tab
        self._pool = pool
        self._pace = pace
        self._request = request
        self._emit = emit
        self._errand = errand_of(request.goal, request.output_schema)
        self._is_unfolded = False
        self._list: GoingOn | None = None
        self._told_at = time.monotonic()

    async def read(self) -> Result:
        """Read the page and those that its list continues on; Unread or LoadFailed without a result."""
        await self._pace.turn(self._request.url)
        await self._tab.open(self._request.url)
        await self._tell(f"opened {self._tab.url} in the browser")
        for _ in range(MOST_CONSENTS):
            if (name := await self._tab.press("consent", anywhere=True)) is None:
                break
            await self._tell(f"pressed “{name}” on a notice about cookies")
        if self._errand.search is not None:
            await self._search(self._errand.search)
        await self._tab.scroll()
        pages = [await self._first_reading()]
        for _ in range(MOST_TURNS):
            joined = join(pages, self._errand.most)
            count = count_of(joined)
            if count is None or not self._errand.wants_more_than(count, len(pages)):
                break
            if not await self._go_on(pages):
                break
        return join(pages, self._errand.most)

    async def _search(self, term: str) -> None:
        if not await self._tab.search(term):
            message = f"The page has no search box to look for “{term}” with."
            raise Unread(agent_failure("LOCAL_NO_SEARCH_BOX", message))
        await self._tell(f"searched for “{term}”: {self._tab.url}")

    async def _first_reading(self) -> Result:
        """Read the page; also its tabs and collapsed sections, if something is still missing."""
        answer = await self._look()
        if answer.code in NOT_THERE and await self._tab.wait_for_news():
            answer = await self._look()
        if answer.code in NOT_THERE or (answer.code is None and None in answer.result.values()):
            answer = await self._unfolded(answer)
        tell(answer, self._emit)
        if answer.code is not None:
            raise Unread(agent_failure(answer.code, answer.message or ""))
        self._list = answer.going_on
        result: Result = answer.result
        return result

    async def _unfolded(self, folded: ReadAnswer) -> ReadAnswer:
        """Open collapsed sections one by one, and read all that was shown; `folded` if there are none."""
        pressed = 0
        for kind in ("tab", "fold"):
            for number in range(MOST_UNFOLDED):
                # What was unfolded is no longer among the folded; a tab remains a tab.
                name = await self._tab.press(kind, number=number if kind == "tab" else 0)
                if name is None:
                    break
                pressed += 1
                await self._tab.source(kept=True)
                await self._tell(f"opened “{name}”")
        self._is_unfolded = pressed > 0
        return await self._look() if pressed else folded

    async def _go_on(self, pages: list[Result]) -> bool:
        """Load more of the list or open its next page; False if the list has ended."""
        await self._pace.turn(self._tab.url)
        name = await self._tab.press("more") or await self._tab.press("next")
        if name is not None:
            await self._tell(f"pressed “{name}”: {self._tab.url}")
        await self._tab.scroll()
        answer = await self._look(after=self._list)
        if answer.code is not None:
            if answer.code not in NOT_THERE:
                raise Unread(agent_failure(answer.code, answer.message or ""))
            self._emit(Step(action="there the list ends: nothing like it is on this page"))
            return False
        if not is_more(pages[-1], answer.result):
            return False
        if extends(pages[-1], answer.result):
            pages[-1] = answer.result
        else:
            pages.append(answer.result)
        self._emit(Step(action=f"the list has {count_of(answer.result)} members here"))
        return True

    async def _look(self, after: GoingOn | None = None) -> ReadAnswer:
        page = Loaded(
            url=self._tab.url, content_type=HTML, body=await self._tab.source(kept=self._is_unfolded)
        )
        return await read_page(self._pool, self._request, page, after)

    async def _tell(self, action: str) -> None:
        """Report a step with a screenshot after it and its duration."""
        picture, now = await self._tab.picture(), time.monotonic()
        self._emit(Step(action=action, duration=now - self._told_at, screenshot=picture))
        self._told_at = now
