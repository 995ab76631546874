"""The one Chromium that all runs share: found, started when first needed, restarted after a crash."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import logging
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from batchfish.errors import WrongInput
from batchfish.localagent.engines.base import RunFailure, system_failure
from batchfish.localagent.engines.browser.homes import make_home
from batchfish.localagent.engines.browser.scripts import CONTROLS, controls_script

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from tempfile import TemporaryDirectory

    from playwright.async_api import Browser, CDPSession, Dialog, Page, Playwright

    from batchfish.localagent.egress.proxy import Egress, Ticket
    from batchfish.localagent.engines.browser.interception import Interception
    from batchfish.localagent.engines.browser.tab import Tab

LOGGER = logging.getLogger(__name__)
NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "microsoft-edge",
    "microsoft-edge-stable",
)
ARGUMENTS = (
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-pings",
    # WebRTC sends nothing that does not go through the proxy. The switch has had two names.
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--js-flags=--max-old-space-size=512",
    # Names are the proxy's to look up: the browser knows no address but the proxy's.
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)
# Nothing of our own environment: a page that breaks out finds no key in the browser's.
SEARCH_PATH = "/usr/local/bin:/usr/bin:/bin"
WINDOW = {"width": 1280, "height": 900}
START_TIME = 20.0
CLOSE_TIME = 1.5
NO_BROWSER = "LOCAL_NO_BROWSER"
NO_CHROMIUM = (
    "There is no Chromium to be found on PATH: apt-get install chromium, or say where it is, --chromium FILE."
)
NO_PLAYWRIGHT = "The browser engine needs playwright: pip install 'batchfish[browser]'."
AS_ROOT = (
    "Chromium runs as root, and so without its sandbox: a page that breaks out of it has this machine. "
    "Start the local agent as another user for pages you do not trust."
)


class ChromiumGone(Exception):
    """Chromium, or the tab of a run, has ended or does not answer; the text says more."""


class NoChromium(WrongInput):
    """Chromium is missing or does not start; the text says how to install it."""


class UnusableChromium(NoChromium):
    """Chromium is there, but does not open pages as the local agent needs it; the text says why."""


def browser_failure(broken: NoChromium | ChromiumGone) -> RunFailure:
    """Return why a run failed without a fault of its page; a browser that is unusable remains so."""
    match broken:
        case UnusableChromium():
            return RunFailure(code=NO_BROWSER, message=str(broken), category="SYSTEM_FAILURE")
        case NoChromium():
            return system_failure(NO_BROWSER, str(broken))
        case _:
            message = f"The browser broke while it had the page: {broken}"
            return system_failure("LOCAL_BROWSER_GONE", message)


@dataclass(frozen=True, slots=True)
class _Running:
    browser: Browser
    interception: Interception


def find_chromium(named: Path | None = None) -> Path:
    """Return the browser to drive: the one that is named, else the system's; NoChromium if there is none."""
    if importlib.util.find_spec("playwright") is None:
        raise NoChromium(NO_PLAYWRIGHT)
    if named is not None:
        if shutil.which(named) is None:
            raise NoChromium(f"--chromium: {named} is no program.")
        return named
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        raise NoChromium(NO_CHROMIUM)
    return Path(found)


class Chromium:
    """A browser whose every connection goes through the proxy; each run has a context and a tab of its own.

    It starts when the first run needs it, or when it is told to.
    """

    def __init__(self, egress: Egress, executable: Path) -> None:
        self._egress = egress
        self._executable = executable
        self._starting: asyncio.Task[_Running] | None = None
        self._unusable: UnusableChromium | None = None
        self._driver: Playwright | None = None
        self._home: TemporaryDirectory[str] | None = None

    async def start(self) -> None:
        """Start the browser unless it runs, and check that it opens pages; NoChromium when it does not.

        A browser that was found unusable is not tried again.
        """
        await self._run()

    async def close(self) -> None:
        """Close the browser and its driver."""
        starting, self._starting = self._starting, None
        if starting is not None:
            with contextlib.suppress(Exception):  # it may have gone before us, or never have come
                async with asyncio.timeout(START_TIME):
                    running = await starting
                async with asyncio.timeout(CLOSE_TIME):
                    await running.browser.close()
        await self._end_driver()

    @contextlib.asynccontextmanager
    async def open_tab(self, ticket: Ticket) -> AsyncIterator[Tab]:
        """Open a tab for one run, isolated from other runs; its data is deleted with it."""
        from playwright.async_api import Error

        running = await self._run()
        try:
            async with self._tab(running, ticket) as tab:
                yield tab
        except Error as broken:
            if not await _answers(running.browser):
                await self.close()
            raise ChromiumGone(broken.message.partition("\n")[0]) from broken

    @contextlib.asynccontextmanager
    async def _tab(self, running: _Running, ticket: Ticket) -> AsyncIterator[Tab]:
        from batchfish.localagent.engines.browser.tab import Tab

        opening = asyncio.create_task(_open(running.browser, ticket))
        try:
            page, cdp, frame = await asyncio.shield(opening)
            with running.interception.admit(frame, ticket):
                yield Tab(page, cdp, ticket)
        finally:
            await self._close_tab(opening)

    async def _close_tab(self, opening: asyncio.Task[tuple[Page, CDPSession, str]]) -> None:
        try:
            async with asyncio.timeout(CLOSE_TIME):
                page, _, _ = await opening
                await page.context.close()
        except TimeoutError:
            LOGGER.warning("Chromium did not close a page in time: it is started anew")
            await self.close()
        except Exception as gone:  # noqa: BLE001 - whatever closed it before, it is closed
            LOGGER.debug("a page was gone before it was closed: %s", gone)

    async def _run(self) -> _Running:
        """Return the running browser; start it if it is not running.

        A caller that is cancelled meanwhile leaves the start to the others that wait for it.
        """
        if self._unusable is not None:
            raise self._unusable
        if self._starting is None or not _is_alive(self._starting):
            self._starting = asyncio.create_task(self._restart())
        return await asyncio.shield(self._starting)

    async def _restart(self) -> _Running:
        await self._end_driver()
        from playwright.async_api import async_playwright

        from batchfish.localagent.engines.browser.interception import Interception
        from batchfish.localagent.engines.browser.selfcheck import why_unusable

        self._driver = await async_playwright().start()
        await self._driver.selectors.register(CONTROLS, controls_script(), content_script=True)
        browser = await self._launch(self._driver)
        running = _Running(browser, Interception(await browser.new_browser_cdp_session()))
        await running.interception.start()
        reason = await why_unusable(lambda ticket: self._tab(running, ticket))
        if reason is not None:
            name = f"{self._executable} ({browser.browser_type.name} {browser.version})"
            failure = UnusableChromium(
                f"{name} does not open pages for the local agent: {reason}. "
                "Name another Chromium with --chromium FILE."
            )
            if browser.is_connected():  # one that was killed may do better when it is started again
                self._unusable = failure
            await self._end_driver()
            raise failure
        return running

    async def _launch(self, driver: Playwright) -> Browser:
        from playwright.async_api import Error

        is_root = os.geteuid() == 0
        if is_root:
            LOGGER.warning(AS_ROOT)
        self._home = make_home()
        try:
            return await driver.chromium.launch(
                executable_path=self._executable,
                chromium_sandbox=not is_root,
                args=list(ARGUMENTS),
                # For what the browser would ask on its own account: without credentials nothing gets through.
                proxy={"server": self._egress.url, "bypass": "<-loopback>"},
                env={
                    "PATH": SEARCH_PATH,
                    "HOME": self._home.name,
                    "TMPDIR": self._home.name,
                    "LANG": "C.UTF-8",
                },
                timeout=START_TIME * 1000,
                handle_sigint=False,
                handle_sigterm=False,
                handle_sighup=False,
            )
        except Error as broken:
            message = f"{self._executable} does not start: {_reason(broken.message)}"
            raise NoChromium(message) from broken

    async def _end_driver(self) -> None:
        driver, self._driver = self._driver, None
        if driver is not None:
            with contextlib.suppress(Exception):  # it may have gone before us
                async with asyncio.timeout(CLOSE_TIME):
                    await driver.stop()
        home, self._home = self._home, None
        if home is not None:
            home.cleanup()


def _is_alive(starting: asyncio.Task[_Running]) -> bool:
    """Whether a browser is being started, or was started and is still there."""
    if not starting.done():
        return True
    return (
        not starting.cancelled() and starting.exception() is None and starting.result().browser.is_connected()
    )


async def _answers(browser: Browser) -> bool:
    """Whether the browser still answers: no event reports a driver that was killed."""
    try:
        async with asyncio.timeout(CLOSE_TIME):
            await (await browser.new_browser_cdp_session()).detach()
    except Exception:  # noqa: BLE001 - whatever is in the way
        return False
    return True


async def _open(browser: Browser, ticket: Ticket) -> tuple[Page, CDPSession, str]:
    """Open an empty page: the page, a session with it, and the id of its main frame."""
    context = await browser.new_context(
        # Without the ticket's credentials: Playwright would intercept requests for them.
        proxy={"server": ticket.proxy, "bypass": "<-loopback>"},
        viewport={"width": WINDOW["width"], "height": WINDOW["height"]},
        service_workers="block",
        accept_downloads=False,
    )
    page = await context.new_page()
    page.on("dialog", _dismiss)
    page.on("crash", _give_up)
    context.on("page", _close)
    cdp = await context.new_cdp_session(page)
    tree = await cdp.send("Page.getFrameTree")
    return page, cdp, str(tree["frameTree"]["frame"]["id"])


async def _dismiss(dialog: Dialog) -> None:
    with contextlib.suppress(Exception):  # the page may have gone with its dialog
        await dialog.dismiss()


async def _close(popup: Page) -> None:
    with contextlib.suppress(Exception):
        await popup.close()


async def _give_up(crashed: Page) -> None:
    """Close a page that broke, so that every wait for it ends."""
    with contextlib.suppress(Exception):
        await crashed.context.close()


def _reason(message: str) -> str:
    """Return the line of a Playwright error in which Chromium names the reason."""
    lines = [line.strip(" -│║") for line in message.splitlines()]
    said = [line.partition("[err]")[2].strip() for line in lines if "[err]" in line]
    telling = (line for line in said if "sandbox" in line.lower() or "error" in line.lower())
    return next(telling, said[-1] if said else lines[0])
