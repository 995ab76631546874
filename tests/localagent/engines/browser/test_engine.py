"""The browser engine: what it reads, what it leaves alone, how its runs end."""

import asyncio
import contextlib
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import pytest_asyncio

from batchfish.localagent.egress.dialer import Dialer, Streams
from batchfish.localagent.egress.proxy import Egress
from batchfish.localagent.egress.sample_site import SampleSite
from batchfish.localagent.engines.base import Engine, RunRequest, Step
from batchfish.localagent.engines.browser import interception
from batchfish.localagent.engines.browser.chromium import Chromium
from batchfish.localagent.engines.browser.engine import BrowserEngine
from tests.localagent.browsing import (
    KEY,
    PAGES,
    PRICE,
    actions,
    ask,
    browsers_of,
    cases,
    failure_of,
    read,
)
from tests.localagent.doubles import READER
from tests.sample_inputs.score import Mark, mark_result
from tests.webagent.servers import Connection, Server, serving

pytestmark = [pytest.mark.process, pytest.mark.asyncio(loop_scope="session")]

HAT = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
HATS = {"type": "object", "properties": {"hats": {"type": "array", "items": HAT}}, "required": ["hats"]}
BOTH = {"hats": [{"name": "Boater"}, {"name": "Derby"}]}
ALL_HATS = "List all hats of all pages with their names"

SHOP = """<!doctype html><title>Shop</title><h1>A shop that sells one thing</h1><p id=state>Loading…</p>
<iframe name=same></iframe><iframe src="http://other.test/frame"></iframe>
<form method=post action=/window target=_blank><input name=a value=1></form>
<form method=post action=/inner target=same><input name=a value=1></form>
<script>
  const [toWindow, toFrame] = document.forms;
  addEventListener("message", () => {  // from the frame of the other site: it has sent its form
    toWindow.submit();
    toFrame.submit();
    const begun = Date.now();
    setTimeout(async function show() {  // the price, once all forms have come, or none
      const posts = await (await fetch("/posts")).text();
      const isTime = posts === "0" ? Date.now() - begun > 1500 : posts === "3";
      if (isTime) document.getElementById("state").outerHTML = "<p>Price: $5</p>";
      else setTimeout(show, 200);
    });
  });
</script>"""
FRAME = """<!doctype html><form method=post action=/foreign><input name=a value=1></form>
<script>parent.postMessage(1, "*"); setTimeout(() => document.forms[0].submit(), 200);</script>"""


async def answer(server: Server, connection: Connection) -> None:
    """Serve two sites."""
    path = (await connection.read_request()).split(b" ")[1].decode()
    posts = sum(request.startswith(b"POST ") for request in server.requests)
    body = {"/": SHOP, "/frame": FRAME, "/posts": str(posts)}.get(path, "<p>Thank you.").encode()
    start = f"HTTP/1.1 200 OK\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {len(body)}"
    await connection.say(f"{start}\r\nconnection: close\r\n\r\n".encode() + body)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def sites() -> AsyncIterator[Server]:
    """Return the server that every public name leads to."""
    async with serving(answer) as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def engine(sites: Server, browser: Chromium) -> AsyncIterator[Engine]:
    """Return an engine over pages that need a browser, and others that are up to no good."""

    async def resolve(host: str, port: int) -> Sequence[str]:
        return ["93.184.216.34"]

    async def connect(address: str, port: int) -> Streams:
        return await asyncio.open_connection("127.0.0.1", sites.port)

    async with Egress(Dialer(resolve=resolve, connect=connect), SampleSite(PAGES)) as egress:
        yield BrowserEngine(egress, browser, READER)


QUICK = {"gull", "tin", "zinn", "seedbank", "kiln"}
"""Pages that are scrolled to their end, load more, ask for consent in a frame, are searched, and unfolded."""
HOSTS = [one if one in QUICK else pytest.param(one, marks=pytest.mark.slow) for one in cases()]


@pytest.mark.parametrize("host", HOSTS)
async def test_a_page_that_needs_a_browser_is_read_right(engine: Engine, host: str) -> None:
    case = cases()[host]
    outcome, _ = await read(engine, ask(host, case["goal"], case["schema"]))
    marks = Counter(mark for *_, mark in mark_result({"result": case["expected"]}, outcome.result))
    assert marks[Mark.RIGHT] / marks.total() >= 0.8
    assert marks[Mark.WRONG] == 0


async def test_nothing_is_bought_sent_or_agreed_to(engine: Engine) -> None:
    outcome, steps = await read(engine, ask("hands-off", ALL_HATS, HATS))
    assert outcome.result == BOTH
    assert not [action for action in actions(steps) if "pressed" in action]


async def test_frames_send_no_forms(engine: Engine, sites: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the control: where every method is taken for safe, all of them are sent."""

    async def asked_for() -> set[str]:
        sites.requests.clear()
        request = RunRequest(url="http://shop.test/", goal="Read the price", output_schema=PRICE)
        assert (await read(engine, request))[0].result == {"price": 5}
        return {b" ".join(request.split(b" ", 2)[:2]).decode() for request in sites.requests}

    asked = await asked_for()
    assert {"GET /", "GET /frame"} <= asked
    assert not [request for request in asked if not request.startswith("GET ")]
    monkeypatch.setattr(interception, "SAFE_METHODS", {"GET", "HEAD", "POST"})
    assert await asked_for() >= {"POST /window", "POST /inner", "POST /foreign"}


@pytest.mark.parametrize(("host", "price"), [("dialogs", 7), ("lying", 5)])
async def test_dialogs_windows_and_lies_change_nothing(engine: Engine, host: str, price: float) -> None:
    outcome, _ = await read(engine, ask(host))
    assert outcome.result == {"price": price}


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://leaves.example/", "LOCAL_ADDRESS_REFUSED"),
        ("http://10.0.0.1/", "LOCAL_ADDRESS_REFUSED"),
        ("http://plain.example:6000/", "LOCAL_ADDRESS_REFUSED"),
        ("file:///etc/hostname", "LOCAL_ADDRESS_REFUSED"),
        ("http://plain.example/no/such", "LOCAL_HTTP_STATUS"),
        ("http://file.example/notes.bin", "LOCAL_NOT_HTML"),
    ],
)
async def test_what_is_no_page_to_be_read_fails_in_words(engine: Engine, url: str, code: str) -> None:
    outcome, steps = await read(engine, RunRequest(url=url, goal="Read the price", output_schema=PRICE))
    assert failure_of(outcome).code == code
    assert steps[-1].action == failure_of(outcome).message


async def test_a_cancelled_run_ends_at_once_whatever_its_page_does(engine: Engine) -> None:
    running = asyncio.create_task(read(engine, ask("busy")))
    await asyncio.sleep(1.5)  # into the middle of the page's loop
    begun = time.monotonic()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert time.monotonic() - begun < 10
    outcome, _ = await read(engine, ask("plain"))
    assert outcome.result == {"price": 5}


async def test_the_browser_holds_no_key_and_is_sandboxed_unless_root_runs_it(engine: Engine) -> None:
    await read(engine, ask("plain"))
    assert browsers()
    assert not [each for each in browsers() if KEY.encode() in each.joinpath("environ").read_bytes()]
    arguments = [process.joinpath("cmdline").read_bytes() for process in browsers()]
    assert {b"--no-sandbox" in each for each in arguments} == {os.geteuid() == 0}


async def test_a_run_whose_browser_is_killed_fails_in_words_and_the_next_is_read(engine: Engine) -> None:
    def kill(step: Step) -> None:
        for process in browsers():
            with contextlib.suppress(ProcessLookupError):  # it ended with its parent
                os.kill(int(process.name), signal.SIGKILL)

    failure = failure_of(await engine.run(ask("plain"), kill))
    assert (failure.code, failure.category) == ("LOCAL_BROWSER_GONE", "SYSTEM_FAILURE")
    outcome, _ = await read(engine, ask("plain"))
    assert outcome.result == {"price": 5}


def browsers() -> list[Path]:
    """Return the folders in /proc of the browser processes that this one has started."""
    return browsers_of(os.getpid())
