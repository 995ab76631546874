"""The one Chromium that all runs share: found, started when first needed, and anew after a crash."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import logging
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from batchfish.errors import WrongInput
from batchfish.localagent.engines.homes import make_home
from batchfish.localagent.engines.scripts import CONTROLS, controls_script

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from tempfile import TemporaryDirectory

    from playwright.async_api import Browser, Dialog, Page, Playwright

    from batchfish.localagent.egress.proxy import Egress, Ticket

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
    """There is no Chromium, or it does not start; the text says how to get one."""


def find_chromium(named: Path | None = None) -> Path:
    """Find the browser to drive: the one that is named, else the system's; NoChromium where there is none."""
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

    It starts when the first run needs it.
    """

    def __init__(self, egress: Egress, executable: Path) -> None:
        self._egress = egress
        self._executable = executable
        self._starting: asyncio.Task[Browser] | None = None
        self._driver: Playwright | None = None
        self._home: TemporaryDirectory[str] | None = None

    async def start(self) -> Browser:
        """Give the running browser; start it where there is none, or none any more.

        Whoever is cancelled meanwhile leaves the start to those who wait for it as well.
        """
        if self._starting is None or not _is_alive(self._starting):
            self._starting = asyncio.create_task(self._restart())
        return await asyncio.shield(self._starting)

    async def close(self) -> None:
        """End the browser and what drives it."""
        starting, self._starting = self._starting, None
        if starting is not None:
            with contextlib.suppress(Exception):  # it may have gone before us, or never have come
                async with asyncio.timeout(START_TIME):
                    browser = await starting
                async with asyncio.timeout(CLOSE_TIME):
                    await browser.close()
        await self._end_driver()

    @contextlib.asynccontextmanager
    async def open_tab(self, ticket: Ticket) -> AsyncIterator[Page]:
        """Open a tab for one run: nothing of another run's is in it, and nothing of it stays."""
        from playwright.async_api import Error

        browser = await self.start()
        opening = asyncio.create_task(_open(browser, ticket))
        try:
            yield await asyncio.shield(opening)
        except Error as broken:
            if not await _answers(browser):
                await self.close()
            raise ChromiumGone(broken.message.partition("\n")[0]) from broken
        finally:
            await self._close_tab(opening)

    async def _close_tab(self, opening: asyncio.Task[Page]) -> None:
        try:
            async with asyncio.timeout(CLOSE_TIME):
                page = await opening
                await page.context.close()
        except TimeoutError:
            LOGGER.warning("Chromium did not close a page in time: it is started anew")
            await self.close()
        except Exception as gone:  # noqa: BLE001 - whatever closed it before, it is closed
            LOGGER.debug("a page was gone before it was closed: %s", gone)

    async def _restart(self) -> Browser:
        await self._end_driver()
        from playwright.async_api import Error, async_playwright

        self._driver = await async_playwright().start()
        await self._driver.selectors.register(CONTROLS, controls_script(), content_script=True)
        is_root = os.geteuid() == 0
        if is_root:
            LOGGER.warning(AS_ROOT)
        self._home = make_home()
        try:
            return await self._driver.chromium.launch(
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


def _is_alive(starting: asyncio.Task[Browser]) -> bool:
    """Whether a browser is being started, or was started and is still there."""
    if not starting.done():
        return True
    return not starting.cancelled() and starting.exception() is None and starting.result().is_connected()


async def _answers(browser: Browser) -> bool:
    """Whether the browser can still be spoken to: of a driver that was killed nobody tells us."""
    try:
        async with asyncio.timeout(CLOSE_TIME):
            await (await browser.new_browser_cdp_session()).detach()
    except Exception:  # noqa: BLE001 - whatever is in the way
        return False
    return True


async def _open(browser: Browser, ticket: Ticket) -> Page:
    context = await browser.new_context(
        proxy={
            "server": ticket.proxy,
            "bypass": "<-loopback>",
            "username": ticket.username,
            "password": ticket.password,
        },
        viewport={"width": WINDOW["width"], "height": WINDOW["height"]},
        service_workers="block",
        accept_downloads=False,
    )
    page = await context.new_page()
    page.on("dialog", _dismiss)
    page.on("crash", _give_up)
    context.on("page", _close)
    return page


async def _dismiss(dialog: Dialog) -> None:
    with contextlib.suppress(Exception):  # the page may have gone with its dialog
        await dialog.dismiss()


async def _close(popup: Page) -> None:
    with contextlib.suppress(Exception):
        await popup.close()


async def _give_up(crashed: Page) -> None:
    """Close a page that broke, so that whoever waits for it hears of it."""
    with contextlib.suppress(Exception):
        await crashed.context.close()


def _reason(message: str) -> str:
    """Find the line in which Chromium says why, among those that Playwright puts around it."""
    lines = [line.strip(" -│║") for line in message.splitlines()]
    return next((line for line in lines if "sandbox" in line.lower() or "error" in line.lower()), lines[0])
