"""A small OpenAI-compatible API that says what a test tells it to, an engine over it, and pages to read."""

import contextlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from batchfish.localagent.egress.dialer import Dialer
from batchfish.localagent.egress.loader import Loader
from batchfish.localagent.egress.proxy import Egress
from batchfish.localagent.egress.sample_site import SampleSite
from batchfish.localagent.engines.base import Engine, RunRequest
from batchfish.localagent.engines.browser.chromium import Chromium
from batchfish.localagent.engines.model.endpoint import ModelEndpoint, client_of
from tests.localagent.doubles import READER, Listener
from tests.localagent.page.pages import NUMBER, TEXT, record

Served: TypeAlias = Callable[..., AbstractAsyncContextManager[tuple["Stub", Engine]]]
Reply: TypeAlias = dict[str, Any] | int | bytes | None
"""A completion, a status, bytes that are sent as they are, or None: there is no answer."""
KEY = "sk-model-never-to-be-seen"
WALDEN = {"name": "Walden", "price": 8.49}
BOOK = "<!doctype html><title>Shop</title><h1>Walden</h1><p>by Henry David Thoreau<p>Price: £8.49"
SCHEMA = record(name=TEXT, price={**NUMBER, "nullable": True})


def says(text: str | None, *tools: dict[str, Any]) -> dict[str, Any]:
    """Return an answer of a text, or of calls of tools."""
    message = {"role": "assistant", "content": text, **({"tool_calls": tools} if tools else {})}
    reason = "tool_calls" if tools else "stop"
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_800_000_000,
        "model": "stub",
        "choices": [{"index": 0, "message": message, "finish_reason": reason, "logprobs": None}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
    }


def answers(answer: object = None, problem: str | None = None) -> dict[str, Any]:
    """Return an answer of a text that holds the envelope."""
    return says(json.dumps({"answer": answer, "problem": problem}))


def calls(name: str, **arguments: object) -> dict[str, Any]:
    """Return an answer that calls a tool."""
    function = {"name": name, "arguments": json.dumps(arguments)}
    return says(None, {"id": f"call_{name}", "type": "function", "function": function})


def written(reply: Reply) -> bytes | None:
    """Return a reply as it is sent."""
    match reply:
        case None | bytes():
            return reply
        case int(status):
            document: object = {"error": {"message": f"no, {KEY}"}}
        case _:
            status, document = 200, reply
    body = json.dumps(document).encode()
    start = f"HTTP/1.1 {status} x\r\ncontent-type: application/json\r\nretry-after: 0\r\n"
    more = f"location: /elsewhere\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n"
    return f"{start}{more}".encode() + body


class Stub(Listener):
    """Answers each request with the next of its replies, and the last one from then on."""

    def __init__(self, *replies: Reply) -> None:
        super().__init__(*map(written, replies))

    def restart(self, *replies: Reply) -> None:
        """Use these replies from now on, and forget what was asked before."""
        super().restart(*map(written, replies))

    @property
    def asked(self) -> list[dict[str, Any]]:
        """Return the documents of the requests."""
        return [json.loads(body) for body in self.bodies]

    @property
    def endpoint(self) -> ModelEndpoint:
        return ModelEndpoint(url=f"{self.origin}/v1", model="stub", key=KEY)

    def seen(self, number: int = -1) -> str:
        """Return all the text of one request, which the model would have read."""
        return json.dumps(self.asked[number]["messages"], ensure_ascii=False)

    def tools(self) -> list[list[str]]:
        """Return the names of the tools that each request offered."""
        return [[tool["function"]["name"] for tool in body.get("tools", [])] for body in self.asked]


@contextlib.asynccontextmanager
async def model_engine(site: Path, model: Stub, browser: Chromium | None) -> AsyncIterator[Engine]:
    """Yield an engine over a model that reads the pages of a folder, in the browser if there is one."""
    from batchfish.localagent.engines.model.engine import ModelEngine

    async with Egress(Dialer(), SampleSite(site)) as egress, client_of(model.endpoint) as client:
        yield ModelEngine(client, egress, Loader(egress), READER, browser=browser)


@pytest.fixture
def put(tmp_path: Path) -> Callable[[str, str], str]:
    """Return a function that writes a page of the sample site and returns its address."""

    def put_page(host: str, html: str) -> str:
        (tmp_path / f"{host}.example").mkdir()
        (tmp_path / f"{host}.example" / "index.html").write_text(html, "utf-8")
        return f"http://{host}.example/"

    return put_page


@pytest.fixture
def site(tmp_path: Path, put: Callable[[str, str], str]) -> Path:
    """Return a sample site with the page of a book."""
    put("book", BOOK)
    return tmp_path


@pytest.fixture
def served(site: Path) -> Served:
    """Return what opens a model that gives certain replies, and an engine over it."""

    @contextlib.asynccontextmanager
    async def opened(*replies: Reply) -> AsyncIterator[tuple[Stub, Engine]]:
        async with Stub(*replies) as model, model_engine(site, model, browser=None) as engine:
            yield model, engine

    return opened


@pytest.fixture
def book() -> RunRequest:
    return RunRequest(url="http://book.example/", goal="Read name and price", output_schema=SCHEMA)
