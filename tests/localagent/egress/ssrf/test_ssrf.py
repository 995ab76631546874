"""No page reaches an address inside, however it is spelled and whatever asks for it; and the canary sings.

Each attack is made twice: with the checks as they are, when nothing may reach the canary, and with the checks
switched off, when it must be reached, or the attack would prove nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from batchfish.localagent.egress import dialer, proxy
from batchfish.localagent.egress.dialer import Dialer
from batchfish.localagent.engines.base import RunRequest
from batchfish.localagent.engines.choice import reading_engine
from tests.localagent.browsing import engine_over, read, require_chromium
from tests.localagent.egress.ssrf.forms import FORMS, SOME
from tests.localagent.egress.ssrf.playground import EVERY_VECTOR, Playground

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from batchfish.localagent.engines.base import Engine

pytestmark = pytest.mark.process

SCHEMA = {"type": "object", "properties": {"attempts": {"type": "integer"}}, "required": ["attempts"]}
# What the browser does itself and not through the proxy, whose checks are switched off here.
BESIDE_THE_PROXY = {"rtc"}
LED = ("redirect", "refresh", "move")


@pytest.fixture
async def playground() -> AsyncIterator[Playground]:
    async with Playground() as playground:
        yield playground


@pytest.fixture
def hole(monkeypatch: pytest.MonkeyPatch, playground: Playground) -> Dialer:
    """Switch every check off, and give a dialer that knows of no address that is its own."""
    monkeypatch.setattr(dialer, "why_refused", lambda _: None)
    monkeypatch.setattr(dialer, "is_metadata", lambda _: False)
    monkeypatch.setattr(dialer, "is_local_name", lambda _: False)
    monkeypatch.setattr(proxy, "plain_host", lambda host: host.lower().removesuffix("."))
    return Dialer(resolve=playground.resolve, connect=playground.connect, is_own=lambda _: False)


async def attempt(engine: Engine, url: str) -> int:
    """Have an engine read a page of attempts, and give how many there were; 0 where it is no such page."""
    outcome, _ = await read(engine, RunRequest(url=url, goal="Count", output_schema=SCHEMA))
    return 0 if outcome.result is None else int(outcome.result["attempts"])


async def ask_plainly(playground: Playground, dialer: Dialer) -> None:
    """Have the engine that runs no scripts open each form, by its address and by a redirect."""
    async with (
        proxy.Egress(dialer) as way_out,
        reading_engine("extract", way_out, chromium=None, cap=1) as engine,
    ):
        for form in FORMS:
            await attempt(engine, playground.url(form, "direct"))
            await attempt(engine, playground.led("redirect", form))
        for form in SOME:
            await attempt(engine, playground.led("refresh", form))
            await attempt(engine, playground.led("move", form))
        for number in range(3):
            for _ in range(2):
                await attempt(
                    engine, f"http://rebind-{number}.test:{playground.port}/hit?by=rebinding&form=x"
                )
        await attempt(engine, playground.page(EVERY_VECTOR, SOME))


async def test_pages_that_are_read_as_served_reach_nothing_inside(playground: Playground) -> None:
    await ask_plainly(playground, playground.dialer())
    assert playground.is_untouched, (playground.hits, playground.dialled)


async def test_pages_that_are_read_as_served_would_reach_the_canary(
    playground: Playground, hole: Dialer
) -> None:
    await ask_plainly(playground, hole)
    assert len(playground.forms_hit("direct")) >= 60
    assert len(playground.forms_hit("redirect")) >= 60
    assert playground.forms_hit("rebinding") == {"x"}
    # Nothing else moves an engine that runs no scripts.
    assert {by for by, _ in playground.hits} == {"direct", "redirect", "rebinding"}


async def try_in_browser(
    playground: Playground, dialer: Dialer, vectors: Sequence[str], forms: Sequence[str]
) -> None:
    """Have a page in the browser try each way with each form, so many at once that it is soon done."""
    async with engine_over(dialer=dialer) as engine:
        for vector in vectors if len(forms) > len(SOME) else [None]:
            for begin in range(0, len(forms), 40):
                some = forms[begin : begin + 40]
                ways = vectors if vector is None else [vector]
                assert await attempt(engine, playground.page(ways, some)) == len(ways) * len(some)


async def test_a_page_in_the_browser_reaches_nothing_inside(playground: Playground) -> None:
    await try_in_browser(playground, playground.dialer(), EVERY_VECTOR, SOME)
    assert playground.is_untouched, (playground.hits, playground.dialled)


async def test_a_page_in_the_browser_would_reach_the_canary(playground: Playground, hole: Dialer) -> None:
    await try_in_browser(playground, hole, EVERY_VECTOR, SOME)
    assert {by for by, _ in playground.hits} >= set(EVERY_VECTOR) - BESIDE_THE_PROXY


async def test_a_run_in_the_browser_is_not_led_inside(playground: Playground) -> None:
    async with engine_over(dialer=playground.dialer()) as engine:
        for form in SOME[:2]:
            assert await attempt(engine, playground.url(form, "direct")) == 0
            for how in LED:
                assert await attempt(engine, playground.led(how, form)) == 0
    assert playground.is_untouched, (playground.hits, playground.dialled)


@pytest.mark.slow
@pytest.mark.parametrize("vector", EVERY_VECTOR)
async def test_no_way_with_any_form_reaches_anything_inside(playground: Playground, vector: str) -> None:
    await try_in_browser(playground, playground.dialer(), [vector], FORMS)
    assert playground.is_untouched, (playground.hits, playground.dialled)


@pytest.mark.slow
@pytest.mark.parametrize("vector", [way for way in EVERY_VECTOR if way not in BESIDE_THE_PROXY])
async def test_every_way_would_reach_the_canary_by_most_forms(
    playground: Playground, hole: Dialer, vector: str
) -> None:
    await try_in_browser(playground, hole, [vector], FORMS)
    if vector == "rebinding":
        assert playground.forms_hit(vector)
    else:
        assert len(playground.forms_hit(vector)) >= 60


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("how", ["direct", *LED])
async def test_a_run_in_the_browser_is_led_inside_by_no_form(playground: Playground, how: str) -> None:
    async with engine_over(dialer=playground.dialer()) as engine:
        for form in FORMS:
            url = playground.url(form, how) if how == "direct" else playground.led(how, form)
            assert await attempt(engine, url) == 0
    assert playground.is_untouched, (playground.hits, playground.dialled)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("how", ["direct", *LED])
async def test_a_run_in_the_browser_would_be_led_to_the_canary(
    playground: Playground, hole: Dialer, how: str
) -> None:
    async with engine_over(dialer=hole) as engine:
        for form in FORMS:
            url = playground.url(form, how) if how == "direct" else playground.led(how, form)
            await attempt(engine, url)
    assert len(playground.forms_hit(how)) >= 60


async def test_a_browser_with_other_settings_would_reach_the_canary_by_webrtc(
    playground: Playground,
) -> None:
    """Without the proxy and what keeps WebRTC behind it, the ways beside the proxy are open."""
    from playwright.async_api import async_playwright

    chromium = require_chromium()
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = await browser.new_page()
        await page.goto(f"http://127.0.0.1:{playground.attacker_port}/try?{playground.asked(['rtc'], SOME)}")
        await page.wait_for_selector("dl")
        await browser.close()
    assert playground.hits
