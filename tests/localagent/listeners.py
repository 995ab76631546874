"""A server on this machine that answers as tests say."""

from __future__ import annotations

import asyncio
import contextlib
import re
from itertools import chain, repeat
from typing import Self

OK = b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 2\r\nset-cookie: a=b\r\n\r\nok"


class Listener:
    """Answers each request with the next of its answers, later ones with the last.

    No bytes close the connection, None keeps it open without an answer.
    """

    def __init__(self, *answers: bytes | None) -> None:
        self._answers = chain(answers, repeat(answers[-1]))
        self.heads: list[bytes] = []
        self.requests: asyncio.Queue[tuple[bytes, bytes]] = asyncio.Queue()
        self.is_connected_to = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        self.origin = f"http://127.0.0.1:{self.port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.is_connected_to.set()
        try:
            self.heads.append(await reader.readuntil(b"\r\n\r\n"))
            length = re.search(rb"content-length: (\d+)", self.heads[-1].lower())
            body = await reader.readexactly(int(length[1])) if length else b""
            self.requests.put_nowait((self.heads[-1], body))
            answer = next(self._answers)
            if answer is None:
                await reader.read()
            else:
                writer.write(answer)
        except asyncio.IncompleteReadError as ended:
            self.heads.append(ended.partial)
        finally:
            with contextlib.suppress(OSError):
                writer.close()
