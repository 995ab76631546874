"""The live view in a real Chromium: what a person sees, and what a hostile page cannot make it do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from batchfish.localagent.engines.base import Match, RunFailure, RunOutcome, Step
from tests.localagent.doubles import create, working_queue
from tests.webagent.servers import say, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx
    from playwright.async_api import Browser, Page

    from batchfish.localagent.runs.queue import RunQueue
    from tests.localagent.doubles import Clock, ManualEngine

pytestmark = [pytest.mark.process, pytest.mark.asyncio(loop_scope="module")]

URL = "http://a.example/"
DAY = 24 * 3600.0
HOSTILE = (
    "<script>window.pwned = 1</script><img src=x onerror='window.pwned = 1'>"
    '"><svg onload="window.pwned = 1">\u202e</pre></textarea><iframe src="javascript:window.pwned = 1">'
)
CONTRAST = """
() => {
  const linear = (c) => ((c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const numbers = (text) => text.match(/[\\d.]+/g).map(Number);
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const found = numbers(getComputedStyle(e).backgroundColor);
      if (found.length < 4 || found[3] > 0) return found;
    }
    return [255, 255, 255];
  };
  const ratios = {};
  for (const element of document.querySelectorAll("body *")) {
    const isText = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!isText || !element.checkVisibility()) continue;
    const [text, back] = [light(numbers(getComputedStyle(element).color)), light(behind(element))];
    const ratio = (Math.max(text, back) + 0.05) / (Math.min(text, back) + 0.05);
    ratios[element.className || element.tagName] = ratio;
  }
  return ratios;
}
"""


@pytest_asyncio.fixture(loop_scope="module")
async def queue(engine: ManualEngine, clock: Clock) -> AsyncIterator[RunQueue]:
    """Give a queue on the event loop of the browser."""
    async with working_queue(engine, clock) as queue:
        yield queue


@pytest_asyncio.fixture(loop_scope="module")
async def page(chromium: Browser, served: httpx.AsyncClient) -> AsyncIterator[Page]:
    """Give a tab in which nothing may go wrong: no dialog, no error; it is closed before the server ends."""
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


ENDS = {
    "a failure": (
        RunFailure(code="LOCAL_NOT_FOUND", message="No price here."),
        "AGENT_FAILURE · LOCAL_NOT_FOUND",
    ),
    "no result": (None, "The run gave no result."),
    "a huge result": ({"text": "x" * 300_000}, "ask the API for it"),
    "a list": ([1, 2], "1,\n  2"),
    "an empty object": ({}, "{}"),
}


async def test_every_end_is_told(page: Page, served: httpx.AsyncClient, engine: ManualEngine) -> None:
    for end, words in ENDS.values():
        await open_run(page, served)
        outcome = RunOutcome(failure=end) if isinstance(end, RunFailure) else RunOutcome(result=end)
        await engine.end(URL, outcome)
        await text_of(page, "#status", "Failed" if outcome.failure else "Completed")
        await text_of(page, "main", words)


async def test_a_cancelled_run_is_told(page: Page, served: httpx.AsyncClient) -> None:
    run_id = await open_run(page, served)
    await text_of(page, "#status", "Running")
    await served.post(f"/v1/runs/{run_id}/cancel")
    await text_of(page, "#status", "Cancelled")
    await text_of(page, "#nothing", "the run was cancelled")


async def test_a_picked_picture_stays_while_others_come(
    page: Page, chromium: Browser, served: httpx.AsyncClient, engine: ManualEngine
) -> None:
    await open_run(page, served)
    for n, colour in enumerate(("teal", "tomato")):
        await engine.tell(URL, Step(action=f"look {n}", screenshot=await picture(chromium, colour)))
    await text_of(page, "#picture-step", "after step 3")
    await page.get_by_role("button", name="picture").first.click()
    await text_of(page, "#picture-step", "after step 2")
    await engine.tell(URL, Step(action="look again", screenshot=await picture(chromium, "gold")))
    await text_of(page, ".step", "look again")
    await text_of(page, "#picture-step", "after step 2")
    assert await page.get_by_role("button", name="picture").first.get_attribute("aria-pressed") == "true"


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


async def test_an_address_that_is_no_web_address_is_no_link(
    page: Page,
    served: httpx.AsyncClient,
    queue: Any,  # noqa: ANN401 - a queue
) -> None:
    """The API refuses such an address; the page does not lean on that."""
    from batchfish.localagent.engines.base import RunRequest

    (run_id,) = queue.create([RunRequest(url="javascript:window.pwned=1", goal="x")], origin="o")
    await page.goto((await served.get(f"/v1/runs/{run_id}")).json()["streaming_url"])
    await text_of(page, "#url", "javascript:")
    assert await page.locator("#url").get_attribute("href") is None


async def test_the_policy_stops_what_would_get_through(
    chromium: Browser, served: httpx.AsyncClient, engine: ManualEngine
) -> None:
    """Even with markup in the page, no inline script runs, no style applies and nothing foreign is loaded."""
    tab = await chromium.new_page()
    await open_run(tab, served)
    await text_of(tab, "#status", "Running")
    requested: list[str] = []
    tab.on("requestfinished", lambda request: requested.append(request.url))
    found = await tab.evaluate(
        """async () => {
          const blocked = [];
          const all = new Promise((done) => document.addEventListener("securitypolicyviolation", (event) => {
            blocked.push(event.effectiveDirective);
            if (blocked.length >= 6) done();
          }));
          document.body.insertAdjacentHTML("beforeend", `<img src="http://evil.example/x.png">
            <img src="data:," onerror="window.pwned = 1"><p id="styled" style="color: red"></p>
            <iframe src="http://evil.example/"></iframe>`);
          const script = document.createElement("script");
          script.textContent = "window.pwned = 2";
          document.body.append(script);
          fetch("http://evil.example/").catch(() => {});
          await all;
          return [window.pwned, blocked.sort(), getComputedStyle(document.getElementById("styled")).color];
        }"""
    )
    pwned, blocked, colour = found
    assert pwned is None
    expected = ["connect-src", "frame-src", "img-src", "script-src-attr", "script-src-elem", "style-src-attr"]
    assert blocked == expected
    assert colour != "rgb(255, 0, 0)"
    assert not [url for url in requested if "evil" in url]
    await tab.close()


async def test_it_can_be_embedded_in_a_page_of_another_origin(
    page: Page, served: httpx.AsyncClient, engine: ManualEngine
) -> None:
    run_id = await create(served)
    watch = (await served.get(f"/v1/runs/{run_id}")).json()["streaming_url"]
    body = f'<!doctype html><link rel="icon" href="data:,"><iframe src="{watch}"></iframe>'.encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
    async with serving(say(head % len(body), body)) as embedder:
        await page.goto(f"http://127.0.0.1:{embedder.port}/")
        inner = page.frame_locator("iframe")
        await inner.locator("#status").filter(has_text="Running").wait_for()
        await engine.end(URL, RunOutcome(result={"price": 3}))
        await inner.locator("#status").filter(has_text="Completed").wait_for()


async def test_it_is_gone_a_day_later(
    chromium: Browser, served: httpx.AsyncClient, engine: ManualEngine, clock: Clock
) -> None:
    tab = await chromium.new_page()
    await open_run(tab, served)
    await engine.end(URL, RunOutcome(result={}))
    await text_of(tab, "#status", "Completed")
    clock.now += DAY + 1
    await tab.reload()
    await text_of(tab, "h1", "There is no run to watch here")
    assert await tab.locator("#goal").count() == 0
    await tab.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_it_can_be_read_in_light_and_dark_on_any_screen(
    chromium: Browser,
    served: httpx.AsyncClient,
    engine: ManualEngine,
    scheme: Any,  # noqa: ANN401 - a literal
) -> None:
    """Contrast as WCAG asks of text (4.5:1), and no scrolling sideways, whatever words come."""
    runs = []
    for n, outcome in enumerate(
        (
            RunOutcome(result={"x" * 300: "y" * 3000}),
            RunOutcome(failure=RunFailure(code="c" * 300, message="m" * 3000)),
        )
    ):
        url = f"http://{n}.example/" + "u" * 2000
        runs.append(await create(served, url, goal="g" * 3000))
        await engine.tell(url, Step(action="a" * 3000, matched=Match(name="x" * 300, where="w" * 3000)))
        await engine.end(url, outcome)
    for width in (1280, 768, 320):
        tab = await chromium.new_page(
            viewport={"width": width, "height": 700}, color_scheme=scheme, reduced_motion="reduce"
        )
        for run_id in runs:
            await tab.goto((await served.get(f"/v1/runs/{run_id}")).json()["streaming_url"])
            await tab.locator("body.over").wait_for()
            assert await tab.evaluate("document.documentElement.scrollWidth") <= width
            ratios = await tab.evaluate(CONTRAST)
            assert len(ratios) > 8
            assert {name: ratio for name, ratio in ratios.items() if ratio < 4.5} == {}
        await tab.close()
