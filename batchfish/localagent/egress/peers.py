"""One end of a proxied connection: HTTP/1.1 events and raw bytes, with time limits."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Self

import h11

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

CHUNK = 64 * 1024
LONGEST_HEAD = 64 * 1024
IDLE_TIME = 60.0
# Headers of one connection (RFC 9110, 7.6.1), which a proxy does not forward.
HOP_BY_HOP = frozenset(
    [
        b"connection",
        b"expect",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    ]
)
ANSWERABLE = frozenset([h11.IDLE, h11.SEND_RESPONSE])


class Peer:
    """A connection and the state of HTTP/1.1 on it."""

    def __init__(
        self,
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        role: type[h11.CLIENT | h11.SERVER],
    ) -> None:
        """`role` is our own: SERVER to the peer that asks, CLIENT to the peer that answers."""
        self._reader, self._writer = streams
        self._http = h11.Connection(role, max_incomplete_event_size=LONGEST_HEAD)

    async def receive(self) -> h11.Event:
        """Wait for the next event; TimeoutError after IDLE_TIME seconds without a byte."""
        while (event := self._http.next_event()) is h11.NEED_DATA:
            async with asyncio.timeout(IDLE_TIME):
                self._http.receive_data(await self._reader.read(CHUNK))
        if isinstance(event, type):  # h11.PAUSED
            raise h11.RemoteProtocolError("nothing more can be said on this connection")
        return event

    async def send(self, event: h11.Event) -> None:
        """Send an event and wait until the peer keeps up."""
        await self.write(self._http.send(event) or b"")

    async def answer(
        self, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes, *, is_head: bool = False
    ) -> None:
        """Send a whole answer; do nothing if one has been started."""
        if self._http.our_state not in ANSWERABLE:
            return
        closing = [(b"content-length", str(len(body)).encode()), (b"connection", b"close")]
        await self.send(h11.Response(status_code=status, headers=[*headers, *closing]))
        if not is_head:
            await self.send(h11.Data(data=body))
        await self.send(h11.EndOfMessage())

    def unparsed(self) -> bytes:
        """Return the bytes that were received after the end of HTTP, before a tunnel is relayed."""
        rest, _ = self._http.trailing_data
        return rest

    async def read(self) -> bytes:
        """Return the next bytes, none at the end; TimeoutError after IDLE_TIME seconds without a byte."""
        async with asyncio.timeout(IDLE_TIME):
            return await self._reader.read(CHUNK)

    async def write(self, data: bytes) -> None:
        """Send bytes and wait until the peer keeps up."""
        self._writer.write(data)
        await self._writer.drain()

    async def __aenter__(self) -> Self:
        """Use the connection for the length of a block."""
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Close the connection after what was written, or abort it if the block failed."""
        if kind is not None:
            self._writer.transport.abort()
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


async def pass_body(source: Peer, target: Peer, count: Callable[[int], None] = lambda _: None) -> None:
    """Forward a body to its end; `count` gets the length of each part and may raise."""
    while True:
        match event := await source.receive():
            case h11.Data():
                count(len(event.data))
                await target.send(event)
            case h11.EndOfMessage():
                await target.send(event)
                return
            case _:
                raise h11.RemoteProtocolError("the connection ended within a body")


async def relay(client: Peer, server: Peer, count: Callable[[int], None]) -> None:
    """Forward bytes both ways until one side ends; `count` gets the length of what the server sent."""
    ways = [
        asyncio.create_task(_copy(client, server, lambda _: None)),
        asyncio.create_task(_copy(server, client, count)),
    ]
    try:
        await next(asyncio.as_completed(ways))
    finally:
        for way in ways:
            way.cancel()
        with contextlib.suppress(Exception):  # the first to end has raised already
            await asyncio.gather(*ways, return_exceptions=True)


async def _copy(source: Peer, target: Peer, count: Callable[[int], None]) -> None:
    while data := await source.read():
        count(len(data))
        await target.write(data)


def end_to_end(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return the headers to forward: without those of the connection and those that Connection names."""
    listed = list(headers)
    named = {
        name.strip() for key, value in listed if key == b"connection" for name in value.lower().split(b",")
    }
    return [(key, value) for key, value in listed if key not in HOP_BY_HOP and key not in named]
