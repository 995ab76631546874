"""A network for attacks: the attacker's server, names that lead inside, and a canary on everything else."""

import asyncio
import contextlib
import json
import re
import socket
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs, quote, urlsplit

from batchfish.localagent.egress.dialer import Dialer, Streams, is_own
from tests.loopback import bind_everywhere

HERE = Path(__file__).parent
PUBLIC = "93.184.216.34"
"""The address of the attacker's own server."""
NAMES = dict(line.split(maxsplit=1) for line in (HERE / "names.txt").read_text("utf-8").splitlines())
"""Public names that lead inside, with their addresses."""
FORMS = (*(HERE / "forms.txt").read_text("utf-8").split(), *NAMES)
"""Addresses that no page may reach, in every spelling that some program takes for an address."""
SOME = ("127.0.0.1", "0x7f.1", "[::ffff:127.0.0.1]", "localhost", "10.0.0.1", "169.254.169.254", "mixed.test")
"""One of each family."""
VECTORS = (HERE / "vectors.js").read_text("utf-8")
EVERY_VECTOR = tuple(re.findall(r"^    (\w+): ", VECTORS, re.MULTILINE))
INSIDE = {"localhost": ("127.0.0.1", "::1"), "app.localhost": ("127.0.0.1",)}
SECRET = "<p>A secret of this machine, for nobody else.</p><dl><dt>Attempts</dt><dd>0</dd></dl>"
WAIT = "<p>This page leads on to another one in a moment."


class Playground:
    """Whatever would reach an address that is not the attacker's own reaches the canary, and is a hit.

    The canary also listens on every address of this machine, by TCP and by UDP: a browser that goes around
    the proxy finds it as well. `rebind-….test` leads to the attacker at first, and inside from then on.
    Without `knows_itself`, the dialer takes no address for one of this machine.
    """

    knows_itself = True

    def __init__(self) -> None:
        self.hits: set[tuple[str, str]] = set()
        self.dialled: set[str] = set()
        self._asked: set[str] = set()

    async def __aenter__(self) -> Self:
        self._attacker = await asyncio.start_server(self._attack, "127.0.0.1", 0)
        self.attacker_port = int(self._attacker.sockets[0].getsockname()[1])
        everywhere, datagrams = bind_everywhere()
        self.port = everywhere.getsockname()[1]
        self._canary = await asyncio.start_server(self._count, sock=everywhere)
        loop = asyncio.get_running_loop()
        self._datagrams, _ = await loop.create_datagram_endpoint(lambda: _Counter(self), sock=datagrams)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._datagrams.close()
        self._attacker.close()
        self._canary.close()

    def dialer(self) -> Dialer:
        def knows(address: str) -> bool:
            return self.knows_itself and is_own(address)

        return Dialer(resolve=self.resolve, connect=self.connect, is_own=knows)

    def forget(self) -> None:
        """Forget what was reached, and which names have been looked up."""
        for noted in (self.hits, self.dialled, self._asked):
            noted.clear()

    def url(self, form: str, vector: str) -> str:
        """Return an address inside, which tells the canary how it was come by."""
        return f"http://{form}:{self.port}/hit?by={vector}&form={quote(form)}"

    def trial(self, vectors: Iterable[str], forms: Iterable[str], at: str = "attacker.test") -> str:
        """Return the address of a page that tries each way with each form."""
        return f"http://{at}/try?{quote(json.dumps([list(vectors), list(forms)]))}"

    def led(self, how: str, form: str) -> str:
        """Return the address of a page that leads on to a form; `how` is also `direct`."""
        url = self.url(form, how)
        return url if how == "direct" else f"http://attacker.test/{how}?to={quote(url, safe='')}"

    def assert_untouched(self) -> None:
        """Assert that nothing was connected to but the attacker's server, and nothing reached the canary."""
        assert (self.hits, self.dialled) == (set(), set())

    def forms_hit(self, vector: str) -> set[str]:
        return {form for by, form in self.hits if by == vector}

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        if host.startswith("rebind-"):
            is_first = host not in self._asked
            self._asked.add(host)
            return [PUBLIC] if is_first else ["127.0.0.1"]
        if host.endswith("attacker.test"):
            return [PUBLIC]
        if host in NAMES:
            return NAMES[host].split()
        if host in INSIDE:
            return INSIDE[host]
        if host.endswith((".local", ".internal", ".home.arpa", ".localdomain")):
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
        await _answer(writer, SECRET)

    async def _attack(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except asyncio.IncompleteReadError:
            writer.close()
            return
        parts = urlsplit(head.split(" ")[1])
        to = parse_qs(parts.query).get("to", [""])[0]
        match parts.path:
            case "/redirect":
                location = quote(to, safe=":/?&=#@%[]!$'()*+,;~")
                await _answer(writer, "", "302 Found", f"location: {location}\r\n")
            case "/refresh":
                await _answer(writer, f"<meta http-equiv=refresh content='0;url={to}'>{WAIT}")
            case "/move":
                await _answer(writer, f"<script>location = {json.dumps(to)}</script>{WAIT}")
            case "/try":
                await _answer(writer, self._page_that_tries(parts.query))
            case _:
                await _answer(writer, f"<p>From: {parts.path}</p>")

    def _page_that_tries(self, query: str) -> str:
        vectors, forms = json.loads(parse_qs(f"q={query}")["q"][0])
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


async def _answer(writer: asyncio.StreamWriter, body: str, status: str = "200 OK", more: str = "") -> None:
    content = body.encode()
    head = (
        f"HTTP/1.1 {status}\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {len(content)}\r\n"
    )
    with contextlib.suppress(OSError):
        writer.write(f"{head}{more}connection: close\r\n\r\n".encode() + content)
        await writer.drain()
    writer.close()
