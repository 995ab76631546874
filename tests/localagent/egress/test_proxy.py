"""The proxy: who may use it, what it forwards, and that nothing outlives its run."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx
import pytest

from batchfish.localagent.egress.addresses import parse_origin
from batchfish.localagent.egress.dialer import Dialer, Refused
from batchfish.localagent.egress.proxy import Egress, Ticket
from batchfish.localagent.egress.sample_site import SampleSite
from tests.localagent.listeners import OK, Listener

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from batchfish.localagent.egress.dialer import Streams


def egress_to(*origins: str, site: SampleSite | None = None) -> Egress:
    return Egress(Dialer(map(parse_origin, origins)), site)


def client(ticket: Ticket) -> httpx.AsyncClient:
    proxy = httpx.Proxy(ticket.proxy, auth=(ticket.username, ticket.password))
    return httpx.AsyncClient(proxy=proxy, trust_env=False)


async def speak(ticket: Ticket, head: str, more: bytes = b"") -> bytes:
    """Send a request line and headers as they stand, with the ticket, and give all that comes back."""
    token = httpx.BasicAuth(ticket.username, ticket.password)
    request = next(token.auth_flow(httpx.Request("GET", "http://a")))
    reader, writer = await asyncio.open_connection(*ticket.proxy.removeprefix("http://").split(":"))
    secret = request.headers["authorization"]
    writer.write(f"{head}\r\nhost: x\r\nproxy-authorization: {secret}\r\n\r\n".encode() + more)
    answer = await reader.read()
    writer.close()
    return answer


async def test_a_page_is_passed_on_without_the_proxys_own_headers() -> None:
    async with Listener(OK) as server, egress_to(server.origin) as egress:
        with egress.admit() as ticket:
            async with client(ticket) as browser:
                answer = await browser.get(f"{server.origin}/a?b=c", headers={"X-Kept": "1"})
    assert (answer.status_code, answer.text, answer.headers["set-cookie"]) == (200, "ok", "a=b")
    (heard,) = server.heads
    assert heard.startswith(b"GET /a?b=c HTTP/1.1\r\n")
    assert b"x-kept: 1" in heard.lower()
    assert b"proxy-" not in heard.lower()


async def test_nobody_uses_it_without_a_ticket_or_with_one_that_has_ended() -> None:
    async with Listener(OK) as server, egress_to(server.origin) as egress:
        with egress.admit() as ticket:
            pass
        async with client(ticket) as late:
            assert (await late.get(server.origin)).status_code == 407
        async with httpx.AsyncClient(proxy=egress.url, trust_env=False) as stranger:
            assert (await stranger.get(server.origin)).status_code == 407
    assert not server.is_connected_to.is_set()


async def test_the_end_of_a_run_ends_its_connections_also_those_being_made() -> None:
    dialling, dialled = asyncio.Event(), asyncio.Event()

    async def connect(address: str, port: int) -> Streams:
        dialling.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            dialled.set()
            raise
        raise AssertionError

    dialer = Dialer([parse_origin("http://127.0.0.1:3000")], connect=connect)
    async with Egress(dialer) as egress:
        with egress.admit() as ticket:
            asking = asyncio.create_task(speak(ticket, "GET http://127.0.0.1:3000/ HTTP/1.1"))
            await dialling.wait()
        await asyncio.wait_for(dialled.wait(), 5)
        await asyncio.wait([asking])
        assert asking.exception() is not None or asking.result() == b""


ODD_TARGETS = (
    *("ftp://a.test/", "file:///etc/passwd", "/etc/passwd", "http://[::1/", "http://a.test:port/"),
    *("http://user@127.0.0.1:3000/", "http://a.test@127.0.0.1:3000/", "http://127.0.0.1:3000@a.test/"),
    *("http://0x7f.1:3000/", "http://127.1:3000/", "http://a.test:0/", "http:///x", "*"),
)


@pytest.mark.parametrize("target", ODD_TARGETS)
async def test_addresses_of_odd_form_are_refused_in_words(target: str) -> None:
    async with egress_to("http://127.0.0.1:3000") as egress:
        with egress.admit() as ticket:
            answer = await speak(ticket, f"GET {target} HTTP/1.1")
        assert answer.startswith(b"HTTP/1.1 403 ")
        ((asked, refused),) = ticket.refusals
    assert asked == target
    assert refused.code == "LOCAL_ADDRESS_REFUSED"


async def test_a_tunnel_carries_no_protocol_but_those_of_the_web() -> None:
    async with Listener(OK) as server:
        secure = server.origin.replace("http", "https")
        async with egress_to(secure) as egress:
            for spoken, is_let_through in ((b"EHLO mail\r\n\r\n", False), (b"GET / HTTP/1.1\r\n\r\n", True)):
                with egress.admit() as ticket:
                    target = secure.removeprefix("https://")
                    answer = await speak(ticket, f"CONNECT {target} HTTP/1.1", spoken)
                assert answer.startswith(b"HTTP/1.1 200 ")
                assert (b"ok" in answer.partition(b"\r\n\r\n")[2]) is is_let_through
    assert b"EHLO mail" not in b"".join(server.heads)


async def test_a_run_may_receive_its_share_and_no_more() -> None:
    large = b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n" + b"x" * 1000
    async with Listener(large) as server, egress_to(server.origin) as egress:
        with egress.admit() as ticket:
            ticket.bytes_left = 1500
            await speak(ticket, f"GET {server.origin}/ HTTP/1.1")
            await speak(ticket, f"GET {server.origin}/ HTTP/1.1")
    ((_, refused),) = ticket.refusals
    assert refused.code == "LOCAL_TOO_LARGE"


async def test_the_sample_site_is_read_and_never_written(tmp_path: Path) -> None:
    (tmp_path / "shop.example").mkdir()
    (tmp_path / "shop.example" / "index.html").write_text("<p>hello</p>")
    (tmp_path / "secret.txt").write_text("secret")
    async with egress_to(site=SampleSite(tmp_path)) as egress:
        with egress.admit() as ticket:
            async with client(ticket) as browser:
                assert (await browser.get("http://shop.example/")).text == "<p>hello</p>"
                assert (await browser.head("http://shop.example/")).status_code == 200
                assert (await browser.post("http://shop.example/")).status_code == 405
            for path in ("../secret.txt", "%2e%2e/secret.txt", "..%2fsecret.txt", "%00", "no"):
                answer = await speak(ticket, f"GET http://shop.example/{path} HTTP/1.1")
                assert answer.startswith(b"HTTP/1.1 404 ")
            answer = await speak(ticket, "CONNECT shop.example:443 HTTP/1.1")
            assert answer.startswith(b"HTTP/1.1 403 ")


async def test_where_there_is_no_sample_site_its_names_are_refused_with_a_remedy() -> None:
    async with egress_to() as egress:
        with egress.admit() as ticket:
            assert (await speak(ticket, "GET http://shop.example/ HTTP/1.1")).startswith(b"HTTP/1.1 403 ")
    ((_, refused),) = ticket.refusals
    assert not refused.is_ours  # another attempt would do no better
    assert "--site FOLDER" in str(refused)


async def test_a_name_that_leads_nowhere_is_the_networks_fault() -> None:
    async def nothing(host: str, port: int) -> Sequence[str]:
        raise OSError

    async with Egress(Dialer(resolve=nothing)) as egress:
        with egress.admit() as ticket:
            assert (await speak(ticket, "GET http://nowhere.test/ HTTP/1.1")).startswith(b"HTTP/1.1 502 ")
    ((_, refused),) = ticket.refusals
    assert isinstance(refused, Refused)
    assert refused.is_ours
