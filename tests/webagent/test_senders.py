"""Creates over `/run-sse` and `/run`: the pipeline learns what their answers prove."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import pytest

from batchfish.core.events import SubmitAccepted, SubmitDeferred, SubmitUnanswered
from batchfish.webagent.client import WebAgentClient
from batchfish.webagent.single_run import StreamingSender, WaitingSender
from batchfish.webagent.streaming import Complete, Progress, Started, StreamEvent
from tests.webagent.fakes import KEY, row
from tests.webagent.servers import Connection, Server, absent, say, serving
from tests.webagent.test_streaming import COMPLETE, HEAD, PROGRESS, STARTED

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from batchfish.core.events import CreateAnswer


class Listener(list[StreamEvent]):
    """Keeps the events, and knows when the run has ended."""

    def __init__(self) -> None:
        super().__init__()
        self.is_over = asyncio.Event()

    def on_event(self, event: StreamEvent) -> None:
        self.append(event)
        if isinstance(event, Complete):
            self.is_over.set()


@asynccontextmanager
async def streaming(server: Server, listener: Listener | None = None) -> AsyncIterator[WebAgentClient]:
    sender = partial(StreamingSender, on_event=(Listener() if listener is None else listener).on_event)
    base_url = f"http://127.0.0.1:{server.port}"
    async with WebAgentClient(api_key=KEY, base_url=base_url, sender=sender) as client:
        yield client


async def submit(client: WebAgentClient) -> CreateAnswer:
    return await client.submit(client.prepare("https://shop.example", "find", {}))


async def test_a_create_is_accepted_as_soon_as_its_stream_names_the_run() -> None:
    events = Listener()
    may_go_on = asyncio.Event()

    async def treat(_: Server, connection: Connection) -> None:
        await connection.read_request()
        await connection.say(HEAD, STARTED)
        await may_go_on.wait()
        await connection.say(PROGRESS, COMPLETE)

    async with serving(treat) as server, streaming(server, events) as client:
        assert await submit(client) == SubmitAccepted(run_id="r-1")
        assert [type(event) for event in events] == [Started]
        may_go_on.set()
        async with asyncio.timeout(60):
            await events.is_over.wait()
    assert [type(event) for event in events] == [Started, Progress, Complete]


async def test_a_stream_that_breaks_after_the_run_was_named_leaves_it_accepted() -> None:
    events = Listener()
    async with serving(say(HEAD, STARTED)) as server, streaming(server, events) as client:
        assert await submit(client) == SubmitAccepted(run_id="r-1")
        assert len(server.requests) == 1


@pytest.mark.parametrize("sent", [b"", STARTED[:9], b": hello\n\n"])
async def test_a_stream_that_breaks_before_that_is_unanswered(sent: bytes) -> None:
    async with serving(say(HEAD, sent)) as server, streaming(server) as client:
        assert isinstance(await submit(client), SubmitUnanswered)
        assert len(server.requests) == 1


async def test_a_server_that_is_not_there_made_no_run() -> None:
    with absent() as server:
        async with streaming(server) as client:
            answer = await submit(client)
    assert isinstance(answer, SubmitDeferred)
    assert answer.reason == "unreachable"


async def test_closing_the_client_ends_the_streams() -> None:
    left = asyncio.Event()

    async def treat(_: Server, connection: Connection) -> None:
        await connection.read_request()
        await connection.say(HEAD.replace(b"Connection: close", b"Content-Length: 9999"), STARTED)
        try:
            await connection.read_request()
        finally:
            left.set()

    async with serving(treat) as server:
        async with streaming(server) as client:
            await submit(client)
        async with asyncio.timeout(60):
            await left.wait()


@pytest.mark.parametrize("status", [b"200 OK", b"500 Oops"])
async def test_a_run_that_is_waited_for_is_accepted_whatever_came_of_it(status: bytes) -> None:
    body = row("r-7", b'{"a": 1}')
    head = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (
        status,
        len(body),
    )
    async with (
        serving(say(head, body)) as server,
        WebAgentClient(
            api_key=KEY, base_url=f"http://127.0.0.1:{server.port}", sender=WaitingSender
        ) as client,
    ):
        assert await submit(client) == SubmitAccepted(run_id="r-7")
        assert b"POST /v1/automation/run " in server.requests[0]
