"""The live view as it is served: who may see it, until when, under which headers, and what it is told."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

import batchfish.localagent.liveview
from batchfish.localagent.engines.base import Match, RunOutcome, Step
from batchfish.localagent.liveview.links import WatchLinks
from batchfish.localagent.runs.store import RunStore
from tests.localagent.doubles import create

if TYPE_CHECKING:
    import httpx

    from tests.localagent.doubles import Clock, ManualEngine

URL = "http://a.example/"
DAY = 24 * 3600.0


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


async def test_the_page_needs_no_key_and_its_link_is_signed(api: httpx.AsyncClient) -> None:
    first, second = [await watch_of(api, await create(api)) for _ in range(2)]
    answer = await api.get(first, headers={"x-api-key": ""})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    signatures = [path.rpartition(".")[2] for path in (first, second)]
    assert signatures[0] != signatures[1]
    assert all(len(signature) == 32 for signature in signatures)  # 24 bytes of HMAC


async def test_a_link_that_was_not_made_here_shows_nothing(api: httpx.AsyncClient) -> None:
    path = await watch_of(api, await create(api))
    run, _, signature = path.rpartition(".")
    last = "A" if path[-1] != "A" else "B"
    for forged in (
        path[:-1] + last,
        run,
        f"{run}.",
        f"/live/{signature}",
        f"/live/x{path[6:]}",
        path.upper(),
    ):
        for address in (forged, f"{forged}/events", f"{forged}/steps/1/screenshot"):
            answer = await api.get(address)
            assert answer.status_code == 404
            assert URL not in answer.text


def test_another_agents_links_are_no_good_here(tmp_path: Path) -> None:
    books = [RunStore(tmp_path / name) for name in ("a.db", "b.db", "a.db")]
    mine, other, later = (WatchLinks("http://127.0.0.1:1", book.secret()) for book in books)
    token = mine.url("run").rpartition("/")[2]
    assert mine.run_of(token) == later.run_of(token) == "run"  # a restart keeps the links
    assert other.run_of(token) is None
    for book in books:
        book.close()


async def test_it_is_gone_a_day_after_the_run_has_ended(
    api: httpx.AsyncClient, engine: ManualEngine, clock: Clock
) -> None:
    path = await watch_of(api, await create(api))
    clock.now += 3 * DAY
    assert (await api.get(path)).status_code == 200  # it still runs
    await engine.tell(URL, Step(action="took a picture", screenshot=b"jpeg"))
    await engine.end(URL, RunOutcome(result={}))
    addresses = (path, f"{path}/events", f"{path}/steps/2/screenshot")
    clock.now += DAY
    assert [(await api.get(address)).status_code for address in addresses] == [200, 200, 200]
    clock.now += 1
    assert [(await api.get(address)).status_code for address in addresses] == [404, 404, 404]
    assert "no run to watch" in (await api.get(path)).text


async def test_every_answer_keeps_foreign_content_and_referrers_out(
    api: httpx.AsyncClient, engine: ManualEngine
) -> None:
    path = await watch_of(api, await create(api))
    await engine.tell(URL, Step(action="took a picture", screenshot=b"jpeg"))
    await engine.end(URL, RunOutcome())
    assets = [f"/live/assets/{name}" for name in ("live.css", "live.js", "found.js")]
    for address in (path, f"{path}/events", f"{path}/steps/2/screenshot", *assets, "/live/none"):
        headers = (await api.get(address)).headers
        policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
        assert "frame-ancestors" not in policy  # it may be embedded
        assert "x-frame-options" not in headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize("name", ["links.py", "..%2flinks.py", "live.html", "", "%00"])
async def test_only_its_own_files_are_served(api: httpx.AsyncClient, name: str) -> None:
    assert (await api.get(f"/live/assets/{name}")).status_code == 404


def test_the_page_has_no_inline_script_style_or_handler() -> None:
    """The policy would block it: it must not be there to begin with."""
    folder = Path(batchfish.localagent.liveview.__file__).parent
    for page in folder.glob("*.html"):
        text = page.read_text("utf-8")
        assert " style=" not in text
        assert "<style" not in text
        assert not re.search(r"<[^>]* on\w+=", text)
        assert text.count("<script") == text.count('<script type="module" src="/live/assets/')
    for script in folder.glob("*.js"):
        assert "innerHTML" not in script.read_text("utf-8")


async def test_it_is_told_the_state_the_steps_and_the_end(
    api: httpx.AsyncClient, engine: ManualEngine, clock: Clock
) -> None:
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
    for seen, numbers in (
        ("3", [4]),
        ("9", []),
        ("x", [1, 2, 3, 4]),
        ("-1", [1, 2, 3, 4]),
        ("9" * 5000, None),
    ):
        answer = await api.get(f"{path}/events", headers={"last-event-id": seen})
        steps = [event["number"] for name, event in told(answer) if name == "step"]
        assert steps == ([1, 2, 3, 4] if numbers is None else numbers)


async def test_a_picture_is_given_while_the_run_works_and_after(
    api: httpx.AsyncClient, engine: ManualEngine
) -> None:
    path = await watch_of(api, run_id := await create(api))
    await engine.tell(URL, Step(action="took a picture", screenshot=b"jpeg"))
    for _ in range(2):
        answer = await api.get(f"{path}/steps/2/screenshot")
        assert (answer.content, answer.headers["content-type"]) == (b"jpeg", "image/jpeg")
        assert (await api.get(f"{path}/steps/1/screenshot")).status_code == 404
        by_api = await api.get(f"/v1/runs/{run_id}/steps/2/screenshot")
        assert by_api.content == b"jpeg"
        if engine.alive:
            await engine.end(URL, RunOutcome())
