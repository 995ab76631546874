"""One page in the browser: opened, waited for, looked at, and the few controls that may be used on it."""

from __future__ import annotations

import asyncio
import base64
import time
from typing import TYPE_CHECKING

from playwright.async_api import Error
from playwright.async_api import TimeoutError as ActionTimeout

from batchfish.localagent.egress.loader import (
    LARGEST_PAGE,
    LoadFailed,
    check_kind,
    check_scheme,
    check_status,
)
from batchfish.localagent.engines.browser.scripts import control
from batchfish.localagent.engines.browser.world import World

if TYPE_CHECKING:
    from playwright.async_api import CDPSession, Frame, Locator, Page, Request, Response

    from batchfish.localagent.egress.proxy import Ticket

OPEN_TIME = 20.0
SETTLE_TIME = 8.0
BUSY_TIME = 4.0
REQUEST_TIME = 4.0
NEWS_TIME = 1.5
ACTION_TIME = 1.5
PICTURE_TIME = 3.0
MOST_SCREENS = 30
JPEG_QUALITY = 45
# What a page waits for before it shows more; pictures and open lines go on for as long as they like.
AWAITED = frozenset(["document", "script", "stylesheet", "xhr", "fetch"])
TUNNEL_FAILED = "ERR_TUNNEL_CONNECTION_FAILED"
UNSAFE_PORT = "ERR_UNSAFE_PORT"
DOWNLOAD = ("Download is starting", "ERR_ABORTED")
ERROR_PAGE = "chrome-error:"


class Tab:
    """A page, seen as a person would see it."""

    def __init__(self, page: Page, cdp: CDPSession, ticket: Ticket) -> None:
        """`cdp` is the page's CDP session, `ticket` its permission to use the proxy."""
        self._page = page
        self._cdp = cdp
        self._ticket = ticket
        self._world = World(page, cdp)
        self._answer: Response | None = None
        self._patience = BUSY_TIME
        self._requests: dict[Request, float] = {}
        page.on("request", self._note_request)
        page.on("requestfinished", self._forget_request)
        page.on("requestfailed", self._forget_request)
        page.on("response", self._note_answer)

    @property
    def url(self) -> str:
        """The current address of the page."""
        return self._page.url

    async def open(self, url: str) -> None:
        """Open an address and wait for the page to settle; LoadFailed if it is no readable page."""
        check_scheme(url)
        try:
            answer = await self._page.goto(url, wait_until="domcontentloaded", timeout=OPEN_TIME * 1000)
        except ActionTimeout:
            message = f"{url} did not answer within {OPEN_TIME:.0f} s."
            raise LoadFailed("LOCAL_TIMEOUT", message, is_ours=True) from None
        except Error as broken:
            if self._page.is_closed():
                raise
            raise self._why_not(url, broken.message) from broken
        self._answer = answer
        await self._check()
        await self.settle()

    async def settle(self) -> None:
        """Wait until nothing on the page changes and no request is pending.

        A page that says it is busy is waited for longer, up to BUSY_TIME in all: some say so for ever.
        """
        begun = time.monotonic()
        while (elapsed := time.monotonic() - begun) < SETTLE_TIME:
            asked_at = time.monotonic()
            await self._world.ask(f"rest({(SETTLE_TIME - elapsed) * 1000:.0f})")
            if any(sent + REQUEST_TIME > time.monotonic() for sent in self._requests.values()):
                continue
            if self._patience <= 0 or not await self._world.ask("isBusy()"):
                break
            self._patience -= time.monotonic() - asked_at
        await self._check()

    async def wait_for_news(self) -> bool:
        """Wait for a settled page to change; False if it does not."""
        if not await self._world.ask(f"news({NEWS_TIME * 1000:.0f})"):
            return False
        await self.settle()
        return True

    async def scroll(self) -> None:
        """Scroll through the whole page, and wait for what that loads."""
        if await self._world.ask(f"scroll({MOST_SCREENS})"):
            await self.settle()

    async def source(self, *, kept: bool = False) -> bytes:
        """Return the visible page as HTML in UTF-8; LoadFailed if it is too large.

        `kept`: also what was seen at the last call, and has made room for other things since.
        """
        html = str(await self._world.ask(f"source({str(kept).lower()})")).encode("utf-8", "replace")
        if len(html) > LARGEST_PAGE:
            message = f"{self.url} shows more than {LARGEST_PAGE // 2**20} MB."
            raise LoadFailed("LOCAL_TOO_LARGE", message)
        return html

    async def picture(self) -> bytes | None:
        """Return a JPEG of the window; None if the page is too busy."""
        try:
            async with asyncio.timeout(PICTURE_TIME):
                options = {"format": "jpeg", "quality": JPEG_QUALITY}
                taken = await self._cdp.send("Page.captureScreenshot", options)
        except (TimeoutError, Error):
            return None
        return base64.b64decode(taken["data"])

    async def press(self, kind: str, *, number: int = 0, anywhere: bool = False) -> str | None:
        """Press a control of a kind, the first or a later one, and wait for the page to settle.

        Give its name, None where there is none. `anywhere` looks into the frames of the page too.
        """
        for frame in self._page.frames if anywhere else [self._page.main_frame]:
            found = await self._find(frame, kind, number)
            if found is not None and (name := await _press(found)) is not None:
                await self.settle()
                return name
        return None

    async def names(self, kind: str) -> list[str]:
        """Return the names of the controls of a kind, in the order in which `press` counts them."""
        try:
            found = await self._page.main_frame.locator(control(kind)).all_inner_texts()
        except Error:
            if self._page.is_closed():
                raise
            return []  # the page has moved on
        return [" ".join(name.split()) for name in found]

    async def search(self, term: str) -> bool:
        """Type a term into the page's search box and submit it; False if there is no search box."""
        box = await self._find(self._page.main_frame, "search")
        if box is None and await self.press("unfold"):
            box = await self._find(self._page.main_frame, "search")
        if box is None:
            return False
        before = await self.source()
        try:
            await box.fill(term, timeout=ACTION_TIME * 1000)
            await box.press("Enter", timeout=ACTION_TIME * 1000)
        except ActionTimeout:
            return False
        await self.settle()
        if await self.source() == before:
            await self.press("go")
        return True

    async def _find(self, frame: Frame, kind: str, number: int = 0) -> Locator | None:
        found = frame.locator(control(kind))
        try:
            return found.nth(number) if await found.count() > number else None
        except Error:
            if self._page.is_closed():
                raise
            return None  # the frame has gone

    async def _check(self) -> None:
        """Raise LoadFailed unless the page may be read, wherever its scripts have led."""
        if self.url.startswith(ERROR_PAGE):
            raise self._why_not(self._page.url, TUNNEL_FAILED)
        check_scheme(self.url)
        if (answer := self._answer) is None:
            return
        for target, refused in self._ticket.refusals:
            if target == answer.url.partition("#")[0]:
                raise LoadFailed(refused.code, str(refused), is_ours=refused.is_ours) from refused
        check_status(answer.url, answer.status)
        check_kind(answer.url, (await answer.all_headers()).get("content-type", "text/html"))

    def _why_not(self, url: str, message: str) -> LoadFailed:
        """Return the reason why a page did not load; if the proxy refused it, the reason is the proxy's."""
        if TUNNEL_FAILED in message and self._ticket.refusals:
            _, refused = self._ticket.refusals[-1]
            return LoadFailed(refused.code, str(refused), is_ours=refused.is_ours)
        if any(word in message for word in DOWNLOAD):
            return LoadFailed("LOCAL_NOT_HTML", f"{url} is a file to be stored, not a page.")
        if UNSAFE_PORT in message:
            return LoadFailed("LOCAL_ADDRESS_REFUSED", f"{url}: its port is not one of web pages.")
        reason = message.partition("\n")[0].removeprefix("Page.goto: ")
        return LoadFailed("LOCAL_UNREACHABLE", f"{url} cannot be opened: {reason}.", is_ours=True)

    def _note_answer(self, answer: Response) -> None:
        request = answer.request
        is_page = request.is_navigation_request() and request.frame == self._page.main_frame
        if is_page and not 300 <= answer.status < 400:  # noqa: PLR2004 - a redirect
            self._answer = answer

    def _note_request(self, request: Request) -> None:
        if request.resource_type in AWAITED:
            self._requests[request] = time.monotonic()

    def _forget_request(self, request: Request) -> None:
        self._requests.pop(request, None)


async def _press(control: Locator) -> str | None:
    """Click a control, even if another element covers it; None if it is gone."""
    try:
        name = " ".join((await control.inner_text(timeout=ACTION_TIME * 1000)).split())
        try:
            await control.click(timeout=ACTION_TIME * 1000)
        except ActionTimeout:
            await control.dispatch_event("click", timeout=ACTION_TIME * 1000)
    except Error:
        if control.page.is_closed():
            raise
        return None
    return name
