"""What a page's frames and new windows may ask for: pages, and nothing is sent; and the control, which is."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from batchfish.localagent.egress.dialer import Dialer
from batchfish.localagent.engines.base import RunRequest
from batchfish.localagent.engines.browser import interception
from tests.localagent.browsing import engine_over, read
from tests.webagent.servers import serving

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchfish.localagent.egress.dialer import Streams
    from tests.webagent.servers import Connection, Server

pytestmark = pytest.mark.process

SHOP = """<!doctype html><title>Shop</title><h1>Shop</h1><p id=state>Loading…</p>
<iframe name=same></iframe><iframe src="http://other.test/frame"></iframe>
<form method=post action=/window target=_blank><input name=a value=1></form>
<form method=post action=/inner target=same><input name=a value=1></form>
<script>
  const [toWindow, toFrame] = document.forms;
  addEventListener("message", () => {  // from the frame of the other site: it has sent its form
    toWindow.submit();
    toFrame.submit();
    setTimeout(() => { document.getElementById("state").outerHTML = "<p>Price: $5</p>"; }, 1500);
  });
</script>"""
FRAME = """<!doctype html><form method=post action=/foreign><input name=a value=1></form>
<script>parent.postMessage(1, "*"); setTimeout(() => document.forms[0].submit(), 200);</script>"""
PRICE = {"type": "object", "properties": {"price": {"type": "number"}}, "required": ["price"]}


async def answer(server: Server, connection: Connection) -> None:
    """Serve two sites."""
    path = (await connection.read_request()).split(b" ")[1].decode()
    body = {"/": SHOP, "/frame": FRAME}.get(path, "<p>Thank you.").encode()
    start = f"HTTP/1.1 200 OK\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {len(body)}"
    await connection.say(f"{start}\r\nconnection: close\r\n\r\n".encode() + body)


async def visit(server: Server) -> set[str]:
    """Read the shop's price in the browser, and return what its server was asked for: method and path."""

    async def resolve(host: str, port: int) -> Sequence[str]:
        return ["93.184.216.34"]

    async def connect(address: str, port: int) -> Streams:
        return await asyncio.open_connection("127.0.0.1", server.port)

    async with engine_over(dialer=Dialer(resolve=resolve, connect=connect)) as engine:
        request = RunRequest(url="http://shop.test/", goal="Read the price", output_schema=PRICE)
        outcome, _ = await read(engine, request)
    assert outcome.result == {"price": 5}
    asked = {b" ".join(request.split(b" ", 2)[:2]).decode() for request in server.requests}
    assert {"GET /", "GET /frame"} <= asked
    return asked


async def test_no_form_is_sent_from_a_frame_or_to_a_new_window() -> None:
    async with serving(answer) as server:
        assert not [asked for asked in await visit(server) if not asked.startswith("GET ")]


async def test_the_forms_would_be_sent_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interception, "SAFE_METHODS", {"GET", "HEAD", "POST"})
    async with serving(answer) as server:
        assert await visit(server) >= {"POST /window", "POST /inner", "POST /foreign"}
