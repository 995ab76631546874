"""Connections to one server, kept open between requests: the transport below httpx.

A request is sent once, on a connection that is new or was idle for less than a set time. httpx's own
transport searches all connections and all waiting requests at each step of a request, which costs several
times the CPU. Proxies are left to it.
"""

from __future__ import annotations

import asyncio
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import httptools
import httpx

from batchfish.core.addresses import is_loopback

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping

    Trace: TypeAlias = Callable[[str, Mapping[str, Any]], Awaitable[None]]

_Result = TypeVar("_Result")

MAX_HEAD_BYTES = 100 * 2**10
MAX_UNREAD_BYTES = 256 * 2**10
"""A connection stops reading while this much of an answer waits to be taken."""

HAPPY_EYEBALLS_DELAY = 0.25
"""Seconds after which the next address of a host is tried, too (RFC 8305)."""


class ConnectionPool(httpx.AsyncBaseTransport):
    """Sends requests to one server over at most `most` connections; further requests wait for one.

    A connection that was idle for `idle_seconds` is closed, and not used again. A request is never sent
    twice.

    - before the first byte is sent: ConnectError, ConnectTimeout or PoolTimeout is raised
    - afterwards: ReadError, ReadTimeout, WriteTimeout or RemoteProtocolError

    The time limits of httpx apply, and its trace extension is told `connection.acquire.started` first, and
    `http11.send_request_headers.started` before the first byte of the request is sent.
    """

    def __init__(self, tls: ssl.SSLContext, *, most: int, idle_seconds: float) -> None:
        """Open no connection yet; `tls` is used for https."""
        self._tls = tls
        self._idle_seconds = idle_seconds
        self._slots = asyncio.Semaphore(most)
        self._idle: list[_Connection] = []  # the latest used at the end
        self._closing: asyncio.TimerHandle | None = None  # of those that stay idle
        self._is_open = True

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and return its answer, whose body is still to be read."""
        limits: Mapping[str, float | None] = request.extensions.get("timeout", {})
        trace: Trace = request.extensions.get("trace", _trace_nothing)
        await trace("connection.acquire.started", {"request": request})
        data = _encode(request, await request.aread())
        if self._slots.locked():
            await _within(limits.get("pool"), self._slots.acquire(), httpx.PoolTimeout)
        else:
            await self._slots.acquire()
        connection: _Connection | None = None
        try:
            connection = self._take_idle() or await self._connect(request.url, limits.get("connect"))
            await trace("http11.send_request_headers.started", {"request": request})
            await connection.write(data, limits.get("write"))
            status, headers = await connection.read_head(limits.get("read"))
        except BaseException:
            self._release(connection)
            raise
        body = _Body(connection, limits.get("read"), self._release)
        return httpx.Response(status, headers=headers, stream=body)

    async def aclose(self) -> None:
        """Close the connections that are idle, and each other one as soon as its answer has been read."""
        self._is_open = False
        if self._closing is not None:
            self._closing.cancel()
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()
        for connection in idle:
            await connection.is_closed.wait()

    def _take_idle(self) -> _Connection | None:
        """Return the connection that was used last, if the server has neither closed it nor sent anything."""
        oldest = asyncio.get_running_loop().time() - self._idle_seconds
        while self._idle:
            connection = self._idle.pop()
            if connection.is_reusable and connection.idle_since > oldest:
                return connection
            connection.close()
        return None

    async def _connect(self, url: httpx.URL, seconds: float | None) -> _Connection:
        is_https = url.scheme == "https"
        try:
            connecting = asyncio.get_running_loop().create_connection(
                _Connection,
                url.raw_host.decode("ascii"),
                url.port or (443 if is_https else 80),
                ssl=self._tls if is_https else None,
                # A race of addresses that is cancelled may leave the winner's socket open (in Python 3.11).
                happy_eyeballs_delay=None if is_loopback(str(url)) else HAPPY_EYEBALLS_DELAY,
            )
            _, connection = await _within(seconds, connecting, httpx.ConnectTimeout)
        except (OSError, UnicodeError) as error:  # UnicodeError: a host that no name server can be asked for
            raise httpx.ConnectError(str(error)) from error
        return connection

    def _release(self, connection: _Connection | None) -> None:
        """Keep a connection whose answer was read to its end, and close any other one."""
        if connection is not None:
            if self._is_open and connection.is_reusable:
                connection.idle_since = asyncio.get_running_loop().time()
                self._idle.append(connection)
                if self._closing is None:
                    self._close_what_stays_idle()
            else:
                connection.close()
        self._slots.release()

    def _close_what_stays_idle(self) -> None:
        """Close the connections that were idle too long, now and whenever the next one has been.

        A server would otherwise hold them open beside the new ones that replace them.
        """
        loop = asyncio.get_running_loop()
        oldest = loop.time() - self._idle_seconds
        while self._idle and self._idle[0].idle_since <= oldest:
            self._idle.pop(0).close()
        self._closing = None
        if self._idle:
            due = self._idle[0].idle_since + self._idle_seconds
            self._closing = loop.call_at(due, self._close_what_stays_idle)


class _Connection(asyncio.Protocol):
    """One connection, with at most one request at a time."""

    def __init__(self) -> None:
        self._answer = _AnswerParser()
        self._failure: httpx.TransportError | None = None
        self._is_closing = False  # the server sends nothing any longer
        self._may_write = True
        self._changed = asyncio.Event()
        self.is_closed = asyncio.Event()
        self.idle_since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - as create_connection makes them
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        try:
            self._answer.feed(data)
        except httpx.RemoteProtocolError as error:
            self._fail(error)
        if len(self._answer.body) > MAX_UNREAD_BYTES:
            self._transport.pause_reading()
        self._changed.set()

    def eof_received(self) -> None:
        self._is_closing = True
        try:
            self._answer.feed_eof()
        except httpx.RemoteProtocolError as error:
            self._fail(error)
        self._changed.set()

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None:
            self._fail(httpx.ReadError(str(exc)))
        self.eof_received()
        self.is_closed.set()

    def pause_writing(self) -> None:
        self._may_write = False

    def resume_writing(self) -> None:
        self._may_write = True
        self._changed.set()

    @property
    def is_reusable(self) -> bool:
        """Whether the answer was read in time, and the server has neither closed nor sent anything since."""
        is_over = self._answer.allows_another and not self._answer.body and self._failure is None
        return is_over and not (self._is_closing or self._transport.is_closing())

    def close(self) -> None:
        """Close the connection at once."""
        self._transport.abort()

    async def write(self, data: bytes, seconds: float | None) -> None:
        """Write until all but what the system buffers is sent, or the connection has failed.

        The server may have answered before that, so any failure but WriteTimeout is raised when the answer is
        read.
        """
        self._answer.start_next()
        self._transport.write(data)
        while not (self._may_write or self._is_closing or self._failure):
            await self._change(seconds, httpx.WriteTimeout)
        if isinstance(self._failure, httpx.WriteTimeout):
            raise _like(self._failure)

    async def read_head(self, seconds: float | None) -> tuple[int, list[tuple[bytes, bytes]]]:
        """Read the status and the headers of the answer, past interim answers (1xx)."""
        while not self._answer.status:
            await self._receive(seconds)
        return self._answer.status, self._answer.headers

    async def read_body(self, seconds: float | None) -> bytes:
        """Read the next part of the body, which must come within `seconds`; nothing at its end."""
        while not (self._answer.body or self._answer.is_complete):
            await self._receive(seconds)
        part = bytes(self._answer.body)
        self._answer.body.clear()
        self._transport.resume_reading()
        return part

    async def _receive(self, seconds: float | None) -> None:
        """Wait until the server has sent something or closed the connection."""
        if self._failure is not None:
            raise _like(self._failure)
        await self._change(seconds, httpx.ReadTimeout)

    async def _change(self, seconds: float | None, error: type[httpx.TimeoutException]) -> None:
        """Wait until something has happened; if nothing does for `seconds`, the connection has failed."""
        self._changed.clear()
        alarm = None
        if seconds is not None:  # cheaper than asyncio.timeout, which prepares to cancel the task
            loop = asyncio.get_running_loop()
            alarm = loop.call_later(seconds, lambda: self._fail(error(f"nothing for {seconds} s")))
        try:
            await self._changed.wait()
        finally:
            if alarm is not None:
                alarm.cancel()

    def _fail(self, error: httpx.TransportError) -> None:
        """Keep the first failure, which is raised once what came before it has been read."""
        self._failure = self._failure or _like(error)
        self._changed.set()


def _like(failure: httpx.TransportError) -> httpx.TransportError:
    """Return a failure like this one.

    One that is raised leads to its callers: a connection that kept it would be in a cycle with all that they
    have received, which the garbage collector frees late.
    """
    return type(failure)(str(failure))


class _Body(httpx.AsyncByteStream):
    """The body of an answer, read from its connection, which is then released."""

    def __init__(
        self,
        connection: _Connection,
        seconds: float | None,
        release: Callable[[_Connection], None],
    ) -> None:
        self._connection = connection
        self._seconds = seconds
        self._release = release
        self._is_released = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        part = await self._connection.read_body(self._seconds)
        if not part:
            raise StopAsyncIteration
        return part

    async def aclose(self) -> None:
        if not self._is_released:
            self._is_released = True
            self._release(self._connection)


class _AnswerParser:
    """The answers on one connection, one after another; httptools calls the methods that begin with `on_`.

    `status` is 0 until the headers of the answer are complete; `body` is what was received and not yet read.
    """

    def __init__(self) -> None:
        self._http = httptools.HttpResponseParser(self)
        # Many servers are not strict. Only a proxy, which passes answers on, would be endangered by this.
        self._http.set_dangerous_leniencies(
            lenient_headers=True,
            lenient_chunked_length=True,
            lenient_optional_cr_before_lf=True,
            lenient_spaces_after_chunk_size=True,
        )
        self.start_next()

    def start_next(self) -> None:
        """Forget an answer, and expect the next one."""
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = bytearray()
        self.is_complete = False
        self.allows_another = False
        self._ends_with_connection = False
        self._incomplete = 0  # bytes of a head or a trailer so far

    def feed(self, data: bytes) -> None:
        """Parse what the server has sent; RemoteProtocolError if it is no answer, or too long a head."""
        self.allows_another = False  # unless this completes an answer
        self._incomplete += len(data)
        try:
            self._http.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not self.is_complete:
                raise httpx.RemoteProtocolError(str(error.__context__ or error)) from None
            self.allows_another = False
        if self._incomplete > MAX_HEAD_BYTES and not self.is_complete:
            raise httpx.RemoteProtocolError(f"a head of more than {MAX_HEAD_BYTES} bytes")

    def feed_eof(self) -> None:
        """Note that the server sends nothing more; RemoteProtocolError if it should have."""
        if self._ends_with_connection:
            self.is_complete = True
        elif not self.is_complete:
            raise httpx.RemoteProtocolError("the server closed the connection before its answer was complete")

    def on_message_begin(self) -> None:
        if self.is_complete:
            raise httpx.RemoteProtocolError("an answer that nobody asked for")

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.status:  # fields after the body are of no use
            self.headers.append((name, value.rstrip()))

    def on_headers_complete(self) -> None:
        status = self._http.get_status_code()
        if status < httpx.codes.OK:
            if status == httpx.codes.SWITCHING_PROTOCOLS:
                raise httpx.RemoteProtocolError("the server switches to another protocol")
            self.headers.clear()
            return
        framing = {name.lower(): value for name, value in self.headers}
        coding = framing.get(b"transfer-encoding", b"chunked").lower()
        if coding != b"chunked":
            raise httpx.RemoteProtocolError("a transfer encoding other than chunked")
        self._ends_with_connection = framing.keys().isdisjoint({b"content-length", b"transfer-encoding"})
        self.status = status
        self._incomplete = 0

    def on_body(self, part: bytes) -> None:
        self.body += part
        self._incomplete = 0

    def on_message_complete(self) -> None:
        if self.status:
            self.is_complete = True
            self.allows_another = self._http.should_keep_alive()
        self._incomplete = 0


_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(rb"[\t -~\x80-\xff]*")


def _encode(request: httpx.Request, body: bytes) -> bytes:
    """Return the bytes of a request; LocalProtocolError if HTTP does not allow one of its headers."""
    lines = b"".join([_line(name, value) for name, value in request.headers.raw])
    return b"%b %b HTTP/1.1\r\n%b\r\n%b" % (request.method.encode(), request.url.raw_path, lines, body)


@lru_cache(maxsize=64)  # nearly all headers are those of the request before
def _line(name: bytes, value: bytes) -> bytes:
    if not (_NAME.fullmatch(name) and _VALUE.fullmatch(value)):
        raise httpx.LocalProtocolError("a header that HTTP does not allow")
    return b"%b: %b\r\n" % (name, value)


async def _trace_nothing(_name: str, _info: Mapping[str, Any]) -> None:
    pass


async def _within(
    seconds: float | None, work: Coroutine[Any, Any, _Result], error: type[httpx.TimeoutException]
) -> _Result:
    """Return the result of `work`; raise `error` if it takes longer than `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            return await work
    except TimeoutError:
        raise error(f"nothing for {seconds} s") from None
