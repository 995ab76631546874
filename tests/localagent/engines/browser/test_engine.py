"""The browser engine: what it reads, what it leaves alone, how its runs end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from batchfish.localagent.engines.base import RunRequest
from tests.localagent.browsing import PAGES, Case, browsers_of, cases, count_right, engine_over, read

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

    from batchfish.localagent.engines.base import Engine, Step

# One browser for all tests here: starting one takes longer than most of them.
pytestmark = [pytest.mark.process, pytest.mark.asyncio(loop_scope="module")]

KEY = "sk-tinyfish-never-to-be-seen"
PRICE = {"type": "object", "properties": {"price": {"type": "number"}}, "required": ["price"]}
HATS = {
    "type": "object",
    "properties": {
        "hats": {
            "type": "array",
            "items": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
        }
    },
    "required": ["hats"],
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pages() -> AsyncIterator[Engine]:
    """Give an engine over the pages that need a browser."""
    async with engine_over(PAGES / "site") as engine:
        yield engine


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def traps() -> AsyncIterator[Engine]:
    """Give an engine over pages that are up to no good."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINYFISH_API_KEY", KEY)
        async with engine_over(PAGES / "traps") as engine:
            yield engine


def ask(host: str, goal: str = "Read the price", schema: Mapping[str, object] = PRICE) -> RunRequest:
    return RunRequest(url=f"http://{host}.example/", goal=goal, output_schema=schema)


async def score(engine: Engine, wanted: Sequence[Case]) -> float:
    """Give the share of values that are right, of those that there are or were given."""
    right = total = 0
    for case in wanted:
        outcome, _ = await read(engine, case.request)
        found, there = count_right(case.expected, outcome.result)
        right, total = right + found, total + there
    return right / total


async def test_one_page_of_each_kind_is_read_right(pages: Engine) -> None:
    kinds = ("gull", "tin", "parish", "zinn", "seedbank", "kiln")
    some = [case for case in cases() if any(f"/{kind}." in case.url for kind in kinds)]
    assert len(some) == len(kinds)
    assert await score(pages, some) >= 0.95


@pytest.mark.slow
async def test_most_values_of_pages_that_need_a_browser_are_read_right(pages: Engine) -> None:
    assert await score(pages, cases()) >= 0.85


async def test_steps_are_told_with_pictures(pages: Engine) -> None:
    case = next(case for case in cases() if "tin." in case.url)
    outcome, steps = await read(pages, case.request)
    assert outcome.failure is None
    shown = [step for step in steps if step.screenshot is not None]
    assert [step.action for step in shown] == [
        "opened http://tin.example/ in the browser",
        "pressed “Load more toys”: http://tin.example/",
        "pressed “Load more toys”: http://tin.example/",
    ]
    assert all(step.screenshot is not None and step.screenshot.startswith(b"\xff\xd8") for step in shown)


async def test_nothing_is_bought_sent_or_agreed_to(traps: Engine) -> None:
    outcome, steps = await read(traps, ask("hands-off", "List all hats of all pages with their names", HATS))
    assert outcome.result == {"hats": [{"name": "Boater"}, {"name": "Derby"}]}
    assert not [step.action for step in steps if "pressed" in step.action]


async def test_a_form_that_a_script_sends_is_not_sent(traps: Engine) -> None:
    """The site answers what is sent to it with an error, which would be the end of the run."""
    outcome, steps = await read(traps, ask("sends", "List all hats of all pages with their names", HATS))
    assert [step.action for step in steps if "pressed" in step.action]
    assert outcome.result == {"hats": [{"name": "Boater"}, {"name": "Derby"}]}


async def test_a_search_box_that_changes_something_is_none(traps: Engine) -> None:
    outcome, _ = await read(traps, ask("hands-off", "Search for 'boater' and list the hats", HATS))
    assert outcome.failure is not None
    assert outcome.failure.code == "LOCAL_NO_SEARCH_BOX"


async def test_dialogs_and_new_windows_are_sent_away(traps: Engine) -> None:
    outcome, _ = await read(traps, ask("dialogs"))
    assert outcome.result == {"price": 7}


async def test_a_page_cannot_lie_about_what_is_on_it(traps: Engine) -> None:
    outcome, _ = await read(traps, ask("lying"))
    assert outcome.result == {"price": 5}


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://leaves.example/", "LOCAL_ADDRESS_REFUSED"),
        ("http://10.0.0.1/", "LOCAL_ADDRESS_REFUSED"),
        ("https://10.0.0.1/", "LOCAL_ADDRESS_REFUSED"),
        ("http://plain.example:6000/", "LOCAL_ADDRESS_REFUSED"),
        ("file:///etc/hostname", "LOCAL_ADDRESS_REFUSED"),
        ("chrome://version", "LOCAL_ADDRESS_REFUSED"),
        ("http://plain.example/no/such", "LOCAL_HTTP_STATUS"),
        ("http://file.example/notes.bin", "LOCAL_NOT_HTML"),
    ],
)
async def test_what_is_no_page_to_be_read_fails_in_words(traps: Engine, url: str, code: str) -> None:
    outcome, steps = await read(traps, RunRequest(url=url, goal="Read the price", output_schema=PRICE))
    assert outcome.failure is not None
    assert outcome.failure.code == code
    assert steps[-1].action == outcome.failure.message


async def test_a_cancelled_run_ends_at_once_whatever_its_page_does(traps: Engine) -> None:
    running = asyncio.create_task(read(traps, ask("busy")))
    await asyncio.sleep(1.5)  # into the middle of the page's loop
    begun = time.monotonic()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert time.monotonic() - begun < 2
    outcome, _ = await read(traps, ask("plain"))
    assert outcome.result == {"price": 5}


async def test_the_browser_holds_no_key(traps: Engine) -> None:
    await read(traps, ask("plain"))
    environments = [process.joinpath("environ").read_bytes() for process in browsers()]
    assert environments
    assert not [environment for environment in environments if KEY.encode() in environment]


async def test_the_browser_is_sandboxed_unless_root_runs_it(traps: Engine) -> None:
    await read(traps, ask("plain"))
    arguments = [process.joinpath("cmdline").read_bytes() for process in browsers()]
    assert {b"--no-sandbox" in each for each in arguments} == {os.geteuid() == 0}


async def test_a_run_whose_browser_is_killed_fails_in_words_and_the_next_is_read(traps: Engine) -> None:
    def kill(step: Step) -> None:
        for process in browsers():
            with contextlib.suppress(ProcessLookupError):  # it ended with its parent
                os.kill(int(process.name), signal.SIGKILL)

    outcome = await traps.run(ask("plain"), kill)
    assert outcome.failure is not None
    assert outcome.failure.code == "LOCAL_BROWSER_GONE"
    assert outcome.failure.category == "SYSTEM_FAILURE"
    outcome, _ = await read(traps, ask("plain"))
    assert outcome.result == {"price": 5}


def browsers() -> list[Path]:
    """Give the folders in /proc of the browser processes that this one has started."""
    return browsers_of(os.getpid())
