"""One HTTP call to the Web Agent API: its limits in time and size, and what its failure proves."""

from __future__ import annotations

import asyncio
import zlib
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import httpx

from batchfish.webagent.http_dates import read_age

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

CONNECT_SECONDS = 5.0
WRITE_SECONDS = 10.0
ANSWER_SECONDS = 60.0
POOL_SECONDS = 30.0
MAX_BODY_BYTES = 64 * 2**20
HEAD_BYTES = 2**20
SLOW_BODY_BYTES = 2**20

_NOTHING_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
NETWORK_FAILURES = (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, OSError)
_GZIP_WINDOW = zlib.MAX_WBITS | 16


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class HttpAnswer:
    """A whole answer: its status, its headers by lower-case name, and its decoded body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class NoAnswer:
    """A call without a usable answer, and what that proves.

    `may_have_left` is false only where no byte of the request can have reached the server. `asks_too_much`
    says that a good answer began but did not fit the limits of size or time: asking for less may help.
    `head` is the first megabyte of one that is too large.
    """

    message: str
    may_have_left: bool = True
    asks_too_much: bool = False
    head: bytes = b""


class Sending:
    """Watches httpcore's trace events for the moment from which bytes may have left for the server."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self.is_traced = False
        self.has_begun = False

    async def __call__(self, name: str, info: Mapping[str, Any]) -> None:
        """Note one event; the CONNECT that a proxy is asked for is not the request itself."""
        self.is_traced = True
        if name.endswith("send_request_headers.started") and info["request"].method != b"CONNECT":
            self.has_begun = True

    def may_have_left(self, failure: Exception) -> bool:
        """Whether any byte can have left; a transport that is not traced is judged by the error."""
        if self.has_begun:
            return True
        return not (self.is_traced or isinstance(failure, _NOTHING_SENT))


class _Body:
    """A body as it comes in: decoded, counted, and cut off at the limit."""

    def __init__(self, headers: httpx.Headers) -> None:
        self._encoding = headers.get("content-encoding", "identity").strip().lower()
        self._declared = headers.get("content-length", "").strip()
        self._received = 0
        self._gzip = zlib.decompressobj(_GZIP_WINDOW) if self._encoding in {"gzip", "x-gzip"} else None
        self.content = bytearray()

    def take(self, chunk: bytes) -> None:
        """Add a chunk as received; zlib is never asked for more than the limit leaves room for."""
        self._received += len(chunk)
        room = MAX_BODY_BYTES - len(self.content) + 1
        self.content += self._gzip.decompress(chunk, room) if self._gzip else chunk

    @property
    def is_too_large(self) -> bool:
        return len(self.content) > MAX_BODY_BYTES

    def fault(self) -> str | None:
        """Say why what was received is not the whole body, or None: httpx takes some cut ones for good."""
        if self._gzip is None and self._encoding not in {"identity", ""}:
            return f"the answer is encoded as {self._encoding[:40]!r}, which was not asked for"
        if self._declared.isdecimal() and int(self._declared) != self._received:
            return f"the answer broke off after {self._received} of {self._declared[:20]} bytes"
        if self._gzip and self._received and not self._gzip.eof:
            return "the compressed answer broke off"
        return None


def build_request(
    client: httpx.AsyncClient,
    method: str,
    path: str,
    *,
    body: bytes | None = None,
    params: Mapping[str, str] | None = None,
    read_seconds: float = ANSWER_SECONDS,
) -> httpx.Request:
    """Build a request with the time limits of its stages."""
    return client.build_request(
        method,
        path,
        content=body,
        params=params,
        headers=None if body is None else {"Content-Type": "application/json"},
        timeout=httpx.Timeout(
            connect=CONNECT_SECONDS, write=WRITE_SECONDS, read=read_seconds, pool=POOL_SECONDS
        ),
    )


async def call(
    client: httpx.AsyncClient,
    method: str,
    path: str,
    *,
    body: bytes | None = None,
    params: Mapping[str, str] | None = None,
    within: float = ANSWER_SECONDS,
) -> HttpAnswer | NoAnswer:
    """Send one request, once, and read the whole answer, `within` seconds in all.

    Every failure of the network is a NoAnswer.
    """
    sending = Sending()
    request = build_request(client, method, path, body=body, params=params, read_seconds=within)
    request.extensions["trace"] = sending
    content = _Body(httpx.Headers())
    status = None
    try:
        async with asyncio.timeout(within):
            response = await client.send(request, stream=True)
            try:
                status, content = response.status_code, _Body(response.headers)
                return await _read(response, content)
            finally:
                await response.aclose()
    except zlib.error:
        return NoAnswer(message="the compressed answer is damaged")
    except TimeoutError as failure:
        return NoAnswer(
            message=f"no whole answer within {within:g} s",
            may_have_left=sending.may_have_left(failure),
            asks_too_much=status == httpx.codes.OK and len(content.content) > SLOW_BODY_BYTES,
        )
    except NETWORK_FAILURES as failure:
        return NoAnswer(message=describe(failure), may_have_left=sending.may_have_left(failure))


async def call_for_news(
    client: httpx.AsyncClient,
    method: str,
    path: str,
    *,
    body: bytes | None = None,
    params: Mapping[str, str] | None = None,
) -> HttpAnswer | NoAnswer:
    """Send one reading request; an answer that a cache has kept (`Age` above 0) is a NoAnswer.

    It would tell how things were, and prove nothing about now (RFC 9111, section 5.1).
    """
    answer = await call(client, method, path, body=body, params=params)
    if isinstance(answer, HttpAnswer) and (age := read_age(answer.headers)):
        return NoAnswer(message=f"the answer came from a cache and is {age:.0f} s old")
    return answer


async def read_answer(response: httpx.Response) -> HttpAnswer | NoAnswer:
    """Read the whole body of an answer that has begun; failures of the network are the caller's."""
    return await _read(response, _Body(response.headers))


async def _read(response: httpx.Response, content: _Body) -> HttpAnswer | NoAnswer:
    if response.is_stream_consumed:  # an answer that a transport made in memory comes read and decoded
        content.content += response.content
        fault = None
    else:
        async with aclosing(cast("AsyncGenerator[bytes]", response.aiter_raw())) as chunks:
            async for chunk in chunks:
                content.take(chunk)
                if content.is_too_large:
                    break
        fault = None if content.is_too_large else content.fault()
    if content.is_too_large:
        is_good = response.status_code == httpx.codes.OK
        return NoAnswer(
            message=f"the answer is larger than {MAX_BODY_BYTES >> 20} MB",
            asks_too_much=is_good,
            head=bytes(content.content[:HEAD_BYTES]) if is_good else b"",
        )
    if fault is not None:
        return NoAnswer(message=fault)
    return HttpAnswer(
        status=response.status_code, headers=dict(response.headers), body=bytes(content.content)
    )


def describe(failure: Exception) -> str:
    """Name a failure without its request: the repr of that holds the headers."""
    text = str(failure).strip()
    return f"{type(failure).__name__}: {text}" if text else type(failure).__name__
