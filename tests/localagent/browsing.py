"""Engines that read pages for tests, a browser among them, and what they have started."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from batchfish.localagent.egress.dialer import Dialer
from batchfish.localagent.egress.proxy import Egress
from batchfish.localagent.egress.sample_site import SampleSite
from batchfish.localagent.engines.base import Engine, RunFailure, RunOutcome, RunRequest, Step
from batchfish.localagent.engines.browser.chromium import NoChromium, find_chromium
from batchfish.localagent.engines.choice import reading_engine

PAGES = Path(__file__).parent / "browser_pages"
PRICE = {"type": "object", "properties": {"price": {"type": "number"}}, "required": ["price"]}
KEY = "sk-tinyfish-never-to-be-seen"


def require_chromium() -> Path:
    """Return the browser that is here, or skip in words."""
    try:
        return find_chromium()
    except NoChromium as missing:
        pytest.skip(f"{missing} (`make browser` installs both)")


@contextlib.asynccontextmanager
async def engine_over(
    site: Path | None = None,
    *,
    name: str = "browser",
    dialer: Dialer | None = None,
    chromium: Path | None = None,
) -> AsyncIterator[Engine]:
    """Yield an engine that reads the pages of a folder, and whatever the dialer lets it reach."""
    if name == "browser" and chromium is None:
        chromium = require_chromium()
    async with (
        Egress(dialer or Dialer(), None if site is None else SampleSite(site)) as egress,
        reading_engine(name, egress, chromium=chromium, cap=1) as engine,
    ):
        yield engine


def ask(host: str, goal: str = "Read the price", schema: dict[str, Any] | None = PRICE) -> RunRequest:
    return RunRequest(url=f"http://{host}.example/", goal=goal, output_schema=schema)


def cases() -> dict[str, dict[str, Any]]:
    """Return what is asked of the pages that need a browser, and what they say, by host."""
    documents = yaml.safe_load_all((PAGES / "cases.yaml").read_text("utf-8"))
    return {case["url"].removeprefix("http://").partition(".")[0]: case for case in documents}


async def read(engine: Engine, request: RunRequest) -> tuple[RunOutcome, list[Step]]:
    """Run a request to its end, and return what was told meanwhile as well."""
    steps: list[Step] = []
    return await engine.run(request, steps.append), steps


def failure_of(outcome: RunOutcome) -> RunFailure:
    assert outcome.failure is not None
    return outcome.failure


def actions(steps: list[Step]) -> list[str]:
    return [step.action for step in steps]


def browsers_of(pid: int) -> list[Path]:
    """Return the folders in /proc of the browser processes that a process has started."""
    return [process for process in children_of(pid) if b"--headless" in _read(process / "cmdline")]


def children_of(pid: int) -> list[Path]:
    """Return the folders in /proc of the processes that a process has started, and those that they have."""
    found: list[Path] = []
    todo = [str(pid)]
    while todo:
        process = Path("/proc", todo.pop())
        with contextlib.suppress(OSError):  # it may have ended
            for thread in process.joinpath("task").iterdir():
                children = thread.joinpath("children").read_text().split()
                found += [Path("/proc", child) for child in children]
                todo += children
    return found


def _read(file: Path) -> bytes:
    with contextlib.suppress(OSError):
        return file.read_bytes()
    return b""
