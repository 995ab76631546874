"""Servers on loopback that handle each connection with a function of the test."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import socket
import ssl
import struct
import subprocess
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.loopback import nobody_listening

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from pathlib import Path

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="makes a certificate with openssl")


class Server:
    """A server on a free port of this machine; `treat` handles each connection."""

    def __init__(self, treat: Callable[[Server, Connection], Awaitable[None]]) -> None:
        self.treat = treat
        self.port = 0
        self.connections = 0
        self.requests: list[bytes] = []
        self.tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Handle one connection; failures of the other side are ignored."""
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self.treat(self, Connection(self, reader, writer))
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


class Connection:
    """One connection to a server."""

    def __init__(self, server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server, self.reader, self.writer = server, reader, writer

    async def read_request(self) -> bytes:
        """Read one whole request."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"\r\ncontent-length: (\d+)", head.lower())
        body = await self.reader.readexactly(int(length[1]) if length else 0)
        self.server.requests.append(head + body)
        return head

    async def say(self, *pieces: bytes) -> None:
        """Write the pieces one by one."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()

    def reset(self) -> None:
        """Close the connection with a reset."""
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


@contextlib.asynccontextmanager
async def serving(
    treat: Callable[[Server, Connection], Awaitable[None]], tls: ssl.SSLContext | None = None
) -> AsyncIterator[Server]:
    """Run a server within the block."""
    server = Server(treat)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=tls)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        for _ in range(10):  # a connection that has just been made gets its task
            await asyncio.sleep(0)
        for task in server.tasks:
            task.cancel()
        await asyncio.gather(*server.tasks, return_exceptions=True)
        await listener.wait_closed()


def say(*pieces: bytes) -> Callable[[Server, Connection], Awaitable[None]]:
    """Return a handler that reads a request, writes these pieces, and closes the connection."""

    async def treat(_: Server, connection: Connection) -> None:
        await connection.read_request()
        await connection.say(*pieces)

    return treat


@contextlib.contextmanager
def absent() -> Iterator[Server]:
    """Yield a server that does not listen; nor does anybody else at its port."""
    with nobody_listening() as port:
        server = Server(say())
        server.port = port
        yield server


class Tls(NamedTuple):
    """The two ends of an encrypted connection: `client` trusts the certificate of `server` alone."""

    server: ssl.SSLContext
    client: ssl.SSLContext


async def sign_certificate(folder: Path) -> Tls:
    """Make a certificate of 127.0.0.1, signed by itself, in a folder."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "1"]
    command += ["-keyout", str(key), "-out", str(certificate)]
    await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    return Tls(server, ssl.create_default_context(cafile=certificate))
