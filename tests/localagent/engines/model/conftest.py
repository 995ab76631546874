"""An engine over a stub of a model, and pages for it to read."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Protocol

import pytest

from batchfish.localagent.egress.dialer import Dialer
from batchfish.localagent.egress.proxy import Egress
from batchfish.localagent.egress.sample_site import SampleSite
from batchfish.localagent.engines.base import RunRequest
from batchfish.localagent.engines.choice import reading_engine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from batchfish.localagent.engines.base import Engine
    from tests.localagent.engines.model.stub import Stub

BOOK = "<!doctype html><title>Shop</title><h1>Walden</h1><p>by Henry David Thoreau<p>Price: £8.49"
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "price": {"type": "number", "nullable": True}},
    "required": ["name", "price"],
}


class Opener(Protocol):
    """Opens an engine for the time of a block."""

    def __call__(self, model: Stub) -> AbstractAsyncContextManager[Engine]: ...


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Return a sample site with the page of a book."""
    (tmp_path / "book.example").mkdir()
    (tmp_path / "book.example" / "index.html").write_text(BOOK, "utf-8")
    return tmp_path


@pytest.fixture
def put(site: Path) -> Callable[[str, str], str]:
    """Return a function that writes a page of the site and returns its address."""

    def put_page(host: str, html: str) -> str:
        (site / f"{host}.example").mkdir()
        (site / f"{host}.example" / "index.html").write_text(html, "utf-8")
        return f"http://{host}.example/"

    return put_page


@pytest.fixture
def served(site: Path, monkeypatch: pytest.MonkeyPatch) -> Opener:
    """Return a context manager that opens an engine that has no browser."""
    monkeypatch.setenv("PATH", str(site))

    @contextlib.asynccontextmanager
    async def open_engine(model: Stub) -> AsyncIterator[Engine]:
        async with (
            Egress(Dialer(), SampleSite(site)) as egress,
            reading_engine("model", egress, chromium=None, cap=1, endpoint=model.endpoint) as engine,
        ):
            yield engine

    return open_engine


@pytest.fixture
def book() -> RunRequest:
    return RunRequest(url="http://book.example/", goal="Read name and price", output_schema=SCHEMA)
