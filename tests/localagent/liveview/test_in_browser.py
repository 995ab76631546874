"""The live view in a real Chromium: what a person sees, and what a hostile page cannot make it do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from batchfish.localagent.engines.base import Match, RunFailure, RunOutcome, Step
from tests.localagent.doubles import create, working_queue

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx
    from playwright.async_api import Browser, Page

    from batchfish.localagent.runs.queue import RunQueue
    from tests.localagent.doubles import Clock, ManualEngine

pytestmark = [pytest.mark.process, pytest.mark.asyncio(loop_scope="module")]

URL = "http://a.example/"
HOSTILE = (
    "<script>window.pwned = 1</script><img src=x onerror='window.pwned = 1'>"
    '"><svg onload="window.pwned = 1">\u202e</pre></textarea><iframe src="javascript:window.pwned = 1">'
)


@pytest_asyncio.fixture(loop_scope="module")
async def queue(engine: ManualEngine, clock: Clock) -> AsyncIterator[RunQueue]:
    """Return a queue on the event loop of the browser."""
    async with working_queue(engine, clock) as queue:
        yield queue


@pytest_asyncio.fixture(loop_scope="module")
async def page(chromium: Browser, served: httpx.AsyncClient) -> AsyncIterator[Page]:
    """Return a tab in which nothing may go wrong, neither dialog nor error; closed before the server ends."""
    tab = await chromium.new_page(viewport={"width": 1200, "height": 800}, reduced_motion="reduce")
    tab.set_default_timeout(20_000)
    trouble: list[str] = []
    tab.on("pageerror", lambda error: trouble.append(f"error: {error}"))
    tab.on("dialog", lambda dialog: trouble.append(f"dialog: {dialog.message}"))
    tab.on("console", lambda line: trouble.append(line.text) if line.type == "error" else None)
    yield tab
    await tab.close()
    assert trouble == []


async def open_run(page: Page, served: httpx.AsyncClient, **fields: Any) -> str:  # noqa: ANN401 - any JSON
    """Make a run and open its live view."""
    run_id = await create(served, **fields)
    await page.goto((await served.get(f"/v1/runs/{run_id}")).json()["streaming_url"])
    return run_id


async def text_of(page: Page, selector: str, expected: str) -> None:
    """Wait until an element shows a text."""
    await page.locator(selector).filter(has_text=expected).first.wait_for()


async def picture(chromium: Browser, colour: str) -> bytes:
    tab = await chromium.new_page(viewport={"width": 320, "height": 200})
    await tab.set_content(f"<body style='background: {colour}'>")
    body: bytes = await tab.screenshot(type="jpeg")
    await tab.close()
    return body


async def test_it_shows_a_run_as_it_happens(
    page: Page, chromium: Browser, served: httpx.AsyncClient, engine: ManualEngine
) -> None:
    blockers = [await create(served, f"http://before.example/{n}") for n in range(2)]
    schema = {"type": "object", "properties": {"price": {"type": "number"}}}
    await open_run(page, served, goal="Read the price", output_schema=schema)
    await text_of(page, "#status", "Waiting")
    await text_of(page, "#nothing", "Waiting for its turn.")
    await engine.end(f"http://before.example/{len(blockers) - 1}", RunOutcome())
    await text_of(page, "#status", "Running")
    await text_of(page, ".step", f"opened {URL}")
    await text_of(page, "#url", URL)
    await text_of(page, "#goal", "Read the price")
    await engine.tell(URL, Step(action="clicked “Accept”", screenshot=await picture(chromium, "teal")))
    await text_of(page, ".step", "clicked “Accept”")
    width = "image => image.decode().then(() => image.naturalWidth)"
    assert await page.locator("#picture").evaluate(width) == 320
    await engine.tell(URL, Step(action="price found", matched=Match(name="price", where="table “Prices”")))
    await text_of(page, "#found .where", "table “Prices”")
    assert await page.locator("#found .coming").count() == 1  # its value is not known yet
    await engine.end(URL, RunOutcome(result={"price": 9.99}))
    await text_of(page, "#status", "Completed")
    await text_of(page, "#found dd", "9.99")
    assert await page.locator("#found .coming").count() == 0
    assert await page.locator(".step").count() == 3
    assert await page.title() == f"Completed · {URL}"


async def test_lists_are_tables_and_what_is_absent_is_said(
    page: Page, served: httpx.AsyncClient, engine: ManualEngine
) -> None:
    await open_run(page, served)
    for name, where in (("books", "list of cards"), ("books.title", "h3.title")):
        await engine.tell(URL, Step(action=f"{name} ←", matched=Match(name=name, where=where)))
    books = [{"title": f"Book {n}", "price": n / 2, "cover": None} for n in range(120)]
    await engine.end(URL, RunOutcome(result={"books": books, "next": None, "sizes": [], "is_new": True}))
    await text_of(page, "#status", "Completed")
    assert await page.locator("#found tbody tr").count() == 100
    assert await page.locator("#found thead th").all_inner_texts() == ["title\nh3.title", "price", "cover"]
    await text_of(page, "#found .where", "list of cards")
    await text_of(page, "#found .more", "and 20 more")
    values = await page.locator("#found > div > dd").all_text_contents()
    assert values[1:] == ["list of cards", "not on the page", "an empty list", "yes"]
    await page.locator("summary").click()
    await text_of(page, "#result", '"title": "Book 119"')


async def test_every_end_is_told(page: Page, served: httpx.AsyncClient, engine: ManualEngine) -> None:
    failure = RunFailure(code="LOCAL_NOT_FOUND", message="No price here.")
    for outcome, status, words in (
        (RunOutcome(failure=failure), "Failed", "AGENT_FAILURE · LOCAL_NOT_FOUND"),
        (RunOutcome(), "Completed", "The run gave no result."),
        (RunOutcome(result={"text": "x" * 300_000}), "Completed", "ask the API for it"),
        (None, "Cancelled", "the run was cancelled"),
    ):
        run_id = await open_run(page, served)
        await text_of(page, "#status", "Running")
        await (engine.end(URL, outcome) if outcome else served.post(f"/v1/runs/{run_id}/cancel"))
        await text_of(page, "#status", status)
        await text_of(page, "main", words)


async def test_hostile_text_stays_text_wherever_it_stands(
    page: Page, served: httpx.AsyncClient, engine: ManualEngine
) -> None:
    """From the page that is read, from the goal, from the address: nothing runs, nothing else is loaded."""
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    address = "http://a.example/" + "\"><img/src=x/onerror='window.pwned=1'>"
    run_id = await open_run(page, served, url=address, goal=HOSTILE)
    await engine.tell(address, Step(action=HOSTILE, matched=Match(name=HOSTILE, where=HOSTILE)))
    await text_of(page, ".step", "<script>")
    await text_of(page, "#found dt", "<script>")
    result = {HOSTILE: HOSTILE, "list": [{HOSTILE: HOSTILE}], "__proto__": {"polluted": "yes"}}
    await engine.end(address, RunOutcome(result=result))
    await text_of(page, "#status", "Completed")
    failing = await create(served, "http://b.example/")
    await engine.end("http://b.example/", RunOutcome(failure=RunFailure(code=HOSTILE, message=HOSTILE)))
    own_elements = "script:not([src^='/live/assets/']), iframe, textarea, svg:not(.mark), img:not(#picture)"
    for identity in (run_id, failing):
        await page.goto((await served.get(f"/v1/runs/{identity}")).json()["streaming_url"])
        await page.locator("body.over").wait_for()
        assert await page.locator(own_elements).count() == 0
        assert await page.evaluate("[window.pwned, {}.polluted]") == [None, None]
    await text_of(page, "#error-message", "<script>")
    assert all(url.startswith((str(served.base_url), "data:")) for url in requested)
