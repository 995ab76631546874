"""No page reaches an address inside, however it is spelled and whatever asks for it; and the canary sings.

Each attack is made twice: with the checks, when nothing may reach the canary, and with the checks switched
off, when it must be reached, or the attack would prove nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from batchfish.localagent.egress import dialer, proxy
from batchfish.localagent.egress.dialer import Dialer
from batchfish.localagent.engines.base import RunRequest
from batchfish.localagent.engines.choice import reading_engine
from tests.localagent.browsing import engine_over, read, require_chromium
from tests.localagent.egress.ssrf.playground import EVERY_VECTOR, FORMS, SOME, Playground

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from batchfish.localagent.engines.base import Engine

pytestmark = pytest.mark.process

SCHEMA = {"type": "object", "properties": {"attempts": {"type": "integer"}}, "required": ["attempts"]}
# What the browser does itself and not through the proxy, whose checks are switched off here.
BESIDE_THE_PROXY = {"rtc"}
WAYS = ("direct", "redirect", "refresh", "move")


@pytest.fixture
async def playground() -> AsyncIterator[Playground]:
    async with Playground() as playground:
        yield playground


@pytest.fixture(params=[True, False], ids=["with checks", "without checks"])
def is_checked(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    if not request.param:
        monkeypatch.setattr(dialer, "why_refused", lambda _: None)
        monkeypatch.setattr(dialer, "is_metadata", lambda _: False)
        monkeypatch.setattr(dialer, "is_local_name", lambda _: False)
        monkeypatch.setattr(proxy, "plain_host", lambda host: host.lower().removesuffix("."))
    return bool(request.param)


@pytest.fixture
def way_in(playground: Playground, *, is_checked: bool) -> Dialer:
    """Return a dialer; without checks it knows of no address that is its own."""
    own = playground.dialer()
    if is_checked:
        return own
    return Dialer(resolve=playground.resolve, connect=playground.connect, is_own=lambda _: False)


async def attempt(engine: Engine, url: str) -> int:
    """Read a page of attempts and return how many there were; 0 if it is no such page."""
    outcome, _ = await read(engine, RunRequest(url=url, goal="Count", output_schema=SCHEMA))
    return 0 if outcome.result is None else int(outcome.result["attempts"])


async def try_in_browser(way_in: Dialer, pages: Sequence[tuple[str, int]]) -> None:
    async with engine_over(dialer=way_in) as engine:
        for url, attempts in pages:
            assert await attempt(engine, url) == attempts


async def test_pages_that_are_read_as_served(
    playground: Playground, way_in: Dialer, *, is_checked: bool
) -> None:
    rebinding = [f"http://rebind-{n}.test:{playground.port}/hit?by=rebinding&form=x" for n in range(3)]
    async with (
        proxy.Egress(way_in) as egress,
        reading_engine("extract", egress, chromium=None, cap=1) as engine,
    ):
        for url in (
            *(playground.led(how, form) for how in WAYS[:2] for form in FORMS),
            *(playground.led(how, form) for how in WAYS[2:] for form in SOME),
            *(url for url in rebinding for _ in range(2)),
            playground.trial(EVERY_VECTOR, SOME),
        ):
            await attempt(engine, url)
    if is_checked:
        assert playground.is_untouched, (playground.hits, playground.dialled)
    else:
        assert len(playground.forms_hit("direct")) >= 60
        assert len(playground.forms_hit("redirect")) >= 60
        # Nothing else moves an engine that runs no scripts.
        assert {by for by, _ in playground.hits} == {"direct", "redirect", "rebinding"}


async def test_a_page_in_the_browser(playground: Playground, way_in: Dialer, *, is_checked: bool) -> None:
    url = playground.trial(EVERY_VECTOR, SOME)
    await try_in_browser(way_in, [(url, len(EVERY_VECTOR) * len(SOME))])
    if is_checked:
        assert playground.is_untouched, (playground.hits, playground.dialled)
    else:
        assert {by for by, _ in playground.hits} >= set(EVERY_VECTOR) - BESIDE_THE_PROXY


async def test_a_run_in_the_browser_is_not_led_inside(playground: Playground) -> None:
    pages = [(playground.led(how, form), 0) for form in SOME[:2] for how in WAYS]
    await try_in_browser(playground.dialer(), pages)
    assert playground.is_untouched, (playground.hits, playground.dialled)


@pytest.mark.slow
@pytest.mark.parametrize("vector", EVERY_VECTOR)
async def test_each_way_with_every_form(
    playground: Playground, way_in: Dialer, vector: str, *, is_checked: bool
) -> None:
    parts = [FORMS[begin : begin + 40] for begin in range(0, len(FORMS), 40)]
    await try_in_browser(way_in, [(playground.trial([vector], forms), len(forms)) for forms in parts])
    if is_checked:
        assert playground.is_untouched, (playground.hits, playground.dialled)
    elif vector not in BESIDE_THE_PROXY:
        assert len(playground.forms_hit(vector)) >= (1 if vector == "rebinding" else 60)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("how", WAYS)
async def test_each_way_to_lead_a_run_inside_with_every_form(
    playground: Playground, way_in: Dialer, how: str, *, is_checked: bool
) -> None:
    await try_in_browser(way_in, [(playground.led(how, form), 0) for form in FORMS])
    assert playground.is_untouched if is_checked else len(playground.forms_hit(how)) >= 60


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
