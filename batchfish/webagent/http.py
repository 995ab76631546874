"""HTTP connections to the Web Agent API, and single calls with limits in time and size."""

from __future__ import annotations

import asyncio
import logging
import ssl
import zlib
from contextlib import aclosing
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, cast
from urllib.request import getproxies, proxy_bypass

import httpx
from msgspec import Struct

from batchfish.core.addresses import is_loopback
from batchfish.webagent.connections import ConnectionPool
from batchfish.webagent.http_dates import read_age

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

MAX_CONNECTIONS, MAX_CONNECTIONS_NEARBY = 8, 2
"""The most connections for reads; nearby is an API on this machine."""

MAX_CREATE_CONNECTIONS, MAX_LONG_CONNECTIONS = 32, 100
"""The most connections for creates, and for those whose answer takes as long as their run."""

CREATE_IDLE_SECONDS, READ_IDLE_SECONDS = 2.0, 4.0
"""The time for which a connection may be idle; after that it is not used again."""

CONNECT_SECONDS, WRITE_SECONDS, POOL_SECONDS = 5.0, 10.0, 30.0
"""The time limits of connecting, of sending a request, and of the wait for a connection."""

ANSWER_SECONDS = 60.0
"""The time limit of a whole call, its answer included."""

MAX_BODY_BYTES = 64 * 2**20
"""The size of the largest answer that is read, decoded."""

HEAD_BYTES = 2**20
"""The length of the beginning that is kept of an answer that is too large."""

SLOW_BODY_BYTES = 2**20
"""An answer that brought more than this within its time limit is slow because of its size."""

_NOTHING_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
NETWORK_FAILURES = (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, OSError)
_GZIP_WINDOW = zlib.MAX_WBITS | 16
_logger = logging.getLogger(__name__)


class HttpClient:
    """Sends requests to one API with the same headers, each once, without redirects or cookies.

    It calls a transport of httpx directly: httpx's own client prepares for redirects, cookies, authentication
    and hooks at each request, which costs more CPU than sending it.
    """

    def __init__(
        self, base_url: str, headers: Mapping[str, str], transport: httpx.AsyncBaseTransport
    ) -> None:
        """Open no connection yet; InvalidURL if the base URL is none."""
        self._base_url = base_url.rstrip("/")
        host = httpx.URL(base_url).netloc.decode("ascii")
        self._headers = httpx.Headers({"Host": host, **headers}).raw
        self._transport = transport

    def build_request(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        params: Mapping[str, str] | None = None,
        read_seconds: float | None,
        accept: str = "application/json",
    ) -> httpx.Request:
        """Build a request with a time limit for each phase; `read_seconds` of None is none."""
        headers = [*self._headers, (b"Accept", accept.encode())]
        if body is not None:
            length = b"%d" % len(body)
            headers += [(b"Content-Type", b"application/json"), (b"Content-Length", length)]
        limits = {"connect": CONNECT_SECONDS, "write": WRITE_SECONDS, "pool": POOL_SECONDS}
        url = self._base_url + path
        request = httpx.Request(
            method,
            _parse_url(url) if params is None else httpx.URL(url, params=params),
            headers=headers,
            stream=httpx.ByteStream(body or b""),
            extensions={"timeout": {**limits, "read": read_seconds}},
        )
        request.read()  # its transport would else read it in an asynchronous loop
        return request

    async def send(self, request: httpx.Request) -> httpx.Response:
        """Send a request and return its answer, whose body is still to be read; the caller closes it."""
        response = await self._transport.handle_async_request(request)
        _logger.debug("HTTP Request: %s %s %d", request.method, request.url, response.status_code)
        return response

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()


class HttpClients(Struct, frozen=True, kw_only=True):
    """The HTTP clients of one API; none of them waits for another's connections.

    `creates` is for `/run-async`, `reads` for everything that makes no run, `runs` for creates whose answer
    takes as long as their run.
    """

    creates: HttpClient
    reads: HttpClient
    runs: HttpClient

    async def aclose(self) -> None:
        """Close the connections."""
        for client in (self.creates, self.reads, self.runs):
            await client.aclose()


def open_clients(
    base_url: str, headers: Mapping[str, str], transport: httpx.AsyncBaseTransport | None
) -> HttpClients:
    """Open the clients of one API.

    A create goes out on a connection that is new or was idle for less than two seconds: on one that the
    server has just closed, it would count as unanswered although the server never saw it.
    """
    on_loopback = is_loopback(base_url)  # it means this machine, whatever HTTP_PROXY says
    proxy = None if on_loopback else _find_proxy(base_url)
    is_https = not base_url.startswith("http://")
    tls = _make_tls_context(is_https=is_https, trusts_environment=not on_loopback)

    def open_client(
        idle_seconds: float, most: int, more_headers: Mapping[str, str] | None = None
    ) -> HttpClient:
        return HttpClient(
            base_url,
            {"Accept-Encoding": "gzip", **headers, **(more_headers or {})},
            transport or _open_transport(tls, proxy, most=most, idle_seconds=idle_seconds),
        )

    return HttpClients(
        creates=open_client(CREATE_IDLE_SECONDS, MAX_CREATE_CONNECTIONS),
        reads=open_client(
            READ_IDLE_SECONDS,
            MAX_CONNECTIONS_NEARBY if on_loopback else MAX_CONNECTIONS,
            {"Cache-Control": "no-cache"},
        ),
        runs=open_client(CREATE_IDLE_SECONDS, MAX_LONG_CONNECTIONS),
    )


class HttpAnswer(Struct, frozen=True, kw_only=True):
    """A whole answer: its status, its headers by lower-case name, and its decoded body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    __repr__ = object.__repr__  # hostile text, which may repeat a secret


class NoAnswer(Struct, frozen=True, kw_only=True):
    """A call without a usable answer.

    `may_have_been_sent` is false only if no byte of the request can have reached the server. `is_over_limit`
    means that a good answer began but exceeded a limit of size or time: asking for less may help. `head` is
    the first megabyte of an answer that is too large.
    """

    message: str
    may_have_been_sent: bool = True
    is_over_limit: bool = False
    head: bytes = b""

    __repr__ = object.__repr__  # as above


async def call(
    client: HttpClient,
    method: str,
    path: str,
    *,
    body: bytes | None = None,
    params: Mapping[str, str] | None = None,
    within: float = ANSWER_SECONDS,
) -> HttpAnswer | NoAnswer:
    """Send one request, once, and read the whole answer, `within` seconds in all.

    A failure of the network is returned as NoAnswer.
    """
    trace = SendTrace()
    request = client.build_request(method, path, body=body, params=params, read_seconds=None)
    request.extensions["trace"] = trace
    status, content = None, _BodyReader({})
    try:
        async with asyncio.timeout(within):
            response = await client.send(request)
            try:
                status, content = response.status_code, _BodyReader(_read_headers(response))
                return await _read(response, content)
            finally:
                await _stream_of(response).aclose()
    except zlib.error:
        return NoAnswer(message="the compressed answer is damaged")
    except TimeoutError as failure:
        return NoAnswer(
            message=f"no whole answer within {within:g} s",
            may_have_been_sent=trace.may_have_been_sent(failure),
            is_over_limit=status == httpx.codes.OK and len(content.content) > SLOW_BODY_BYTES,
        )
    except NETWORK_FAILURES as failure:
        return NoAnswer(message=describe(failure), may_have_been_sent=trace.may_have_been_sent(failure))


async def call_uncached(
    client: HttpClient,
    method: str,
    path: str,
    *,
    body: bytes | None = None,
    params: Mapping[str, str] | None = None,
) -> HttpAnswer | NoAnswer:
    """Send one request that only reads; an answer from a cache (`Age` above 0) is a NoAnswer.

    It shows an earlier state and proves nothing about the present one (RFC 9111, section 5.1).
    """
    answer = await call(client, method, path, body=body, params=params)
    if isinstance(answer, HttpAnswer) and (age := read_age(answer.headers)):
        return NoAnswer(message=f"the answer came from a cache and is {age:.0f} s old")
    return answer


async def read_answer(response: httpx.Response) -> HttpAnswer | NoAnswer:
    """Read the rest of an answer that has begun; network failures are raised."""
    return await _read(response, _BodyReader(_read_headers(response)))


def describe(failure: Exception) -> str:
    """Return the name and message of a failure, without its request, whose repr holds the headers."""
    text = str(failure).strip()
    return f"{type(failure).__name__}: {text}" if text else type(failure).__name__


class SendTrace:
    """An httpcore trace callback that notes whether bytes of a request may have been sent."""

    def __init__(self) -> None:
        """Start before the request."""
        self.is_traced = False
        self.has_begun = False

    async def __call__(self, name: str, info: Mapping[str, Any]) -> None:
        """Note one event; a CONNECT to a proxy is not the request itself."""
        self.is_traced = True
        if name.endswith("send_request_headers.started") and info["request"].method != b"CONNECT":
            self.has_begun = True

    def may_have_been_sent(self, failure: Exception) -> bool:
        """Whether any byte can have been sent; judged by the error if the transport traces nothing."""
        if self.has_begun:
            return True
        return not (self.is_traced or isinstance(failure, _NOTHING_SENT))


class _BodyReader:
    """A body as it is received: decoded, counted, and cut off at the size limit."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self.headers = headers
        self._encoding = headers.get("content-encoding", "identity").strip().lower()
        self._declared = headers.get("content-length", "").strip()
        self._received = 0
        self._gzip = zlib.decompressobj(_GZIP_WINDOW) if self._encoding in {"gzip", "x-gzip"} else None
        self.content = bytearray()

    def take(self, chunk: bytes) -> None:
        """Add a chunk as received; zlib never decompresses more than the limit allows."""
        self._received += len(chunk)
        room = MAX_BODY_BYTES - len(self.content) + 1
        self.content += self._gzip.decompress(chunk, room) if self._gzip else chunk

    @property
    def is_too_large(self) -> bool:
        return len(self.content) > MAX_BODY_BYTES

    def fault(self) -> str | None:
        """Return why the body is not whole, or None: httpx accepts some that broke off."""
        if self._gzip is None and self._encoding not in {"identity", ""}:
            return f"the answer is encoded as {self._encoding[:40]!r}, which was not asked for"
        if self._declared.isdecimal() and int(self._declared) != self._received:
            return f"the answer broke off after {self._received} of {self._declared[:20]} bytes"
        if self._gzip and self._received and not self._gzip.eof:
            return "the compressed answer broke off"
        return None


async def _read(response: httpx.Response, content: _BodyReader) -> HttpAnswer | NoAnswer:
    if response.is_stream_consumed:  # an answer that a transport made in memory comes read and decoded
        content.content += response.content
        fault = None
    else:
        async with aclosing(cast("AsyncGenerator[bytes]", aiter(_stream_of(response)))) as chunks:
            async for chunk in chunks:
                content.take(chunk)
                if content.is_too_large:
                    break
        fault = None if content.is_too_large else content.fault()
    if content.is_too_large:
        is_good = response.status_code == httpx.codes.OK
        return NoAnswer(
            message=f"the answer is larger than {MAX_BODY_BYTES >> 20} MB",
            is_over_limit=is_good,
            head=bytes(content.content[:HEAD_BYTES]) if is_good else b"",
        )
    if fault is not None:
        return NoAnswer(message=fault)
    return HttpAnswer(status=response.status_code, headers=content.headers, body=bytes(content.content))


def _stream_of(response: httpx.Response) -> httpx.AsyncByteStream:
    """Return the body of an answer as its transport made it: httpx's own methods to read it cost more."""
    return cast("httpx.AsyncByteStream", response.stream)


def _read_headers(response: httpx.Response) -> dict[str, str]:
    """Return the headers of an answer by lower-case name; repeated ones are joined."""
    headers: dict[str, str] = {}
    for name, value in response.headers.raw:
        key, text = _lower(name), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


@lru_cache(maxsize=64)
def _lower(name: bytes) -> str:
    return name.decode("latin-1").lower()


_parse_url = lru_cache(maxsize=256)(httpx.URL)


def _find_proxy(base_url: str) -> str | None:
    """Return the proxy that the environment names for this API."""
    url, proxies = httpx.URL(base_url), getproxies()
    if proxy_bypass(url.netloc.decode("ascii")):
        return None
    proxy = proxies.get(url.scheme) or proxies.get("all")
    return proxy if proxy is None or "://" in proxy else f"http://{proxy}"


def _open_transport(
    tls: ssl.SSLContext, proxy: str | None, *, most: int, idle_seconds: float
) -> httpx.AsyncBaseTransport:
    if proxy is None:
        return ConnectionPool(tls, most=most, idle_seconds=idle_seconds)
    limits = httpx.Limits(max_connections=most, max_keepalive_connections=most, keepalive_expiry=idle_seconds)
    return httpx.AsyncHTTPTransport(verify=tls, proxy=proxy, limits=limits)


@cache  # a command opens the clients of one API twice: loading certificates takes several milliseconds
def _make_tls_context(*, is_https: bool, trusts_environment: bool) -> ssl.SSLContext:
    if not is_https:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # never used, and without certificates
    return httpx.create_ssl_context(trust_env=trusts_environment)
