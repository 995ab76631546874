"""A report in a real Chromium: it loads nothing, sorts, filters, prints and follows the system's colours."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from batchfish.report.page import render_report
from tests.localagent.browsing import require_chromium
from tests.report.building import attempt, facts, item
from tests.report.test_page import HOSTILE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from playwright.async_api import Browser, Page

    Opener = Callable[..., Awaitable[Page]]

pytestmark = [pytest.mark.process, pytest.mark.asyncio(loop_scope="module")]

HISTORIES = [
    item(1, attempt(0, 1, 31), url="https://shop.example/walden"),
    item(2, attempt(0, 2, 4, steps=40)),
    item(3, attempt(0, 3, 103), status="failed", reason="blocked", message="A wall stood there."),
    item(4, attempt(0, 1, 13), id=HOSTILE, url=f"https://shop.example/{HOSTILE}"),
    item(
        5,
        attempt(0, 9, 10),
        status="failed",
        reason=HOSTILE,
        message=HOSTILE * 40,
        error_code=HOSTILE,
        message_length=10**6,
    ),
    item(6, status="queued", attempts=(), follows=0),
]
BACKGROUND = "getComputedStyle(document.body).backgroundColor"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncIterator[Browser]:
    """Start one browser for all tests here."""
    program = require_chromium()
    from playwright.async_api import async_playwright

    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # root may not have one
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=program, args=sandbox)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="module")
async def opened(chromium: Browser, tmp_path: Path) -> AsyncIterator[Opener]:
    """Return a function that opens a report in a tab in which nothing may go wrong, and nothing be loaded."""
    trouble: list[str] = []
    tabs: list[Page] = []

    async def open_report(**options: object) -> Page:
        path = tmp_path / "shop.html"
        path.write_text(render_report(facts(HISTORIES), HISTORIES), encoding="utf-8")
        tab = await chromium.new_page(**{"viewport": {"width": 1200, "height": 800}, **options})  # type: ignore[arg-type]
        tabs.append(tab)
        tab.set_default_timeout(60_000)
        tab.on("pageerror", lambda error: trouble.append(f"error: {error}"))
        tab.on("dialog", lambda dialog: trouble.append(f"dialog: {dialog.message}"))
        tab.on("console", lambda line: trouble.append(f"console: {line.text}"))
        tab.on("request", lambda request: _note_request(trouble, request.url, path))
        await tab.goto(path.as_uri())
        return tab

    yield open_report
    for tab in tabs:
        assert await tab.evaluate("window.pwned") is None
        await tab.close()
    assert trouble == []


def _note_request(trouble: list[str], url: str, path: Path) -> None:
    if url != path.as_uri() and not url.startswith("data:"):
        trouble.append(f"request: {url}")


async def shown(page: Page) -> list[str]:
    """Return the rows of the table of items that are shown, by their numbers."""
    rows = page.locator("table.items tbody tr:visible td:first-child")
    return await rows.all_text_contents()


async def test_nothing_is_loaded_and_hostile_text_does_nothing(opened: Opener) -> None:
    page = await opened()
    assert await page.title() == "shop · batchfish report"
    assert HOSTILE[:60] in await page.locator("#failures").inner_text()
    assert await page.locator("img, iframe").count() == 0
    assert await page.locator("script").count() == 1
    assert await page.evaluate("document.documentElement.scrollWidth") <= 1200
    await page.set_viewport_size({"width": 390, "height": 800})
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390, "it fits a small screen"


async def test_tables_are_sorted_by_their_heads_and_items_filtered(opened: Opener) -> None:
    page = await opened()
    assert await shown(page) == ["1", "2", "3", "4", "5", "6"]
    run = page.locator("table.items thead th", has_text="run, s")
    await run.get_by_role("button").click()
    assert await run.get_attribute("aria-sort") == "ascending"
    assert await shown(page) == ["5", "2", "4", "1", "3", "6"]
    await run.get_by_role("button").click()
    assert await run.get_attribute("aria-sort") == "descending"
    assert await shown(page) == ["3", "1", "4", "2", "5", "6"], "an empty cell is last in either order"
    status = page.locator("table.items thead th", has_text="status")
    await status.get_by_role("button").focus()
    await page.keyboard.press("Enter")
    assert await run.get_attribute("aria-sort") is None
    assert (await shown(page))[:2] == ["3", "5"]
    await filter_items(page)


async def filter_items(page: Page) -> None:
    words, count = page.get_by_role("searchbox"), page.locator(".tools output")
    assert await count.inner_text() == "6 of 6 rows"
    await words.fill("WALDEN shop")
    assert await shown(page) == ["1"]
    assert await count.inner_text() == "1 of 6 rows"
    await words.fill("")
    await page.get_by_role("combobox").select_option("failed")
    assert await shown(page) == ["3", "5"]
    await words.fill("blocked")
    assert await shown(page) == ["3"]


async def test_a_page_without_scripts_can_be_read(opened: Opener) -> None:
    page = await opened(java_script_enabled=False)
    assert len(await shown(page)) == 6
    assert await page.locator(".tools").is_hidden()
    assert await page.locator("thead button").count() == 0
    assert await page.locator("svg.chart").count() == 3


async def test_it_follows_the_colours_of_the_system_and_is_white_on_paper(opened: Opener) -> None:
    """WCAG asks for a contrast of 4.5 for text of normal size."""
    page = await opened(color_scheme="light")
    assert brightness(await page.evaluate(BACKGROUND)) > 230
    await assert_that_texts_stand_out(page)
    await page.emulate_media(color_scheme="dark")
    assert brightness(await page.evaluate(BACKGROUND)) < 40
    await assert_that_texts_stand_out(page)
    await page.emulate_media(media="print", color_scheme="dark")
    assert brightness(await page.evaluate(BACKGROUND)) == 255
    assert await page.locator("nav").is_hidden()
    assert await page.locator("table.items").is_visible()


async def assert_that_texts_stand_out(page: Page) -> None:
    for name in ("--text", "--soft", "--accent", "--bad", "--wait"):
        for ground in ("--card", "--back"):
            assert await contrast(page, name, ground) >= 4.5, (name, ground)


def brightness(colour: str) -> float:
    red, green, blue = (float(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(","))
    return (red + green + blue) / 3


async def contrast(page: Page, text: str, ground: str) -> float:
    """Return the contrast ratio of two of the page's colours, as WCAG 2 defines it."""
    luminances = []
    for name in (text, ground):
        colour: str = await page.evaluate(
            """name => {
                const probe = document.createElement("p");
                probe.className = "soft";
                document.body.append(probe);
                probe.attributeStyleMap.set("color", `var(${name})`);
                const colour = getComputedStyle(probe).color;
                probe.remove();
                return colour;
            }""",
            name,
        )
        parts = [float(part) / 255 for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        luminances.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    return (max(luminances) + 0.05) / (min(luminances) + 0.05)
