"""Which engine a run gets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from batchfish.localagent.egress.dialer import Dialer
from batchfish.localagent.egress.proxy import Egress
from batchfish.localagent.egress.sample_site import SampleSite
from batchfish.localagent.engines.base import RunRequest
from batchfish.localagent.engines.browser.chromium import NoChromium
from batchfish.localagent.engines.browser.interception import Interception
from batchfish.localagent.engines.choice import reading_engine
from tests.localagent.browsing import PAGES, engine_over, read, require_chromium

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.process

PRICE = {"type": "object", "properties": {"price": {"type": "number"}}, "required": ["price"]}


def ask(host: str, goal: str = "Read the price") -> RunRequest:
    return RunRequest(url=f"http://{host}.example/", goal=goal, output_schema=PRICE)


async def test_a_page_gets_the_browser_when_it_needs_one() -> None:
    async with engine_over(PAGES / "traps", name="auto") as engine:
        outcome, steps = await read(engine, ask("plain"))
        assert outcome.result == {"price": 5}
        assert not [step for step in steps if step.screenshot]
        outcome, steps = await read(engine, ask("bare"))
        assert outcome.result == {"price": 5}
        assert any("The browser looks again." in step.action for step in steps)
        outcome, steps = await read(engine, ask("plain", "Search for 'lamp' and read the price"))
        assert outcome.failure is not None
        assert outcome.failure.code == "LOCAL_NO_SEARCH_BOX"


async def test_without_chromium_pages_are_read_as_they_are_served(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    async with (
        Egress(Dialer(), SampleSite(PAGES / "traps")) as egress,
        reading_engine("auto", egress, chromium=None, cap=1) as engine,
    ):
        outcome, _ = await read(engine, ask("plain"))
        assert outcome.result == {"price": 5}
        outcome, _ = await read(engine, ask("bare"))
    assert outcome.failure is not None
    assert outcome.failure.code == "LOCAL_NEEDS_JAVASCRIPT"
    assert "apt-get install chromium" in outcome.failure.message
    assert "apt-get install chromium" in caplog.text


async def test_a_browser_that_is_asked_for_must_be_there(tmp_path: Path) -> None:
    async with Egress(Dialer()) as egress:
        with pytest.raises(NoChromium, match="is no program"):
            async with reading_engine("browser", egress, chromium=tmp_path / "chrome", cap=1):
                pass


def script(path: Path, *lines: str) -> Path:
    """Write a program that stands where a browser is looked for."""
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)
    return path


async def test_a_program_that_is_no_browser_is_said_at_start(tmp_path: Path) -> None:
    program = script(tmp_path / "chrome", "echo no browser here >&2", "exit 3")
    async with Egress(Dialer()) as egress:
        with pytest.raises(NoChromium) as refused:
            async with reading_engine("browser", egress, chromium=program, cap=1):
                pass
    assert str(refused.value) == f"{program} does not start: no browser here"


@pytest.fixture
def unusable(tmp_path: Path) -> Path:
    """Give a Chromium that starts and then reaches no proxy, and counts its starts."""
    lost = "--host-resolver-rules='MAP * ~NOTFOUND'"
    starts = tmp_path / "starts"
    return script(tmp_path / "chrome", f"echo >> {starts}", f'exec {require_chromium()} "$@" {lost}')


async def test_a_chromium_that_opens_no_page_is_said_at_start(unusable: Path) -> None:
    async with Egress(Dialer()) as egress:
        with pytest.raises(NoChromium) as refused:
            async with reading_engine("browser", egress, chromium=unusable, cap=1):
                pass
    said = str(refused.value)
    assert said.startswith(f"{unusable} (chromium ")
    assert "http://check.example/ cannot be opened: net::ERR_" in said
    assert said.endswith("--chromium FILE.")


async def test_a_chromium_that_opens_no_page_is_started_once_and_done_without(unusable: Path) -> None:
    async with (
        Egress(Dialer(), SampleSite(PAGES / "traps")) as egress,
        reading_engine("auto", egress, chromium=unusable, cap=1) as engine,
    ):
        for _ in range(2):
            outcome, _ = await read(engine, ask("bare"))
            assert outcome.failure is not None
            assert outcome.failure.code == "LOCAL_NEEDS_JAVASCRIPT"
            assert "A browser might see more." in outcome.failure.message
            assert str(unusable) in outcome.failure.message
        outcome, _ = await read(engine, ask("plain"))
        assert outcome.result == {"price": 5}
    assert unusable.with_name("starts").read_text() == "\n"


async def test_a_chromium_whose_challenges_go_unanswered_is_said_at_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Some versions ask only the outermost session for the proxy's credentials: here it has none."""

    async def cancel(self: Interception, challenged: dict[str, Any]) -> None:
        answer = {"authChallengeResponse": {"response": "CancelAuth"}}
        await self._send("Fetch.continueWithAuth", challenged, answer)

    monkeypatch.setattr(Interception, "_authenticate", cancel)
    async with Egress(Dialer()) as egress:
        with pytest.raises(NoChromium, match=r"does not open pages .*check\.example"):
            async with reading_engine("browser", egress, chromium=require_chromium(), cap=1):
                pass
