"""The browser tools of a model: open, read, press, search, scroll and go on, each of them one step."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pydantic_ai import Tool

from batchfish.localagent.egress.loader import LoadFailed
from batchfish.localagent.engines.base import Step
from batchfish.localagent.engines.model.prompt import count_parts, show
from batchfish.localagent.engines.reading import require_text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from batchfish.localagent.egress.pace import Pace
    from batchfish.localagent.engines.base import Emit
    from batchfish.localagent.engines.browser.tab import Tab
    from batchfish.localagent.engines.frames import Outline

LONGEST_TERM = 200
MOST_CONSENTS = 3


class StepsExceeded(Exception):
    """The model asked for a step beyond the limit of the run."""


class BrowserTools:
    """The tools of a model on one tab.

    The tools are the same on every page, and so is what they refuse: addresses that no page led to, controls
    that buy, send, sign in or download, and boxes that are not for a search.
    """

    def __init__(
        self,
        tab: Tab,
        pace: Pace,
        outline: Callable[[Tab], Awaitable[Outline]],
        emit: Emit,
        *,
        most_steps: int,
    ) -> None:
        self._tab = tab
        self._pace = pace
        self._outline = outline
        self._emit = emit
        self._steps_left = most_steps
        self._text = ""
        self._hosts: set[str] = set()
        self._links: set[str] = set()
        self._told_at = time.monotonic()

    def tools(self) -> list[Tool[None]]:
        """Return the tools; none of them runs while another does."""
        every = (self.open, self.read_part, self.press, self.search, self.scroll, self.go_on)
        return [Tool(one, takes_ctx=False, sequential=True) for one in every]

    async def start(self, url: str) -> str:
        """Open the run's page, accept its cookies, and return its text; LoadFailed if it does not open."""
        self._take_step()
        self._hosts.add(urlsplit(url).netloc)
        await self._pace.turn(url)
        await self._tab.open(url)
        self._hosts.add(urlsplit(self._tab.url).netloc)
        await self._tell(f"opened {self._tab.url} in the browser")
        for _ in range(MOST_CONSENTS):
            if (name := await self._tab.press("consent", anywhere=True)) is None:
                break
            await self._tell(f"pressed “{name}” on a notice about cookies")
        shown = await self._show()
        require_text(self._text, self._tab.url)
        return shown

    async def open(self, url: str) -> str:
        """Open an address: one on the site of the goal, or one that a page has linked to."""
        url = url.strip()

        async def act() -> str | None:
            if not self._may_open(url):
                return None
            await self._pace.turn(url)
            await self._tab.open(url)
            return f"opened {self._tab.url}"

        return await self._use(act, f"did not open {url}: no page has linked to it")

    async def read_part(self, part: int) -> str:
        """Read another part of a page that is shown in several; parts count from 1."""
        self._take_step()
        if not 0 < part <= count_parts(self._text):
            return self._refuse(f"the page has no part {part}")
        await self._tell(f"read part {part} of {self._tab.url}")
        return show(self._text, url=self._tab.url, number=part)

    async def press(self, control: int) -> str:
        """Press one of the controls listed under the page, by its number, and read what it led to."""

        async def act() -> str | None:
            await self._pace.turn(self._tab.url)
            name = await self._tab.press("usable", number=control - 1) if control > 0 else None
            return name and f"pressed “{name}”: {self._tab.url}"

        return await self._use(act, f"there is no control {control} on the page now")

    async def search(self, term: str) -> str:
        """Type a term into the search box of the page, send it off, and read what was found."""
        term = " ".join(term.split())[:LONGEST_TERM]

        async def act() -> str | None:
            await self._pace.turn(self._tab.url)
            return f"searched for “{term}”: {self._tab.url}" if await self._tab.search(term) else None

        return await self._use(act, "the page has no search box")

    async def scroll(self) -> str:
        """Scroll through the page to its end, and read what that has loaded."""

        async def act() -> str | None:
            await self._tab.scroll()
            return f"scrolled to the end of {self._tab.url}"

        return await self._use(act, "the page cannot be scrolled")

    async def go_on(self) -> str:
        """Load more of the list on the page, or turn to its next page, and read what came."""

        async def act() -> str | None:
            await self._pace.turn(self._tab.url)
            name = await self._tab.press("more") or await self._tab.press("next")
            return name and f"pressed “{name}”: {self._tab.url}"

        return await self._use(act, "nothing on the page leads on")

    async def _use(self, act: Callable[[], Awaitable[str | None]], otherwise: str) -> str:
        """Count a step, carry it out and return the page text, or `otherwise` if it failed."""
        self._take_step()
        try:
            done = await act()
            if done is None:
                return self._refuse(otherwise)
            await self._tell(done)
            return await self._show()
        except LoadFailed as failed:  # the run need not end with this page
            return self._refuse(f"no page to be read: {failed}")

    def _may_open(self, url: str) -> bool:
        try:
            host = urlsplit(url).netloc
        except ValueError:
            return False
        return host in self._hosts or url in self._links

    def _take_step(self) -> None:
        if self._steps_left == 0:
            raise StepsExceeded
        self._steps_left -= 1

    def _refuse(self, words: str) -> str:
        self._emit(Step(action=words))
        return words

    async def _tell(self, action: str) -> None:
        picture, now = await self._tab.picture(), time.monotonic()
        self._emit(Step(action=action, duration=now - self._told_at, screenshot=picture))
        self._told_at = now

    async def _show(self) -> str:
        page = await self._outline(self._tab)
        self._text = page.text
        self._links.update(page.links)
        names = await self._tab.names("usable")
        lines = [f"{number}: {name}" for number, name in enumerate(names, start=1)]
        controls = "\n".join(["Controls of the page that can be pressed:", *lines]) if lines else ""
        return show(page.text, url=self._tab.url, controls=controls)
