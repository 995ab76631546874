"""Which engine a run gets, and what is said of a browser that is of no use."""

from pathlib import Path
from typing import Any

import pytest

from batchfish.localagent.engines.browser.chromium import NoChromium
from batchfish.localagent.engines.browser.interception import Interception
from batchfish.localagent.engines.browser.selfcheck import ADDRESS
from batchfish.localagent.engines.browser.world import World
from tests.localagent.browsing import PAGES, actions, ask, engine_over, failure_of, read, require_chromium

pytestmark = pytest.mark.process


async def test_a_page_gets_the_browser_when_it_needs_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the page that checks the browser is not waited for as one that is still loading."""
    require_chromium()
    asked: list[str] = []
    ask_page = World.ask

    async def note(self: World, call: str) -> Any:  # noqa: ANN401 - JSON
        if self._page.url == ADDRESS:
            asked.append(call)
        return await ask_page(self, call)

    monkeypatch.setattr(World, "ask", note)
    async with engine_over(PAGES, name="auto") as engine:
        outcome, steps = await read(engine, ask("plain"))
        assert outcome.result == {"price": 5}
        assert not [step for step in steps if step.screenshot]
        outcome, steps = await read(engine, ask("bare"))
        assert outcome.result == {"price": 5}
        assert any("The browser looks again." in action for action in actions(steps))
        assert asked.count("isBusy()") == 1
        outcome, steps = await read(engine, ask("plain", "Search for 'lamp' and read the price"))
        assert failure_of(outcome).code == "LOCAL_NO_SEARCH_BOX"


async def test_without_chromium_pages_are_read_as_they_are_served(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    async with engine_over(PAGES, name="auto") as engine:
        outcome, _ = await read(engine, ask("plain"))
        assert outcome.result == {"price": 5}
        outcome, _ = await read(engine, ask("bare"))
    assert failure_of(outcome).code == "LOCAL_NEEDS_JAVASCRIPT"
    assert "apt-get install chromium" in failure_of(outcome).message
    assert "apt-get install chromium" in caplog.text


@pytest.mark.slow
async def test_unanswered_challenges_are_said_at_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some versions ask only the outermost session for the proxy's credentials: here it has none."""

    async def cancel(self: Interception, challenged: dict[str, Any]) -> None:
        answer = {"authChallengeResponse": {"response": "CancelAuth"}}
        await self._send("Fetch.continueWithAuth", challenged, answer)

    monkeypatch.setattr(Interception, "_authenticate", cancel)
    chromium = require_chromium()
    with pytest.raises(NoChromium) as refused:
        async with engine_over(chromium=chromium):
            pass
    said = str(refused.value)
    assert said.startswith(f"{chromium} (chromium ")
    assert "does not open pages for the local agent: http://check.example/ " in said
    assert said.endswith("--chromium FILE.")


async def test_a_chromium_that_opens_no_page_is_started_once_and_done_without(tmp_path: Path) -> None:
    """It reaches no proxy, and counts its starts."""
    starts, lost = tmp_path / "starts", "--host-resolver-rules='MAP * ~NOTFOUND'"
    found = require_chromium()
    unusable = tmp_path / "chrome"
    unusable.write_text(f'#!/bin/sh\necho >> {starts}\nexec {found} "$@" {lost}\n')
    unusable.chmod(0o755)
    async with engine_over(PAGES, name="auto", chromium=unusable) as engine:
        for _ in range(2):
            outcome, _ = await read(engine, ask("bare"))
            assert failure_of(outcome).code == "LOCAL_NEEDS_JAVASCRIPT"
            assert "A browser might see more." in failure_of(outcome).message
            assert str(unusable) in failure_of(outcome).message
        outcome, _ = await read(engine, ask("plain"))
        assert outcome.result == {"price": 5}
    assert starts.read_text() == "\n"
