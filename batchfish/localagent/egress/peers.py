"""The two sides of a proxied exchange: HTTP/1.1 said and heard over a connection, and bytes passed on."""

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
# What concerns one connection only, and is never passed on.
HOPS = frozenset(
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
    """One side: a connection, and what has been said on it so far."""

    def __init__(
        self,
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        role: type[h11.CLIENT | h11.SERVER],
    ) -> None:
        """`role` is our own: SERVER towards who asks, CLIENT towards who answers."""
        self._reader, self._writer = streams
        self._http = h11.Connection(role, max_incomplete_event_size=LONGEST_HEAD)

    async def hear(self) -> h11.Event:
        """Wait for what is said next; TimeoutError after a minute of silence."""
        while (event := self._http.next_event()) is h11.NEED_DATA:
            async with asyncio.timeout(IDLE_TIME):
                self._http.receive_data(await self._reader.read(CHUNK))
        if isinstance(event, type):  # h11.PAUSED
            raise h11.RemoteProtocolError("nothing more can be said on this connection")
        return event

    async def say(self, event: h11.Event) -> None:
        """Say something, as fast as it is heard."""
        await self.write(self._http.send(event) or b"")

    async def answer(
        self, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes, *, is_head: bool = False
    ) -> None:
        """Answer whole; nothing where an answer has begun already."""
        if self._http.our_state not in ANSWERABLE:
            return
        closing = [(b"content-length", str(len(body)).encode()), (b"connection", b"close")]
        await self.say(h11.Response(status_code=status, headers=[*headers, *closing]))
        if not is_head:
            await self.say(h11.Data(data=body))
        await self.say(h11.EndOfMessage())

    def take_rest(self) -> bytes:
        """Give what came after the HTTP, before anybody reads on."""
        rest, _ = self._http.trailing_data
        return rest

    async def read(self) -> bytes:
        """Read bytes as they come, none at the end; TimeoutError after a minute of silence."""
        async with asyncio.timeout(IDLE_TIME):
            return await self._reader.read(CHUNK)

    async def write(self, data: bytes) -> None:
        """Write bytes, as fast as they are read."""
        self._writer.write(data)
        await self._writer.drain()

    async def __aenter__(self) -> Self:
        """Use the connection for the length of a block."""
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Close it once what was written has gone, or at once where the block failed."""
        if kind is not None:
            self.cut()
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    def cut(self) -> None:
        """Drop the connection at once."""
        self._writer.transport.abort()


async def pass_body(source: Peer, target: Peer, count: Callable[[int], None] = lambda _: None) -> None:
    """Pass on a body to its end; `count` is told the length of each part, and may object."""
    while True:
        match event := await source.hear():
            case h11.Data():
                count(len(event.data))
                await target.say(event)
            case h11.EndOfMessage():
                await target.say(event)
                return
            case _:
                raise h11.RemoteProtocolError("the connection ended within a body")


async def relay(client: Peer, server: Peer, count: Callable[[int], None]) -> None:
    """Pass bytes both ways until one side ends; `count` is told how many the server sent, and may object."""
    ways = [
        asyncio.create_task(_copy(client, server, lambda _: None)),
        asyncio.create_task(_copy(server, client, count)),
    ]
    try:
        await next(asyncio.as_completed(ways))
    finally:
        for way in ways:
            way.cancel()
        with contextlib.suppress(Exception):  # the first to end has told why; the other can only follow
            await asyncio.gather(*ways, return_exceptions=True)


async def _copy(source: Peer, target: Peer, count: Callable[[int], None]) -> None:
    while data := await source.read():
        count(len(data))
        await target.write(data)


def without_hops(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Keep the headers meant for the other end: not those of a connection, nor what Connection names."""
    listed = list(headers)
    named = {
        name.strip() for key, value in listed if key == b"connection" for name in value.lower().split(b",")
    }
    return [(key, value) for key, value in listed if key not in HOPS and key not in named]
