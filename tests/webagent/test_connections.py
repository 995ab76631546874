"""The connections below httpx: what is sent on which, and what becomes of one that is no longer sound."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx
import pytest

from batchfish.webagent import connections
from batchfish.webagent.connections import ConnectionPool
from batchfish.webagent.http import SendTrace
from tests.webagent.servers import Connection, Server, needs_openssl, say, serving, sign_certificate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

OK = b"HTTP/1.1 200 OK\r\n"
ANSWER = OK + b"Content-Length: 2\r\n\r\n%b"
IDLE_SECONDS = 60.0


NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@asynccontextmanager
async def pool_of(
    server: Server, most: int = 1, idle_seconds: float = IDLE_SECONDS, tls: ssl.SSLContext = NO_TLS
) -> AsyncIterator[httpx.AsyncClient]:
    pool = ConnectionPool(tls, most=most, idle_seconds=idle_seconds)
    base_url = f"{'http' if tls is NO_TLS else 'https'}://127.0.0.1:{server.port}"
    async with httpx.AsyncClient(transport=pool, base_url=base_url, trust_env=False) as client:
        yield client


async def answer_with_numbers(server: Server, connection: Connection) -> None:
    while True:
        await connection.read_request()
        await connection.say(ANSWER % (b"%02d" % len(server.requests)))


async def turn_over(turns: int) -> None:
    """Let the event loop take so many turns, in which what has arrived is received."""
    for _ in range(turns):
        await asyncio.sleep(0)


async def test_requests_one_after_another_share_a_connection() -> None:
    async with serving(answer_with_numbers) as server, pool_of(server, most=5) as client:
        assert [(await client.post("/", content=b"x")).text for _ in range(3)] == ["01", "02", "03"]
        assert server.connections == 1


async def test_an_answer_that_nobody_asked_for_is_not_taken_for_the_next() -> None:
    async def answer_twice(server: Server, connection: Connection) -> None:
        await connection.read_request()
        number = len(server.requests)
        await connection.say(ANSWER % (b"%02d" % number) + ANSWER % b"no")
        await connection.reader.read()

    async with serving(answer_twice) as server, pool_of(server) as client:
        assert [(await client.post("/")).text for _ in range(2)] == ["01", "02"]
        assert server.connections == 2


@needs_openssl
async def test_encrypted_requests_share_a_connection(tmp_path: Path) -> None:
    tls = await sign_certificate(tmp_path)
    async with (
        serving(answer_with_numbers, tls.server) as server,
        pool_of(server, tls=tls.client) as client,
    ):
        assert [(await client.post("/", content=bytes(10**6))).text for _ in range(3)] == ["01", "02", "03"]
        assert server.connections == 1


@pytest.mark.parametrize("closes", [True, False])
async def test_a_connection_on_which_the_server_spoke_meanwhile_is_not_used(*, closes: bool) -> None:
    may_speak, has_spoken = asyncio.Event(), asyncio.Event()

    async def speak_later(server: Server, connection: Connection) -> None:
        await connection.read_request()
        await connection.say(ANSWER % (b"%02d" % len(server.requests)))
        await may_speak.wait()
        await connection.say(b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n")
        if closes:
            connection.writer.close()
        has_spoken.set()
        await connection.reader.read()

    async with serving(speak_later) as server, pool_of(server) as client:
        assert (await client.post("/")).text == "01"
        may_speak.set()
        await has_spoken.wait()
        await turn_over(10)
        assert (await client.post("/")).text == "02"
        assert server.connections == 2


async def test_a_request_on_a_connection_that_breaks_is_not_sent_again() -> None:
    async def answer_once(_: Server, connection: Connection) -> None:
        await connection.read_request()
        await connection.say(ANSWER % b"ok")
        await connection.read_request()
        connection.reset()

    async with serving(answer_once) as server, pool_of(server) as client:
        await client.post("/")
        trace = SendTrace()
        with pytest.raises(httpx.NetworkError) as caught:
            await client.post("/", extensions={"trace": trace})
        assert trace.may_have_been_sent(caught.value)
        assert (len(server.requests), server.connections) == (2, 1)


async def test_a_connection_is_not_used_after_its_idle_time() -> None:
    async with serving(answer_with_numbers) as server, pool_of(server, idle_seconds=0.0) as client:
        for _ in range(3):
            await client.post("/")
        assert server.connections == 3


async def test_a_connection_that_stays_idle_is_closed_although_nothing_more_is_sent() -> None:
    closed = asyncio.Semaphore(0)

    async def answer_until_it_is_closed(server: Server, connection: Connection) -> None:
        try:
            await answer_with_numbers(server, connection)
        finally:
            closed.release()

    async with (
        serving(answer_until_it_is_closed) as server,
        pool_of(server, most=2, idle_seconds=0.01) as client,
    ):
        for _ in range(2):  # the second time after the pool had none left to close
            await asyncio.gather(client.post("/"), client.post("/"))
            for _ in range(2):
                await closed.acquire()
        assert server.connections == 4


async def test_waiting_for_a_connection_too_long_sends_nothing() -> None:
    has_come = asyncio.Event()

    async def never_answer(_: Server, connection: Connection) -> None:
        await connection.read_request()
        has_come.set()
        await connection.reader.read()

    async with serving(never_answer) as server, pool_of(server) as client, asyncio.TaskGroup() as tasks:
        first = tasks.create_task(client.post("/", timeout=None))
        await has_come.wait()
        trace = SendTrace()
        with pytest.raises(httpx.PoolTimeout) as caught:
            await client.post("/", timeout=httpx.Timeout(5, pool=0.01), extensions={"trace": trace})
        assert not trace.may_have_been_sent(caught.value)
        assert len(server.requests) == 1
        first.cancel()


async def test_a_cancelled_request_leaves_its_place_to_the_next() -> None:
    has_come = asyncio.Event()

    async def answer_the_second(server: Server, connection: Connection) -> None:
        await connection.read_request()
        has_come.set()
        if len(server.requests) > 1:
            await connection.say(ANSWER % b"ok")
        await connection.reader.read()

    async with serving(answer_the_second) as server, pool_of(server) as client:
        first = asyncio.ensure_future(client.post("/", timeout=None))
        await has_come.wait()
        first.cancel()
        assert (await client.post("/")).text == "ok"
        assert server.connections == 2


async def test_a_request_that_is_cancelled_while_it_connects_leaves_no_socket_open() -> None:
    """An open socket that nobody refers to any longer is a warning, and each warning an error."""
    async with serving(answer_with_numbers) as server, pool_of(server) as client:
        for turns in range(40):
            request = asyncio.ensure_future(client.post("/"))
            await turn_over(turns)
            request.cancel()
            await asyncio.wait([request])
            del request
            await turn_over(10)
    gc.collect()


async def test_an_answer_that_is_not_read_to_its_end_closes_its_connection() -> None:
    async with serving(answer_with_numbers) as server, pool_of(server) as client:
        async with client.stream("POST", "/"):
            pass
        assert (await client.post("/")).text == "02"
        assert server.connections == 2


async def test_a_server_that_takes_nothing_exceeds_the_write_limit() -> None:
    async def read_nothing(_: Server, connection: Connection) -> None:
        connection.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.Event().wait()

    async with serving(read_nothing) as server, pool_of(server) as client:
        trace = SendTrace()
        with pytest.raises(httpx.WriteTimeout) as caught:
            await client.post(
                "/",
                content=bytes(64 * 2**20),
                timeout=httpx.Timeout(5, write=0.05),
                extensions={"trace": trace},
            )
        assert trace.may_have_been_sent(caught.value)


async def test_a_server_that_takes_nothing_and_answers_nonsense_fails_the_request() -> None:
    async def speak_without_reading(_: Server, connection: Connection) -> None:
        connection.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await connection.say(b"nonsense\r\n\r\n")
        await asyncio.Event().wait()

    async with serving(speak_without_reading) as server, pool_of(server) as client, asyncio.timeout(30):
        with pytest.raises(httpx.RemoteProtocolError):
            await client.post("/", content=bytes(64 * 2**20), timeout=httpx.Timeout(5, write=0.05))


async def test_an_answer_that_comes_as_its_time_is_up_is_read_and_its_connection_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As after the process was stopped for a while: the answer has come meanwhile, and its time is up."""
    loop = asyncio.get_running_loop()
    time_of_loop = loop.time

    async def answer_late(server: Server, connection: Connection) -> None:
        while True:
            await connection.read_request()
            await connection.say(ANSWER % (b"%02d" % len(server.requests)))
            monkeypatch.setattr(loop, "time", lambda: time_of_loop() + 60.0 * len(server.requests))

    async with serving(answer_late) as server, pool_of(server, idle_seconds=3600.0) as client:
        answers = [(await client.post("/", timeout=60.0)).text for _ in range(2)]
        assert (answers, server.connections) == (["01", "02"], 2)


async def test_what_is_not_taken_is_not_received(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MAX_UNREAD_BYTES", 1000)
    size = 64 * 2**20
    is_blocked = asyncio.Event()

    async def answer_at_length(_: Server, connection: Connection) -> None:
        await connection.read_request()
        connection.writer.write(OK + b"Content-Length: %d\r\n\r\n" % size)
        connection.writer.write(bytes(size))
        is_blocked.set()
        await connection.writer.drain()

    async with serving(answer_at_length) as server, pool_of(server) as client:
        async with client.stream("GET", "/") as response:
            await is_blocked.wait()
            await turn_over(2000)  # of which each receives up to 256 KiB
            (task,) = server.tasks
            assert not task.done()
            received = sum([len(chunk) async for chunk in response.aiter_raw()])
        assert received == size


async def test_an_interim_answer_is_not_the_answer() -> None:
    treat = say(b"HTTP/1.1 103 Early Hints\r\n\r\n", ANSWER % b"ok")
    async with serving(treat) as server, pool_of(server) as client:
        assert (await client.post("/")).text == "ok"


CHUNKED = OK + b"Transfer-Encoding: chunked\r\n"
UNUSUAL = {
    "lines without CR": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    "no reason": b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok",
    "an empty header": OK + b"X:\r\nY:  \r\nContent-Length: 2  \r\n\r\nok",
    "a header of two lines": OK + b"X: a\r\n  b\r\nContent-Length: 2\r\n\r\nok",
    "several interim answers": b"HTTP/1.1 103 Hints\r\nX: y\r\n\r\nHTTP/1.1 102 P\r\n\r\n" + ANSWER % b"ok",
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "no length": OK + b"\r\nok",
    "chunks": CHUNKED + b"\r\n1\r\no\r\n01;x=y\r\nk\r\n0\r\nX-Trailer: 1\r\n\r\n",
    "chunks and a length": CHUNKED + b"Content-Length: 5\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "a space after the size of a chunk": CHUNKED + b"\r\n2 \r\nok\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("cut", [None, 1])
@pytest.mark.parametrize("answer", UNUSUAL.values(), ids=UNUSUAL.keys())
async def test_an_unusual_answer_is_read(answer: bytes, cut: int | None) -> None:
    pieces = [answer] if cut is None else [answer[at : at + cut] for at in range(0, len(answer), cut)]
    async with serving(say(*pieces)) as server, pool_of(server) as client:
        response = await client.post("/")
        assert (response.status_code, response.text) == (200, "ok")


NO_ANSWER = {
    "another protocol": b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    "an upgrade": b"HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n" + ANSWER % b"ok",
    "nothing": b"",
    "only an interim answer": b"HTTP/1.1 100 Continue\r\n\r\n",
    "a long header": OK + b"X: " + b"x" * 200_000,
    "many headers": OK + b"X: y\r\n" * 40_000,
    "a long trailer": CHUNKED + b"\r\n1\r\nx\r\n0\r\nX: " + b"x" * 200_000,
    "two lengths": OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok!",
    "no number for a length": OK + b"Content-Length: +2\r\n\r\nok",
    "compressed on its way": OK + b"Transfer-Encoding: gzip\r\n\r\nok",
    "a size of a chunk that is no number": CHUNKED + b"\r\nzz\r\nok\r\n0\r\n\r\n",
    "a chunk that is longer than its size": CHUNKED + b"\r\n1\r\nok\r\n0\r\n\r\n",
    "no last chunk": CHUNKED + b"\r\n2\r\nok\r\n",
    "a page": b"<html>" * 100,
}


@pytest.mark.parametrize("answer", NO_ANSWER.values(), ids=NO_ANSWER.keys())
async def test_what_is_no_whole_answer_is_an_error(answer: bytes) -> None:
    async with serving(say(answer)) as server, pool_of(server) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.post("/")
        assert server.connections == 1


@pytest.mark.parametrize(
    "endless",
    [
        OK + b"X: " + b"x" * 200_000,
        OK + b"X: y\r\n" * 40_000,
        CHUNKED + b"\r\n1\r\nx\r\n0\r\n" + b"X: y\r\n" * 40_000,
    ],
    ids=["a header", "headers", "trailers"],
)
async def test_what_has_no_end_is_an_error_although_the_server_goes_on(endless: bytes) -> None:
    async def stay(_: Server, connection: Connection) -> None:
        await connection.read_request()
        await connection.say(endless)
        await connection.reader.read()

    async with serving(stay) as server, pool_of(server) as client, asyncio.timeout(30):
        with pytest.raises(httpx.RemoteProtocolError, match="more than"):
            await client.post("/", timeout=None)


async def answer_at_random(server: Server, connection: Connection) -> None:
    """Echo the body of each request, whole, in parts or not at all, and sometimes more than was asked for."""
    chance = random.Random(server.connections)
    while True:
        head = await connection.read_request()
        echo = server.requests[-1].removeprefix(head)
        chunked = b"".join(b"1\r\n%b\r\n" % echo[at : at + 1] for at in range(len(echo))) + b"0\r\n\r\n"
        answer = OK + b"Content-Length: %d\r\n\r\n%b" % (len(echo), echo)
        way = chance.choice(["plain"] * 6 + ["chunks", "interim", "surplus", "cut", "none", "close", "reset"])
        match way:
            case "chunks":
                answer = CHUNKED + b"\r\n" + chunked
            case "interim":
                answer = b"HTTP/1.1 103 Early Hints\r\n\r\n" + answer
            case "cut":
                answer = answer[: chance.randrange(1, len(answer))]
            case "close":
                answer = OK + b"Connection: close\r\n\r\n" + echo
        half = chance.randrange(len(answer))
        # What comes only after the next request was sent cannot be told from the answer to it.
        surplus = OK + b"Content-Length: 5\r\n\r\nwrong" if way == "surplus" else b""
        for part in () if way == "none" else (answer[:half], answer[half:] + surplus):
            await turn_over(chance.randrange(4))
            await connection.say(part)
        if way in {"cut", "none", "close"}:
            return
        if way == "reset":
            connection.reset()
            return


async def count_wrong_answers(requests: int) -> tuple[int, int]:
    """Send requests of which some are cancelled midway; count the answers, and those of another request."""
    chance, answers, wrong = random.Random(1), 0, 0

    async def ask(client: httpx.AsyncClient, number: int) -> None:
        nonlocal answers, wrong
        with contextlib.suppress(httpx.TransportError):
            response = await client.post("/", content=b"%06d" % number)
            answers += 1
            wrong += response.content != b"%06d" % number

    async with serving(answer_at_random) as server, pool_of(server, most=8) as client:
        for first in range(0, requests, 20):
            tasks = [asyncio.ensure_future(ask(client, number)) for number in range(first, first + 20)]
            for task in tasks[::4]:
                await turn_over(chance.randrange(6))
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    return answers, wrong


@pytest.mark.parametrize("requests", [400, pytest.param(6_000, marks=pytest.mark.slow)])
async def test_whatever_a_server_does_no_answer_is_taken_for_that_of_another_request(requests: int) -> None:
    answers, wrong = await count_wrong_answers(requests)
    assert answers > requests / 2
    assert wrong == 0


@pytest.mark.parametrize("bug", ["a connection is used whatever came on it", "an answer may be half read"])
async def test_an_answer_of_another_request_would_be_noticed(
    bug: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = "batchfish.webagent.connections"
    if bug == "a connection is used whatever came on it":
        is_open = property(lambda connection: not connection.is_closed.is_set())
        monkeypatch.setattr(f"{module}._Connection.is_reusable", is_open)
    else:
        monkeypatch.setattr(f"{module}._AnswerParser.on_message_begin", lambda _: None)
    _, wrong = await count_wrong_answers(400)
    assert wrong


async def test_a_header_that_http_does_not_allow_is_not_sent() -> None:
    async with serving(answer_with_numbers) as server, pool_of(server) as client:
        trace = SendTrace()
        with pytest.raises(httpx.LocalProtocolError) as caught:
            await client.post("/", headers={"X-API-Key": "sk\r\nX: y"}, extensions={"trace": trace})
        assert not trace.may_have_been_sent(caught.value)
        assert server.requests == []


async def test_a_host_that_no_name_server_can_be_asked_for_is_a_failed_connection() -> None:
    pool = ConnectionPool(NO_TLS, most=1, idle_seconds=IDLE_SECONDS)
    async with httpx.AsyncClient(transport=pool, trust_env=False) as client:
        with pytest.raises(httpx.ConnectError):
            await client.post(f"http://{'x' * 64}.example/")


async def test_closing_the_client_closes_its_connections() -> None:
    async with serving(answer_with_numbers) as server:
        async with pool_of(server) as client:
            await client.post("/")
        async with asyncio.timeout(60):
            await asyncio.gather(*server.tasks)


async def test_a_connection_in_use_is_closed_after_its_answer_once_the_client_is() -> None:
    async with serving(answer_with_numbers) as server:
        async with pool_of(server) as client:
            request = client.build_request("POST", "/")
            response = await client.send(request, stream=True)
        assert await response.aread() == b"01"
        async with asyncio.timeout(60):
            await asyncio.gather(*server.tasks)
