"""The live view: who may see it and what it is told, and what a person sees of it in a real Chromium."""

from __future__ import annotations

import asyncio
import json
import os
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest
import pytest_asyncio

from batchfish.localagent.engines.base import Match, RunFailure, RunOutcome, Step
from tests.localagent.browsing import require_chromium
from tests.localagent.doubles import TOKEN, create, served_app, working_queue

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser, Page

    from tests.localagent.doubles import Clock, ManualEngine

URL = "http://a.example/"
DAY = 24 * 3600.0
PICTURE = Step(action="took a picture", screenshot=b"jpeg")


async def watch_of(api: httpx.AsyncClient, run_id: str) -> str:
    address: str = (await api.get(f"/v1/runs/{run_id}")).json()["streaming_url"]
    return urlsplit(address).path


def told(answer: httpx.Response) -> list[tuple[str, dict[str, Any]]]:
    """Read the events of a stream that has ended: their names and documents."""
    events = []
    for frame in filter(None, answer.text.split("\n\n")):
        fields = dict(line.split(": ", 1) for line in frame.splitlines())
        events.append((fields["event"], json.loads(fields["data"])))
    return events


async def test_a_link_that_was_not_made_here_shows_nothing(api: httpx.AsyncClient) -> None:
    path = await watch_of(api, await create(api))
    for key in ("", "any"):
        answer = await api.get(path, headers={"x-api-key": key})
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    run, _, signature = path.rpartition(".")
    assert len(signature) == 32  # 24 bytes of HMAC
    last = "A" if path[-1] != "A" else "B"
    another = (await watch_of(api, await create(api))).rpartition(".")[2]
    for forged in (
        *(path[:-1] + last, f"{run}.{another}", run, f"{run}."),
        *(f"/live/{signature}", f"/live/x{path[6:]}", path.upper()),
    ):
        for address in (forged, f"{forged}/events", f"{forged}/steps/1/screenshot"):
            answer = await api.get(address)
            assert answer.status_code == 404
            assert URL not in answer.text


async def test_all_is_shown_until_a_day_later(
    api: httpx.AsyncClient, engine: ManualEngine, clock: Clock
) -> None:
    path = await watch_of(api, run_id := await create(api))
    clock.now += 3 * DAY
    await engine.tell(URL, PICTURE)
    for is_over in (False, True):
        if is_over:
            await engine.end(URL, RunOutcome(result={}))
        answer = await api.get(f"{path}/steps/2/screenshot")
        assert (answer.content, answer.headers["content-type"]) == (b"jpeg", "image/jpeg")
        assert (await api.get(f"{path}/steps/1/screenshot")).status_code == 404
        assert (await api.get(f"/v1/runs/{run_id}/steps/2/screenshot")).content == b"jpeg"
    for passed, status in ((DAY, 200), (1, 404)):
        clock.now += passed
        for address in (path, f"{path}/events", f"{path}/steps/2/screenshot"):
            assert (await api.get(address)).status_code == status
    assert "no run to watch" in (await api.get(path)).text


async def test_answers_keep_foreign_content_out(api: httpx.AsyncClient, engine: ManualEngine) -> None:
    path = await watch_of(api, await create(api))
    await engine.tell(URL, PICTURE)
    await engine.end(URL, RunOutcome())
    assets = [f"/live/assets/{name}" for name in ("live.css", "live.js", "found.js")]
    for address in (path, f"{path}/events", f"{path}/steps/2/screenshot", *assets, "/live/none"):
        headers = (await api.get(address)).headers
        policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
        assert "frame-ancestors" not in policy  # it may be embedded
        assert "x-frame-options" not in headers
        kept = ("x-content-type-options", "referrer-policy", "cache-control")
        assert [headers[name] for name in kept] == ["nosniff", "no-referrer", "no-store"]
    for name in ("links.py", "..%2flinks.py", "live.html", "", "%00"):
        assert (await api.get(f"/live/assets/{name}")).status_code == 404


async def test_it_is_told_steps_and_end(api: httpx.AsyncClient, engine: ManualEngine, clock: Clock) -> None:
    schema = {"type": "object", "properties": {"price": {"type": "number"}}}
    path = await watch_of(api, await create(api, output_schema=schema))
    watching = asyncio.create_task(api.get(f"{path}/events"))
    clock.now += 1
    matched = Match(name="price", where="table “Prices”")
    await engine.tell(URL, Step(action="price found", matched=matched, screenshot=b"jpeg", duration=0.5))
    await engine.end(URL, RunOutcome(result={"price": "none"}))
    events = told(await watching)
    assert [name for name, _ in events] == ["run", "step", "step", "run", "end"]
    assert (events[0][1]["status"], events[0][1]["goal"]) == ("RUNNING", "Read the price")
    assert events[2][1] == {
        "number": 2,
        "at": clock.now,
        "action": "price found",
        "duration": 0.5,
        "matched": {"name": "price", "where": "table “Prices”"},
        "has_screenshot": True,
    }
    assert (events[3][1]["status"], events[3][1]["result"]) == ("COMPLETED", {"price": "none"})
    assert events[3][1]["violations"] == ["#/price: expected number, got text 'none'"]


async def test_a_browser_that_comes_back_is_told_only_what_it_has_not_seen(
    api: httpx.AsyncClient, engine: ManualEngine
) -> None:
    path = await watch_of(api, await create(api))
    for n in range(2, 5):
        await engine.tell(URL, Step(action=f"step {n}"))
    await engine.end(URL, RunOutcome())
    everything = [1, 2, 3, 4]
    for seen, numbers in (("3", [4]), ("9", []), *((odd, everything) for odd in ("x", "-1", "9" * 5000))):
        answer = await api.get(f"{path}/events", headers={"last-event-id": seen})
        assert [event["number"] for name, event in told(answer) if name == "step"] == numbers


HOSTILE = (
    "<script>window.pwned = 1</script><img src=x onerror='window.pwned = 1'>"
    '"><svg onload="window.pwned = 1">\u202e</pre></textarea><iframe src="javascript:window.pwned = 1">'
)


@pytest_asyncio.fixture(loop_scope="module")
async def served(engine: ManualEngine, clock: Clock) -> AsyncIterator[httpx.AsyncClient]:
    """Serve the application over a real socket, and return a client of it, with a key."""
    async with (
        working_queue(engine, clock) as queue,
        served_app(queue, clock) as address,
        httpx.AsyncClient(base_url=address, headers={"X-API-Key": TOKEN}, trust_env=False) as client,
    ):
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncIterator[Browser]:
    """Start one browser for all tests here: that takes longer than most of them."""
    program = require_chromium()
    from playwright.async_api import async_playwright

    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # root may not have one
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=program, args=sandbox)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="module")
async def page(chromium: Browser, served: httpx.AsyncClient) -> AsyncIterator[Page]:
    """Return a tab in which nothing may go wrong, neither dialog nor error; closed before the server ends."""
    tab = await chromium.new_page(viewport={"width": 1200, "height": 800}, reduced_motion="reduce")
    tab.set_default_timeout(60_000)
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


@pytest.mark.process
@pytest.mark.asyncio(loop_scope="module")
async def test_it_shows_a_run_as_it_happens(
    page: Page, served: httpx.AsyncClient, engine: ManualEngine
) -> None:
    blockers = [await create(served, f"http://before.example/{n}") for n in range(2)]
    schema = {"type": "object", "properties": {"price": {"type": "number"}}}
    await open_run(page, served, goal="Read the price", output_schema=schema)
    await text_of(page, "#status", "Waiting")
    await engine.end(f"http://before.example/{len(blockers) - 1}", RunOutcome())
    await text_of(page, "#status", "Running")
    await text_of(page, ".step", f"opened {URL}")
    await text_of(page, "#goal", "Read the price")
    await engine.tell(URL, Step(action="clicked “Accept”", screenshot=await page.screenshot(type="jpeg")))
    await text_of(page, ".step", "clicked “Accept”")
    width = "image => image.decode().then(() => image.naturalWidth)"
    assert await page.locator("#picture").evaluate(width) == 1200
    await engine.tell(URL, Step(action="price found", matched=Match(name="price", where="table “Prices”")))
    await text_of(page, "#found .where", "table “Prices”")
    assert await page.locator("#found .coming").count() == 1  # its value is not known yet
    await engine.end(URL, RunOutcome(result={"price": 9.99}))
    await text_of(page, "#status", "Completed")
    await text_of(page, "#found dd", "9.99")
    assert await page.locator("#found .coming").count() == 0
    assert await page.locator(".step").count() == 3
    assert await page.title() == f"Completed · {URL}"


@pytest.mark.process
@pytest.mark.asyncio(loop_scope="module")
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


@pytest.mark.process
@pytest.mark.asyncio(loop_scope="module")
async def test_hostile_text_stays_text(page: Page, served: httpx.AsyncClient, engine: ManualEngine) -> None:
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
