"""No page reaches an address inside, however it is spelled and whatever asks for it; and the canary sings.

Each attack is made twice: with the checks, when nothing may reach the canary, and with the checks switched
off, when it must be reached, or the attack would prove nothing.
"""

from collections.abc import AsyncIterator, Sequence
from typing import TypeAlias

import pytest
import pytest_asyncio

from batchfish.localagent.egress import dialer, proxy
from batchfish.localagent.egress.proxy import Egress
from batchfish.localagent.engines.base import Engine, RunRequest
from batchfish.localagent.engines.browser.chromium import Chromium
from batchfish.localagent.engines.browser.engine import BrowserEngine
from tests.localagent.browsing import engine_over, read, require_chromium
from tests.localagent.doubles import READER
from tests.localagent.egress.ssrf.playground import EVERY_VECTOR, FORMS, SOME, Playground

pytestmark = [pytest.mark.process, pytest.mark.asyncio(loop_scope="session")]

Page: TypeAlias = tuple[str, int]
"""The address of a page, and how many attempts it makes."""
SCHEMA = {"type": "object", "properties": {"attempts": {"type": "integer"}}, "required": ["attempts"]}
# What the browser does itself and not through the proxy, whose checks are switched off here.
BESIDE_THE_PROXY = {"rtc"}
WAYS = ("direct", "redirect", "refresh", "move")


@pytest_asyncio.fixture(loop_scope="session")
async def playground() -> AsyncIterator[Playground]:
    async with Playground() as playground:
        yield playground


def switch_checks_off(playground: Playground, patch: pytest.MonkeyPatch) -> None:
    playground.forget()
    patch.setattr(playground, "knows_itself", False)
    patch.setattr(dialer, "why_refused", lambda _: None)
    patch.setattr(dialer, "is_metadata", lambda _: False)
    patch.setattr(dialer, "is_local_name", lambda _: False)
    patch.setattr(proxy, "plain_host", lambda host: host.lower().removesuffix("."))


async def attempt(engine: Engine, *pages: Page) -> None:
    """Read pages, and see that each has made its attempts; 0 where there is no such page."""
    for url, attempts in pages:
        outcome, _ = await read(engine, RunRequest(url=url, goal="Count", output_schema=SCHEMA))
        assert (0 if outcome.result is None else int(outcome.result["attempts"])) == attempts


async def test_pages_that_are_read_as_served(playground: Playground, monkeypatch: pytest.MonkeyPatch) -> None:
    rebinding = [f"http://rebind-{n}.test:{playground.port}/hit?by=rebinding&form=x" for n in range(3)]
    urls = (
        *(playground.led(how, form) for how in WAYS[:2] for form in FORMS),
        *(playground.led(how, form) for how in WAYS[2:] for form in SOME),
        *(url for url in rebinding for _ in range(2)),
        playground.trial(EVERY_VECTOR, SOME),
    )
    async with engine_over(name="extract", dialer=playground.dialer()) as engine:
        await attempt(engine, *((url, 0) for url in urls))
        playground.assert_untouched()
        switch_checks_off(playground, monkeypatch)
        await attempt(engine, *((url, 0) for url in urls))
    assert len(playground.forms_hit("direct")) >= 60
    assert len(playground.forms_hit("redirect")) >= 60
    # Nothing else moves an engine that runs no scripts.
    assert {by for by, _ in playground.hits} == {"direct", "redirect", "rebinding"}


async def try_in_browser(
    browser: Chromium, playground: Playground, patch: pytest.MonkeyPatch, pages: Sequence[Page], *more: Page
) -> None:
    """Open pages in the browser, with the checks and then without; `more` only with them."""
    async with Egress(playground.dialer()) as egress:
        engine = BrowserEngine(egress, browser, READER)
        await attempt(engine, *pages, *more)
        playground.assert_untouched()
        switch_checks_off(playground, patch)
        await attempt(engine, *pages)


async def test_a_page_in_the_browser(
    browser: Chromium, playground: Playground, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = playground.trial(EVERY_VECTOR, [SOME[0]]), len(EVERY_VECTOR)
    led = [(playground.led(how, "localhost"), 0) for how in WAYS]
    await try_in_browser(browser, playground, monkeypatch, [trial], *led)
    assert {by for by, _ in playground.hits} >= set(EVERY_VECTOR) - BESIDE_THE_PROXY


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("way", [*EVERY_VECTOR, *WAYS])
async def test_each_way_in_full(
    browser: Chromium, playground: Playground, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = [FORMS[begin : begin + 40] for begin in range(0, len(FORMS), 40)]
    pages = [(playground.trial([way], forms), len(forms)) for forms in parts]
    if way in WAYS:
        pages = [(playground.led(way, form), 0) for form in FORMS]
    await try_in_browser(browser, playground, monkeypatch, pages)
    if way not in BESIDE_THE_PROXY:
        assert len(playground.forms_hit(way)) >= (1 if way == "rebinding" else 60)


async def test_a_browser_with_other_settings_would_reach_the_canary_by_webrtc(playground: Playground) -> None:
    """Without the proxy and what keeps WebRTC behind it, the ways beside the proxy are open."""
    from playwright.async_api import async_playwright

    chromium = require_chromium()
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = await browser.new_page()
        await page.goto(playground.trial(["rtc"], SOME, at=f"127.0.0.1:{playground.attacker_port}"))
        await page.wait_for_selector("dl")
        await browser.close()
    assert playground.hits
