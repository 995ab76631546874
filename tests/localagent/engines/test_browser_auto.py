"""Which engine a run gets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from batchfish.localagent.egress.dialer import Dialer
from batchfish.localagent.egress.proxy import Egress
from batchfish.localagent.egress.sample_site import SampleSite
from batchfish.localagent.engines.base import RunRequest
from batchfish.localagent.engines.choice import reading_engine
from batchfish.localagent.engines.chromium import NoChromium
from tests.localagent.browsing import PAGES, engine_over, read

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


async def test_a_program_that_is_no_browser_fails_its_runs_in_words(tmp_path: Path) -> None:
    program = tmp_path / "chrome"
    program.write_text("#!/bin/sh\necho no browser here >&2\nexit 3\n")
    program.chmod(0o755)
    async with (
        Egress(Dialer(), SampleSite(PAGES / "traps")) as egress,
        reading_engine("browser", egress, chromium=program, cap=1) as engine,
    ):
        outcome, _ = await read(engine, ask("plain"))
    assert outcome.failure is not None
    assert outcome.failure.code == "LOCAL_NO_BROWSER"
    assert str(program) in outcome.failure.message
