"""Failures of calls over real sockets at every stage, and whether a request can have been sent."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import gzip
import logging
import socket
import tracemalloc
from typing import TYPE_CHECKING

import httpx
import pytest

from batchfish.core.events import CreateAnswer, SubmitAccepted, SubmitDeferred, SubmitUnanswered
from batchfish.core.pacing import creates_at_once
from batchfish.errors import WebAgentUnavailable
from batchfish.webagent import http
from batchfish.webagent.client import WebAgentClient
from batchfish.webagent.http import HttpAnswer, NoAnswer, call, open_clients
from tests.loopback import nobody_listening
from tests.webagent.fakes import KEY
from tests.webagent.servers import Connection, Server, needs_openssl, say, serving, sign_certificate

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

GOOD = b'{"run_id": "r-1", "error": null}'
GOOD_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(GOOD), GOOD)


async def submit(base_url: str, transport: httpx.AsyncBaseTransport | None = None) -> CreateAnswer:
    async with WebAgentClient(api_key=KEY, base_url=base_url, transport=transport) as client:
        return await client.submit(client.prepare("https://shop.example", "find", {}))


async def answer_well(_: Server, connection: Connection) -> None:
    while True:
        await connection.read_request()
        await connection.say(GOOD_ANSWER)


async def close_before_reading(_: Server, connection: Connection) -> None:
    connection.reset()


async def reset_after_reading(_: Server, connection: Connection) -> None:
    await connection.read_request()
    connection.reset()


async def close_after_reading(_: Server, connection: Connection) -> None:
    await connection.read_request()


OK = b"HTTP/1.1 200 OK\r\n"
CUT_GZIP = gzip.compress(GOOD)[:-6]

MAY_HAVE_ACTED = {
    "reset before reading": close_before_reading,
    "reset after reading": reset_after_reading,
    "closed after reading": close_after_reading,
    "half of the headers": say(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "a cut length": say(OK + b"Content-Length: 99\r\n\r\n" + GOOD),
    "cut chunks": say(OK + b"Transfer-Encoding: chunked\r\n\r\n20\r\n" + GOOD[:9]),
    "no last chunk": say(OK + b"Transfer-Encoding: chunked\r\n\r\n20\r\n" + GOOD + b"\r\n"),
    "cut gzip, closed": say(OK + b"Connection: close\r\nContent-Encoding: gzip\r\n\r\n", CUT_GZIP),
    "cut gzip of the given length": say(
        OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(CUT_GZIP), CUT_GZIP
    ),
    "cut JSON, closed": say(OK + b"Connection: close\r\n\r\n" + GOOD[:20]),
    "not HTTP": say(b"hello\r\n\r\n"),
    "a status of its own": say(b"HTTP/1.1 999 ?\r\nContent-Length: 0\r\n\r\n"),
    "only a 100": say(b"HTTP/1.1 100 Continue\r\n\r\n"),
}


@pytest.mark.parametrize("treat", MAY_HAVE_ACTED.values(), ids=MAY_HAVE_ACTED.keys())
async def test_after_bytes_may_have_been_sent_a_failure_is_unanswered(
    treat: Callable[[Server, Connection], Awaitable[None]],
) -> None:
    async with serving(treat) as server:
        proof = await submit(f"http://127.0.0.1:{server.port}")
        assert isinstance(proof, SubmitUnanswered)
        assert len(server.requests) <= server.connections == 1


async def test_an_answer_that_ends_with_the_connection_is_complete() -> None:
    async with serving(say(OK + b"Connection: close\r\n\r\n", GOOD[:9], GOOD[9:])) as server:
        assert await submit(f"http://127.0.0.1:{server.port}") == SubmitAccepted(run_id="r-1")


async def test_a_refused_connection_proves_that_nothing_was_sent() -> None:
    with nobody_listening() as port:
        proof = await submit(f"http://127.0.0.1:{port}")
    assert isinstance(proof, SubmitDeferred)
    assert proof.reason == "unreachable"


async def test_a_failed_tls_handshake_proves_that_nothing_was_sent() -> None:
    async def speak_plainly(_: Server, connection: Connection) -> None:
        await connection.say(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with serving(speak_plainly) as server:
        proof = await submit(f"https://127.0.0.1:{server.port}")
        assert isinstance(proof, SubmitDeferred)
        assert proof.reason == "unreachable"


@needs_openssl
async def test_a_certificate_that_nobody_signed_is_refused(tmp_path: Path) -> None:
    async with serving(answer_well, (await sign_certificate(tmp_path)).server) as server:
        proof = await submit(f"https://127.0.0.1:{server.port}")
        assert isinstance(proof, SubmitDeferred)
        assert "CERTIFICATE_VERIFY_FAILED" in proof.message
        assert server.requests == []


PROXY_STAGES = {
    "refuses": say(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"),
    "forbids": say(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\nnever"),
    "hangs up": close_after_reading,
    "resets": reset_after_reading,
    "talks nonsense": say(b"hello\r\n\r\n"),
    "hangs up after consenting": say(b"HTTP/1.1 200 Connection established\r\n\r\n"),
}


@pytest.mark.parametrize("treat", PROXY_STAGES.values(), ids=PROXY_STAGES.keys())
async def test_a_proxy_that_never_lets_the_create_through_proves_that_nothing_was_sent(
    treat: Callable[[Server, Connection], Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(treat) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        proof = await submit("https://agent.example")
        assert isinstance(proof, SubmitDeferred)
        assert proof.reason == "unreachable"
        assert [request.split()[0] for request in proxy.requests] == [b"CONNECT"]
        assert KEY.encode() not in b"".join(proxy.requests)


@pytest.mark.parametrize("setting", ["ALL_PROXY=http://127.0.0.1:%d", "https_proxy=127.0.0.1:%d"])
async def test_a_proxy_is_found_however_the_environment_names_it(
    setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(PROXY_STAGES["refuses"]) as proxy:
        name, value = (setting % proxy.port).split("=")
        monkeypatch.setenv(name, value)
        await submit("https://agent.example")
        assert [request.split()[:2] for request in proxy.requests] == [[b"CONNECT", b"agent.example:443"]]


async def test_a_proxy_is_not_used_for_an_api_that_the_environment_excludes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    host = f"{'x' * 64}.example"  # a name that no name server is asked for
    async with serving(close_before_reading) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("NO_PROXY", host)
        assert isinstance(await submit(f"https://{host}"), SubmitDeferred)
        assert proxy.connections == 0


async def test_on_loopback_no_proxy_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(close_before_reading) as proxy, serving(answer_well) as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert await submit(f"http://127.0.0.1:{server.port}") == SubmitAccepted(run_id="r-1")
        assert proxy.connections == 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed_with_the_key(status: int) -> None:
    async with serving(answer_well) as evil:
        moved = b"HTTP/1.1 %d Moved\r\nLocation: http://127.0.0.1:%d/\r\nContent-Length: 0\r\n\r\n"
        async with serving(say(moved % (status, evil.port))) as server:
            assert isinstance(await submit(f"http://127.0.0.1:{server.port}"), SubmitUnanswered)
        assert evil.connections == 0


async def test_creates_share_a_fresh_connection() -> None:
    async with (
        serving(answer_well) as server,
        WebAgentClient(api_key=KEY, base_url=f"http://127.0.0.1:{server.port}") as client,
    ):
        create = client.prepare("https://shop.example", "find", {})
        for _ in range(5):
            assert await client.submit(create) == SubmitAccepted(run_id="r-1")
        assert server.connections == 1


@pytest.mark.parametrize(("idle", "connections"), [(1.9, 1), (2.1, 2)])
async def test_a_connection_that_was_idle_for_two_seconds_is_not_used_for_a_create(
    monkeypatch: pytest.MonkeyPatch, idle: float, connections: int
) -> None:
    """Also where the process stood still meanwhile, so that nothing could close it."""
    loop = asyncio.get_running_loop()
    time_of_loop = loop.time
    async with (
        serving(answer_well) as server,
        WebAgentClient(api_key=KEY, base_url=f"http://127.0.0.1:{server.port}") as client,
    ):
        create = client.prepare("https://shop.example", "find", {})
        assert await client.submit(create) == SubmitAccepted(run_id="r-1")
        monkeypatch.setattr(loop, "time", lambda: time_of_loop() + idle)
        assert await client.submit(create) == SubmitAccepted(run_id="r-1")
        assert server.connections == connections


@pytest.mark.parametrize(("idle_seconds", "connections"), [(0.0, 3), (60.0, 1)])
async def test_a_connection_through_a_proxy_that_was_idle_too_long_is_not_used_for_a_create(
    monkeypatch: pytest.MonkeyPatch, idle_seconds: float, connections: int
) -> None:
    monkeypatch.setattr(http, "CREATE_IDLE_SECONDS", idle_seconds)
    async with serving(answer_well) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        client = open_clients("http://agent.example", {}, None).creates
        async with contextlib.aclosing(client):
            for _ in range(3):
                assert isinstance(await call(client, "POST", "/v1/automation/run-async"), HttpAnswer)
        assert proxy.connections == connections


async def test_a_connection_that_the_server_has_closed_is_not_used() -> None:
    async with (
        serving(say(GOOD_ANSWER)) as server,
        WebAgentClient(api_key=KEY, base_url=f"http://127.0.0.1:{server.port}") as client,
    ):
        create = client.prepare("https://shop.example", "find", {})
        assert await client.submit(create) == SubmitAccepted(run_id="r-1")
        await asyncio.gather(*server.tasks)
        for _ in range(10):  # the client's end of the connection is told by the event loop
            await asyncio.sleep(0)
        assert await client.submit(create) == SubmitAccepted(run_id="r-1")
        assert server.connections == 2


async def test_creates_at_once_take_a_bounded_number_of_connections() -> None:
    gate = asyncio.Event()

    async def answer_later(server: Server, connection: Connection) -> None:
        while True:
            await connection.read_request()
            if len(server.requests) == http.MAX_CREATE_CONNECTIONS:
                gate.set()
            await gate.wait()
            await connection.say(GOOD_ANSWER)

    async with (
        serving(answer_later) as server,
        WebAgentClient(api_key=KEY, base_url=f"http://127.0.0.1:{server.port}") as client,
    ):
        create = client.prepare("https://shop.example", "find", {})
        proofs = await asyncio.gather(*(client.submit(create) for _ in range(40)))
        assert set(proofs) == {SubmitAccepted(run_id="r-1")}
        assert server.connections == http.MAX_CREATE_CONNECTIONS


async def test_polls_and_creates_on_this_machine_take_eight_connections_at_most() -> None:
    """Creates whose answers come without delay take six of them, polls and searches two."""
    ids = [f"r-{number}" for number in range(1000)]
    known = b'{"data": [], "not_found": ["r-0", "r-100", "r-200", "r-300"]}'
    known_answer = OK + b"Content-Length: %d\r\n\r\n%b" % (len(known), known)

    async def answer(_: Server, connection: Connection) -> None:
        while True:
            head = await connection.read_request()
            await connection.say(GOOD_ANSWER if b"run-async" in head else known_answer)

    async with (
        serving(answer) as server,
        WebAgentClient(api_key=KEY, base_url=f"http://127.0.0.1:{server.port}") as client,
    ):
        create = client.prepare("https://shop.example", "find", {})
        creates = [client.submit(create) for _ in range(creates_at_once(0.0))]
        await asyncio.gather(client.poll(ids), client.find_by_marker("bf-"), *creates, return_exceptions=True)
        assert server.connections == 8


async def test_creates_and_polls_do_not_wait_for_each_other() -> None:
    polled = asyncio.Event()

    async def answer_creates_after_a_poll(_: Server, connection: Connection) -> None:
        while True:
            head = await connection.read_request()
            if b"run-async" in head:
                await polled.wait()
                await connection.say(GOOD_ANSWER)
            else:
                await connection.say(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")

    async with (
        serving(answer_creates_after_a_poll) as server,
        WebAgentClient(api_key=KEY, base_url=f"http://127.0.0.1:{server.port}") as client,
    ):
        create = client.prepare("https://shop.example", "find", {})
        creates = asyncio.gather(*(client.submit(create) for _ in range(20)))
        with pytest.raises(WebAgentUnavailable):
            await client.poll(["r-1"])
        polled.set()
        assert set(await creates) == {SubmitAccepted(run_id="r-1")}


async def hang(_: Server, connection: Connection) -> None:
    await connection.reader.read()


async def drip(_: Server, connection: Connection) -> None:
    await connection.read_request()
    await connection.say(OK + b"Content-Length: 1000000\r\n\r\n")
    while True:
        await connection.say(b" ")
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("treat", [hang, drip])
async def test_the_time_limit_covers_an_answer_that_trickles(
    treat: Callable[[Server, Connection], Awaitable[None]],
) -> None:
    async with serving(treat) as server:
        client = open_clients(f"http://127.0.0.1:{server.port}", {}, None).creates
        async with contextlib.aclosing(client):
            answer = await call(client, "POST", "/v1/automation/run-async", body=b"{}", within=1.0)
    assert isinstance(answer, NoAnswer)
    assert answer.may_have_been_sent


async def test_running_out_of_time_before_the_connection_stands_proves_that_nothing_was_sent() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        with contextlib.ExitStack() as fillers:
            for _ in range(4):  # the backlog is full: the next connection gets no answer
                filler = fillers.enter_context(socket.socket())
                filler.settimeout(0)
                filler.connect_ex(address)
            client = open_clients(f"http://127.0.0.1:{address[1]}", {}, None).creates
            async with contextlib.aclosing(client):
                answer = await call(client, "POST", "/v1/automation/run-async", body=b"{}", within=0.2)
    assert isinstance(answer, NoAnswer)
    assert not answer.may_have_been_sent


async def test_an_answer_has_its_status_headers_and_body() -> None:
    async with serving(answer_well) as server:
        client = open_clients(f"http://127.0.0.1:{server.port}", {}, None).creates
        async with contextlib.aclosing(client):
            answer = await call(client, "GET", "/v1/runs", params={"goal": "bf-"})
        assert isinstance(answer, HttpAnswer)
        assert (answer.status, answer.body, answer.headers["content-length"]) == (200, GOOD, str(len(GOOD)))
        assert server.requests[0].startswith(b"GET /v1/runs?goal=bf- HTTP/1.1")


async def test_no_stage_of_a_create_logs_the_key(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("asyncio", "httpx", "httpcore.connection", "httpcore.http11"):
        monkeypatch.setattr(logging.getLogger(name), "disabled", False)
        caplog.set_level(logging.DEBUG, name)
    for treat in (answer_well, reset_after_reading, MAY_HAVE_ACTED["not HTTP"]):
        for transport in (None, httpx.AsyncHTTPTransport()):  # httpx's own is used where there is a proxy
            async with serving(treat) as server:
                await submit(f"http://127.0.0.1:{server.port}", transport)
                assert KEY.encode() in server.requests[0]
    assert "send_request_headers.started" in caplog.text
    assert KEY not in caplog.text


PART = b"x" * 2_000_000


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + PART,
        b"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n" + PART,
        b'HTTP/1.1 200 OK\r\nContent-Length: 2000002\r\n\r\n"' + PART + b'"',
        b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 2000000\r\n\r\n" + PART,
    ],
    ids=["broken off", "no JSON", "other JSON", "a page"],
)
@pytest.mark.parametrize("kind", ["poll", "search", "cancel", "create"])
async def test_a_failed_call_keeps_nothing_of_what_was_received(kind: str, answer: bytes) -> None:
    """In a cycle of references it would be kept until the garbage collector runs, many failures later."""

    async def fail() -> None:
        with contextlib.suppress(WebAgentUnavailable):
            match kind:
                case "poll":
                    await client.poll(["r-1", "r-2"])
                case "search":
                    await client.find_by_marker("bf-")
                case "cancel":
                    await client.cancel(["r-1"])
                case _:
                    await client.submit(client.prepare("https://shop.example", "find", {}))

    async with (
        serving(say(answer)) as server,
        WebAgentClient(api_key=KEY, base_url=f"http://127.0.0.1:{server.port}") as client,
    ):
        await fail()
        gc.collect()
        gc.disable()
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            for _ in range(3):
                await fail()
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
            gc.enable()
    assert after - before < len(PART)
