"""A browser engine that tests read pages with, and how well it did."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from batchfish.localagent.egress.dialer import Dialer
from batchfish.localagent.egress.proxy import Egress
from batchfish.localagent.egress.sample_site import SampleSite
from batchfish.localagent.engines.base import Engine, RunOutcome, RunRequest, Step
from batchfish.localagent.engines.browser.chromium import NoChromium, find_chromium
from batchfish.localagent.engines.choice import reading_engine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

PAGES = Path(__file__).parent / "browser_pages"


def require_chromium() -> Path:
    """Give the browser that is here, or skip in words."""
    try:
        return find_chromium()
    except NoChromium as missing:
        pytest.skip(f"{missing} (`make browser` installs both)")


@contextlib.asynccontextmanager
async def engine_over(
    site: Path | None = None, *, name: str = "browser", dialer: Dialer | None = None
) -> AsyncIterator[Engine]:
    """Give an engine that reads the pages of a folder, and whatever the dialer lets it reach."""
    chromium = require_chromium()
    async with (
        Egress(dialer or Dialer(), None if site is None else SampleSite(site)) as egress,
        reading_engine(name, egress, chromium=chromium, cap=1) as engine,
    ):
        yield engine


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A page, what is asked of it, and what it says."""

    url: str
    goal: str
    schema: dict[str, Any]
    expected: dict[str, Any]
    about: str

    @property
    def request(self) -> RunRequest:
        """Give the run that asks for it."""
        return RunRequest(url=self.url, goal=self.goal, output_schema=self.schema)


def cases() -> list[Case]:
    """Read the cases of the pages that need a browser."""
    return [Case(**case) for case in yaml.safe_load_all((PAGES / "cases.yaml").read_text("utf-8"))]


async def read(engine: Engine, request: RunRequest) -> tuple[RunOutcome, list[Step]]:
    """Run a request to its end and give what was told meanwhile as well."""
    steps: list[Step] = []
    return await engine.run(request, steps.append), steps


def count_right(expected: object, found: object) -> tuple[int, int]:
    """Count the values that are right, and those that there are or were given: a surplus one is wrong."""
    want, have = dict(_values(expected)), dict(_values(found))
    right = sum(have.get(path) == value for path, value in want.items())
    return right, len(want.keys() | have.keys())


def _values(
    value: object, path: tuple[str | int, ...] = ()
) -> Iterator[tuple[tuple[str | int, ...], object]]:
    match value:
        case dict():
            for name, inner in value.items():
                yield from _values(inner, (*path, name))
        case list():
            for number, inner in enumerate(value):
                yield from _values(inner, (*path, number))
        case None:
            return
        case _:
            yield path, value


def browsers_of(pid: int) -> list[Path]:
    """Give the folders in /proc of the browser processes that a process has started."""
    return [process for process in children_of(pid) if b"--headless" in _read(process / "cmdline")]


def children_of(pid: int) -> list[Path]:
    """Give the folders in /proc of the processes that a process has started, and those that they have."""
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
