"""A network for attacks: the attacker's server, names that lead inside, and a canary on everything else."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qs, quote, urlsplit

from batchfish.localagent.egress.dialer import Dialer
from tests.localagent.egress.ssrf.forms import NAMES, PUBLIC

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from batchfish.localagent.egress.dialer import Streams

VECTORS = (Path(__file__).parent / "vectors.js").read_text("utf-8")
NAME = re.compile(r"^    (\w+): ", re.MULTILINE)
EVERY_VECTOR = tuple(NAME.findall(VECTORS))
INSIDE = {"localhost": ("127.0.0.1", "::1"), "app.localhost": ("127.0.0.1",)}
SECRET = "<p>A secret of this machine, for nobody else.</p><dl><dt>Attempts</dt><dd>0</dd></dl>"
WAIT = "<p>This page leads on to another one in a moment."
LOCAL_SUFFIXES = (".local", ".internal", ".home.arpa", ".localdomain")


class Playground:
    """Whatever would reach an address that is not the attacker's own reaches the canary, and is a hit.

    The canary also listens on every address of this machine, by TCP and by UDP: a browser that goes around
    the proxy finds it as well. `rebind-….test` leads to the attacker at first, and inside from then on.
    """

    def __init__(self) -> None:
        self.hits: set[tuple[str, str]] = set()
        self.dialled: set[str] = set()
        self._asked: set[str] = set()

    async def __aenter__(self) -> Self:
        """Open the attacker's server and the canary."""
        loop = asyncio.get_running_loop()
        self._attacker = await asyncio.start_server(self._attack, "127.0.0.1", 0)
        everywhere = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
        self.port = everywhere.getsockname()[1]
        self._canary = await asyncio.start_server(self._count, sock=everywhere)
        datagrams = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        datagrams.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        datagrams.bind(("::", self.port))
        self._datagrams, _ = await loop.create_datagram_endpoint(lambda: _Counter(self), sock=datagrams)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close both."""
        self._datagrams.close()
        for server in (self._attacker, self._canary):
            server.close()

    def dialer(self) -> Dialer:
        """Give a dialer over this network."""
        return Dialer(resolve=self.resolve, connect=self.connect)

    def url(self, form: str, vector: str) -> str:
        """Give an address inside, which tells the canary how it was come by."""
        return f"http://{form}:{self.port}/hit?by={vector}&form={quote(form)}"

    def page(self, vectors: Iterable[str], forms: Iterable[str]) -> str:
        """Give the address of a page that tries each way with each form."""
        return f"http://attacker.test/try?{self.asked(vectors, forms)}"

    @staticmethod
    def asked(vectors: Iterable[str], forms: Iterable[str]) -> str:
        """Spell what such a page is to try."""
        return quote(json.dumps([list(vectors), list(forms)]))

    def led(self, how: str, form: str) -> str:
        """Give the address of a page that leads on to a form by `redirect`, `refresh` or `move`."""
        return f"http://attacker.test/{how}?to={quote(self.url(form, how), safe='')}"

    @property
    def is_untouched(self) -> bool:
        """Whether nothing was connected to but the attacker's server, and nothing reached the canary."""
        return not self.hits and not self.dialled

    def forms_hit(self, vector: str) -> set[str]:
        """Give the forms by which the canary was reached in a way."""
        return {form for by, form in self.hits if by == vector}

    @property
    def attacker_port(self) -> int:
        """Where the attacker's server listens on this machine."""
        return int(self._attacker.sockets[0].getsockname()[1])

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        if host.startswith("rebind-"):
            is_first = host not in self._asked
            self._asked.add(host)
            return [PUBLIC] if is_first else ["127.0.0.1"]
        if host.endswith("attacker.test"):
            return [PUBLIC]
        if known := NAMES.get(host) or INSIDE.get(host):
            return known
        if host.endswith(LOCAL_SUFFIXES):
            return ["10.0.0.9"]
        with contextlib.suppress(OSError):  # as the system's resolver reads odd spellings of IPv4
            return [socket.inet_ntoa(socket.inet_aton(host))]
        return []

    async def connect(self, address: str, port: int) -> Streams:
        if address == PUBLIC:
            return await asyncio.open_connection("127.0.0.1", self.attacker_port)
        self.dialled.add(address)
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def _count(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = b""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(5):
                head = await reader.readuntil(b"\r\n")
        words = head.decode("latin-1").split(" ")
        asked = parse_qs(urlsplit(words[1]).query) if len(words) > 1 and head.endswith(b"\r\n") else {}
        self.hits.add((asked.get("by", ["connection"])[0], asked.get("form", [repr(head[:8])])[0]))
        await _answer(writer, "200 OK", "text/html", SECRET)

    async def _attack(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except asyncio.IncompleteReadError:
            writer.close()
            return
        parts = urlsplit(head.split(" ")[1])
        to = parse_qs(parts.query).get("to", [""])[0]
        moved = "meta http-equiv=refresh content='0;url={}'"
        match parts.path:
            case "/redirect":
                await _answer(writer, "302 Found", "text/html", "", f"location: {_ascii(to)}\r\n")
            case "/refresh":
                await _answer(writer, "200 OK", "text/html", f"<{moved.format(to)}>{WAIT}")
            case "/move":
                script = f"<script>location = {json.dumps(to)}</script>{WAIT}"
                await _answer(writer, "200 OK", "text/html", script)
            case "/try":
                await _answer(writer, "200 OK", "text/html", self._trial(parts.query))
            case _:
                await _answer(writer, "200 OK", "text/html", f"<p>From: {parts.path}</p>")

    def _trial(self, query: str) -> str:
        vectors, forms = json.loads(_unquoted(query))
        targets = json.dumps([[form, self.url(form, "VECTOR")] for form in forms])
        return (
            "<!doctype html><meta charset=utf-8><title>Trial</title><h1>Trial</h1><p id=state>Loading…</p>"
            f"<script>{VECTORS}; attempt({targets}, {json.dumps(vectors)})</script>"
        )


class _Counter(asyncio.DatagramProtocol):
    def __init__(self, playground: Playground) -> None:
        self._playground = playground

    def datagram_received(self, data: bytes, addr: tuple[str | int, ...]) -> None:
        self._playground.hits.add(("datagram", repr(data[:8])))


def _unquoted(query: str) -> str:
    return parse_qs(f"q={query}")["q"][0]


def _ascii(url: str) -> str:
    return quote(url, safe=":/?&=#@%[]!$'()*+,;~")


async def _answer(writer: asyncio.StreamWriter, status: str, kind: str, body: str, more: str = "") -> None:
    content = body.encode()
    head = f"HTTP/1.1 {status}\r\ncontent-type: {kind}; charset=utf-8\r\ncontent-length: {len(content)}\r\n"
    with contextlib.suppress(OSError):
        writer.write(f"{head}{more}connection: close\r\n\r\n".encode() + content)
        await writer.drain()
    writer.close()
