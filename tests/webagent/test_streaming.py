"""Streams of events over real sockets that split, break or fall silent."""

from __future__ import annotations

import json

import pytest

from batchfish.errors import NotPermitted, RunMayExist, TryLater
from batchfish.webagent.client import WebAgentClient
from batchfish.webagent.streaming import Complete, Progress, Started, StreamEvent
from tests.webagent.fakes import KEY, row, runs_body
from tests.webagent.servers import Connection, Server, absent, say, serving

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
STARTED = b'data: {"type": "STARTED", "run_id": "r-1"}\n\n'
PROGRESS = 'data: {"type": "PROGRESS", "purpose": "Menü öffnen"}\n\n'.encode()
COMPLETE = b'data: {"type": "COMPLETE", "run_id": "r-1", "status": "COMPLETED", "result": {"a": 1}}\n\n'


async def stream_events(server: Server) -> list[StreamEvent]:
    async def no_sleep(_: float) -> None:
        return

    base_url = f"http://127.0.0.1:{server.port}"
    async with WebAgentClient(api_key=KEY, base_url=base_url, sleep=no_sleep) as client:
        return [event async for event in client.stream("https://shop.example", "find")]


def creates(server: Server) -> int:
    return sum(b"/v1/automation/" in request for request in server.requests)


async def test_a_stream_that_comes_byte_by_byte_is_whole() -> None:
    stream = STARTED + PROGRESS + COMPLETE
    async with serving(say(HEAD, *(bytes([byte]) for byte in stream))) as server:
        events = await stream_events(server)
    assert [type(event) for event in events] == [Started, Progress, Complete]
    assert events[1] == Progress(purpose="Menü öffnen", run_id="r-1")
    assert creates(server) == 1


@pytest.mark.parametrize("sent", [STARTED, STARTED + PROGRESS[:20], STARTED + COMPLETE[:-9]])
async def test_after_a_broken_stream_the_run_is_polled(sent: bytes) -> None:
    async def treat(_: Server, connection: Connection) -> None:
        head = await connection.read_request()
        if b"run-sse" in head:
            await connection.say(HEAD.replace(b"Connection: close", b"Content-Length: 9999"), sent)
            return
        body = runs_body([row("r-1", b'{"a": 1}')])
        await connection.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    async with serving(treat) as server:
        *_, last = await stream_events(server)
        assert creates(server) == 1
    assert isinstance(last, Complete)
    assert last.run.result == b'{"a": 1}'


async def test_a_key_that_the_stream_echoes_is_redacted() -> None:
    echo = b'data: {"type": "PROGRESS", "purpose": "sent %s"}\n\n' % KEY.encode()
    end = (
        b'data: {"type": "COMPLETE", "run_id": "r-1", "status": "FAILED", "error": "no %s"}\n\n'
        % KEY.encode()
    )
    async with serving(say(HEAD, STARTED, echo, end)) as server:
        events = await stream_events(server)
    assert len(events) == 3
    assert KEY not in repr(events)


async def test_a_stream_that_closes_before_it_names_the_run_warns() -> None:
    async with serving(say(HEAD, b": hello\n\n")) as server:
        with pytest.raises(RunMayExist):
            await stream_events(server)
        assert len(server.requests) == 1


async def test_a_refusal_before_the_stream_is_raised_with_its_message() -> None:
    body = json.dumps({"error": {"code": "INVALID_API_KEY", "message": "no"}}).encode()
    head = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: %d\r\n\r\n" % len(body)
    async with serving(say(head, body)) as server:
        with pytest.raises(NotPermitted, match="INVALID_API_KEY"):
            await stream_events(server)


async def test_a_server_that_is_not_there_made_no_run() -> None:
    with absent() as server, pytest.raises(TryLater):
        await stream_events(server)
