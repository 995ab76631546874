"""A forward proxy in this process, which every connection of the engines and webhooks goes through."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import secrets
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import SplitResult, urlsplit, urlunsplit

import h11

from batchfish.localagent.egress.addresses import DEFAULT_PORTS, BadHost, Origin, plain_host
from batchfish.localagent.egress.dialer import Dialer, Refused
from batchfish.localagent.egress.pace import Pace
from batchfish.localagent.egress.peers import Peer, end_to_end, pass_body, relay
from batchfish.localagent.egress.sample_site import NO_SAMPLE_SITE, is_sample

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchfish.localagent.egress.sample_site import SampleSite

LOGGER = logging.getLogger(__name__)
HOST = "127.0.0.1"
HEAD_TIME = 15.0
MOST_BYTES = 128 * 1024 * 1024
SAFE = frozenset([b"GET", b"HEAD"])
TLS_HANDSHAKE = b"\x16"
UPGRADE = b"GET "
SWITCHED = 101
TEXT = (b"content-type", b"text/plain; charset=utf-8")
CHALLENGE = (b"proxy-authenticate", b'Basic realm="local agent"')


@dataclass(eq=False, kw_only=True, slots=True)
class Ticket:
    """One run's permission to use the proxy: credentials, bytes that it may still receive, refusals so far.

    `refusals` pairs what was asked for (a URL, or host:port for a tunnel) with why it was refused.
    """

    proxy: str
    username: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    password: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    bytes_left: int = MOST_BYTES
    refusals: list[tuple[str, Refused]] = field(default_factory=list)
    tasks: set[asyncio.Task[Any] | None] = field(default_factory=set, repr=False)

    def spend(self, count: int) -> None:
        """Count received bytes; Refused once there are more than MOST_BYTES."""
        self.bytes_left -= count
        if self.bytes_left < 0:
            raise Refused("LOCAL_TOO_LARGE", f"The run has received more than {MOST_BYTES >> 20} MB.")

    @contextlib.contextmanager
    def holding_this_task(self) -> Iterator[None]:
        """Cancel the current task when the ticket ends."""
        task = asyncio.current_task()
        self.tasks.add(task)
        try:
            yield
        finally:
            self.tasks.discard(task)


class Egress:
    """A forward proxy on a port of this machine, for the length of a block.

    It carries http and https, and WebSockets over both. The dialer decides who may be reached; the sample
    site is answered from its folder, without a connection. `pace` is what engines wait for before they open
    a page; by default they do not wait.
    """

    def __init__(self, dialer: Dialer, site: SampleSite | None = None, *, pace: Pace | None = None) -> None:
        self._dialer = dialer
        self._site = site
        self.pace = pace or Pace(0)
        self._tickets: dict[bytes, Ticket] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.url = ""

    async def __aenter__(self) -> Self:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._accept, HOST, 0)
        self.url = f"http://{HOST}:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop listening and close every connection."""
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @contextlib.contextmanager
    def admit(self) -> Iterator[Ticket]:
        """Return credentials that are valid for the block; its connections are closed at the end."""
        ticket = Ticket(proxy=self.url)
        self._tickets[_basic(ticket)] = ticket
        try:
            yield ticket
        finally:
            del self._tickets[_basic(ticket)]
            for task in filter(None, ticket.tasks):
                task.cancel()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(Peer((reader, writer), h11.SERVER)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: writer.close())  # also if it is cancelled before it has begun

    async def _serve(self, client: Peer) -> None:
        """Answer one request, then close the connection."""
        try:
            async with client:
                async with asyncio.timeout(HEAD_TIME):
                    request = await client.receive()
                if isinstance(request, h11.Request):
                    await self._answer(request, client)
        except (OSError, h11.ProtocolError) as broken:
            LOGGER.debug("a connection through the proxy broke: %s", broken)

    async def _answer(self, request: h11.Request, client: Peer) -> None:
        # A dict lookup by hash: its time reveals nothing about the valid credentials.
        ticket = self._tickets.get(dict(request.headers).get(b"proxy-authorization", b""))
        if ticket is None:
            await client.answer(407, [TEXT, CHALLENGE], b"This proxy serves the local agent alone.\n")
            return
        target = request.target.decode("ascii", "replace")
        with ticket.holding_this_task():
            try:
                if request.method == b"CONNECT":
                    await self._tunnel(target, client, ticket)
                else:
                    await self._forward(request, _split(target), client, ticket)
            except Refused as refused:
                ticket.refusals.append((target, refused))
                status = 502 if refused.is_ours else 403
                is_head = request.method == b"HEAD"
                await client.answer(status, [TEXT], f"{refused}\n".encode(), is_head=is_head)

    async def _forward(self, request: h11.Request, url: SplitResult, client: Peer, ticket: Ticket) -> None:
        if url.scheme != "http":
            raise Refused("LOCAL_ADDRESS_REFUSED", "Only http and https are opened.")
        origin = _origin(url)
        if is_sample(origin.host):
            if self._site is None:
                raise Refused("LOCAL_ADDRESS_REFUSED", f"{origin} is no real site, and {NO_SAMPLE_SITE}.")
            await _answer_from_site(self._site, request, url, client)
            return
        async with Peer(await self._dialer.dial(origin), h11.CLIENT) as server:
            await server.send(_to_origin(request, url, origin))
            await pass_body(client, server)
            await _pass_answer(server, client, ticket)

    async def _tunnel(self, target: str, client: Peer, ticket: Ticket) -> None:
        """Open a tunnel for TLS or for the upgrade to a WebSocket; refuse other protocols."""
        origin = _origin(_split(f"https://{target}"))
        if is_sample(origin.host):
            raise Refused("LOCAL_ADDRESS_REFUSED", f"{origin}: a sample site is served by http alone.")
        async with Peer(await self._dialer.dial(origin), h11.CLIENT) as server:
            await client.send(h11.Response(status_code=200, headers=[], reason=b"Connected"))
            first = client.unparsed() or await client.read()
            if not first.startswith((TLS_HANDSHAKE, UPGRADE[: len(first)])):
                raise Refused("LOCAL_ADDRESS_REFUSED", f"{origin}: only http and https are spoken.")
            await server.write(first)
            await relay(client, server, ticket.spend)


def _basic(ticket: Ticket) -> bytes:
    return b"Basic " + base64.b64encode(f"{ticket.username}:{ticket.password}".encode())


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(_bracketed(url))
    except ValueError as bad:
        raise Refused("LOCAL_ADDRESS_REFUSED", f"{url} is not opened: {bad}.") from None


def _origin(url: SplitResult) -> Origin:
    """Return the origin of a URL; Refused if its host is not in its usual spelling."""
    try:
        if "@" in url.netloc:
            raise BadHost("what stands before an @ hides the host")
        port = DEFAULT_PORTS[url.scheme] if url.port is None else url.port
        return Origin(url.scheme, plain_host(url.hostname or ""), port)
    except ValueError as bad:
        raise Refused("LOCAL_ADDRESS_REFUSED", f"{url.geturl()} is not opened: {bad}.") from None


def _bracketed(url: str) -> str:
    """Add the brackets around an IPv6 host that httpx omits in requests to a proxy."""
    scheme, _, rest = url.partition("://")
    netloc, slash, path = rest.partition("/")
    if netloc.count(":") <= 1 or "[" in netloc:
        return url
    host, _, port = netloc.rpartition(":")
    with contextlib.suppress(ValueError):
        host, port = str(IPv6Address(netloc)), ""
    return f"{scheme}://[{host}]{port and f':{port}'}{slash}{path}"


def _to_origin(request: h11.Request, url: SplitResult, origin: Origin) -> h11.Request:
    """Return the request for the origin server: with the path only, and without the proxy's headers."""
    host = str(origin).partition("://")[2].encode()
    headers = [(name, value) for name, value in end_to_end(request.headers) if name != b"host"]
    is_upgrade = (b"upgrade", b"websocket") in [(name, value.lower()) for name, value in request.headers]
    more = (
        [(b"connection", b"upgrade"), (b"upgrade", b"websocket")]
        if is_upgrade
        else [(b"connection", b"close")]
    )
    target = urlunsplit(("", "", url.path or "/", url.query, ""))
    return h11.Request(method=request.method, target=target, headers=[(b"host", host), *headers, *more])


async def _pass_answer(server: Peer, client: Peer, ticket: Ticket) -> None:
    """Forward an answer; after a switch of protocols, forward bytes both ways."""
    answer = await server.receive()
    while isinstance(answer, h11.InformationalResponse):
        if answer.status_code == SWITCHED:
            await client.send(answer)
            await client.write(server.unparsed())
            await server.write(client.unparsed())
            await relay(client, server, ticket.spend)
            return
        answer = await server.receive()
    if not isinstance(answer, h11.Response):
        raise Refused(
            "LOCAL_UNREACHABLE", "The server closed the connection without an answer.", is_ours=True
        )
    headers = [*end_to_end(answer.headers), (b"connection", b"close")]
    await client.send(h11.Response(status_code=answer.status_code, headers=headers, reason=answer.reason))
    await pass_body(server, client, ticket.spend)


async def _answer_from_site(site: SampleSite, request: h11.Request, url: SplitResult, client: Peer) -> None:
    if request.method not in SAFE:
        await client.answer(405, [TEXT, (b"allow", b"GET, HEAD")], b"The sample site is only read.\n")
        return
    page = site.read(url.geturl())
    is_head = request.method == b"HEAD"
    if page is None:
        await client.answer(404, [TEXT], b"The sample site has no such page.\n", is_head=is_head)
        return
    await client.answer(200, [(b"content-type", page.content_type.encode())], page.body, is_head=is_head)
