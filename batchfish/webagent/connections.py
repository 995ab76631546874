"""Connections to one server, kept open between requests: the transport below httpx.

A request is sent once, on a connection that is new or was idle for less than a set time. httpx's own
transport searches all connections and all waiting requests at each step of a request, which costs several
times the CPU. Proxies are left to it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import h11
import httpx

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

    A connection that was idle for `idle_seconds` is not used again. A request is never sent twice.

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
        self._is_open = True

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and return its answer, whose body is still to be read."""
        limits: Mapping[str, float | None] = request.extensions.get("timeout", {})
        trace: Trace = request.extensions.get("trace", _trace_nothing)
        body = await request.aread()
        await trace("connection.acquire.started", {"request": request})
        await _within(limits.get("pool"), self._slots.acquire(), httpx.PoolTimeout)
        connection: _Connection | None = None
        try:
            connection = self._take_idle() or await self._connect(request.url, limits.get("connect"))
            data = connection.encode(request, body)
            await trace("http11.send_request_headers.started", {"request": request})
            await connection.write(data, limits.get("write"))
            head = await connection.read_head(limits.get("read"))
        except BaseException:
            self._release(connection)
            raise
        return httpx.Response(
            head.status_code,
            headers=head.headers.raw_items(),
            stream=_Body(connection, limits.get("read"), self._release),
            extensions={"http_version": b"HTTP/" + head.http_version, "reason_phrase": head.reason},
        )

    async def aclose(self) -> None:
        """Close the connections that are idle, and each other one as soon as its answer has been read."""
        self._is_open = False
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
                happy_eyeballs_delay=HAPPY_EYEBALLS_DELAY,
            )
            _, connection = await _within(seconds, connecting, httpx.ConnectTimeout)
        except (OSError, UnicodeError) as error:  # UnicodeError: a host that no name server can be asked for
            raise httpx.ConnectError(str(error)) from error
        return connection

    def _release(self, connection: _Connection | None) -> None:
        """Keep a connection whose answer was read to its end, and close any other one."""
        if connection is not None:
            if self._is_open and connection.prepare_next():
                self._idle.append(connection)
            else:
                connection.close()
        self._slots.release()


class _Connection(asyncio.Protocol):
    """One connection, with at most one request at a time."""

    def __init__(self) -> None:
        self._http = _new_client()
        self._received = bytearray()
        self._failure: Exception | None = None
        self._has_ended = False  # the server sends nothing any longer
        self._may_write = True
        self._changed = asyncio.Event()
        self.is_closed = asyncio.Event()
        self.idle_since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - as create_connection makes them
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        if len(self._received) > MAX_UNREAD_BYTES:
            self._transport.pause_reading()
        self._changed.set()

    def eof_received(self) -> None:
        self._has_ended = True
        self._changed.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._has_ended, self._failure = True, exc
        self._changed.set()
        self.is_closed.set()

    def pause_writing(self) -> None:
        self._may_write = False

    def resume_writing(self) -> None:
        self._may_write = True
        self._changed.set()

    @property
    def is_reusable(self) -> bool:
        """Whether the server has neither closed the connection nor sent what nobody asked for."""
        return not (self._has_ended or self._received or self._transport.is_closing())

    def prepare_next(self) -> bool:
        """Get ready for another request; return whether that is possible."""
        is_complete = self._http.our_state is self._http.their_state is h11.DONE
        if not is_complete or self._http.trailing_data[0] or not self.is_reusable:
            return False
        self._http.start_next_cycle()
        self.idle_since = asyncio.get_running_loop().time()
        return True

    def close(self) -> None:
        """Close the connection at once."""
        self._transport.abort()

    def encode(self, request: httpx.Request, body: bytes) -> bytes:
        """Return the bytes of a request."""
        try:
            head = h11.Request(
                method=request.method, target=request.url.raw_path, headers=request.headers.raw
            )
            parts = (head, h11.Data(data=body), h11.EndOfMessage())
            return b"".join(self._http.send(part) or b"" for part in parts)
        except h11.LocalProtocolError as error:
            raise httpx.LocalProtocolError(str(error)) from error

    async def write(self, data: bytes, seconds: float | None) -> None:
        """Write until all but what the system buffers is sent, or the connection is lost.

        The server may have answered before that, so a lost connection is noticed when the answer is read.
        """
        self._transport.write(data)
        while not (self._may_write or self._has_ended):
            await _within(seconds, self._change(), httpx.WriteTimeout)

    async def read_head(self, seconds: float | None) -> h11.Response:
        """Read the status and the headers of the answer, past interim answers (1xx)."""
        while not isinstance(event := await self.next_event(seconds), h11.Response):
            pass
        return event

    async def next_event(self, seconds: float | None) -> object:
        """Read the next event of h11, which must begin within `seconds`."""
        try:
            event = self._http.next_event()
            while event is h11.NEED_DATA:
                await self._receive(seconds)
                event = self._http.next_event()
        except h11.RemoteProtocolError as error:
            raise httpx.RemoteProtocolError(str(error)) from error
        return event

    async def _receive(self, seconds: float | None) -> None:
        """Pass on to the parser what the server has sent, or that it sends nothing more."""
        while not (self._received or self._has_ended):
            await _within(seconds, self._change(), httpx.ReadTimeout)
        if self._received or self._failure is None:
            self._http.receive_data(bytes(self._received))
            self._received.clear()
            self._transport.resume_reading()
        else:
            raise httpx.ReadError(str(self._failure)) from self._failure

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()


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

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while isinstance(event := await self._connection.next_event(self._seconds), h11.Data):
            yield bytes(event.data)

    async def aclose(self) -> None:
        if not self._is_released:
            self._is_released = True
            self._release(self._connection)


def _new_client() -> h11.Connection:
    return h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)


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
