"""Who is connected to and how often, who may use the proxy, and what it forwards."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import httpx
import pytest

from batchfish.errors import WrongInput
from batchfish.localagent.egress.addresses import Origin, parse_origin
from batchfish.localagent.egress.dialer import Dialer, Refused, Streams, is_own
from batchfish.localagent.egress.pace import Pace
from batchfish.localagent.egress.proxy import Egress, Ticket
from batchfish.localagent.egress.sample_site import SampleSite
from tests.localagent.doubles import OK, Listener

PUBLIC = "93.184.216.34"
LOCAL = "http://127.0.0.1:3000"
CREDENTIALS = (
    *("169.254.169.254", "169.254.170.2", "::ffff:169.254.169.254"),
    *("64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1"),
)


class Net:
    """A network in which every name has these answers in turn, and connections are noted.

    The addresses in `dead` do not answer.
    """

    def __init__(self, *answers: Sequence[str], dead: Sequence[str] = ()) -> None:
        self._answers = list(answers)
        self._dead = dead
        self.connected: list[tuple[str, int]] = []

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        return self._answers.pop(0)

    async def connect(self, address: str, port: int) -> Streams:
        if address in self._dead:
            raise ConnectionRefusedError(111, "Connection refused")
        self.connected.append((address, port))
        left, right = socket.socketpair()
        right.close()
        return await asyncio.open_connection(sock=left)

    async def dial(self, origin: str, *allowed: str, own: Sequence[str] = ()) -> None:
        dialer = Dialer(
            map(parse_origin, allowed), resolve=self.resolve, connect=self.connect, is_own=own.__contains__
        )
        _, writer = await dialer.dial(parse_origin(origin))
        writer.close()
        await writer.wait_closed()


async def test_a_name_is_looked_up_once_and_what_was_checked_is_connected_to() -> None:
    rebinds = Net([PUBLIC], ["127.0.0.1"])
    await rebinds.dial("http://rebinds.test")
    assert rebinds.connected == [(PUBLIC, 80)]
    two = Net(["93.184.216.35", PUBLIC], dead=["93.184.216.35"])
    await two.dial("http://two.test")
    assert two.connected == [(PUBLIC, 80)]


async def test_an_allowed_origin_is_exact() -> None:
    net = Net()
    await net.dial(LOCAL, LOCAL)
    for other in ("http://127.0.0.1:3001", "https://127.0.0.1:3000", "http://127.0.0.2:3000"):
        with pytest.raises(Refused):
            await net.dial(other, LOCAL)
    assert net.connected == [("127.0.0.1", 3000)]


async def test_this_machine_and_ports_that_are_not_of_web_pages_are_refused() -> None:
    net = Net([PUBLIC])
    with pytest.raises(Refused, match="belongs to this machine"):
        await net.dial("http://self.test", own=[PUBLIC])
    with pytest.raises(Refused, match="not one of web pages"):
        await net.dial(f"http://{PUBLIC}:25")
    await net.dial(f"http://{PUBLIC}:8080")
    assert net.connected == [(PUBLIC, 8080)]
    assert [is_own(address) for address in ("127.0.0.1", PUBLIC, "no address")] == [True, False, False]


@pytest.mark.parametrize("address", CREDENTIALS)
async def test_no_exception_opens_the_services_that_hand_out_credentials(address: str) -> None:
    net = Net([address])
    with pytest.raises(Refused, match="hand out credentials"):
        await net.dial("http://cloud.test", "http://cloud.test")
    assert net.connected == []
    with pytest.raises(WrongInput, match="never opened"):
        parse_origin(str(Origin("http", address, 80)))


class Watch:
    """A clock that goes on by waiting, and the waits that were asked for."""

    def __init__(self) -> None:
        self.now = 100.0
        self.waits: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    def pace(self, interval: float = 1.0, *allowed: str) -> Pace:
        return Pace(interval, map(parse_origin, allowed), clock=lambda: self.now, sleep=self.sleep)


async def test_pages_of_one_host_are_apart_and_hosts_do_not_wait_for_each_other() -> None:
    watch = Watch()
    pace = watch.pace(2.0)
    for url in ("http://a.test/1", "https://a.test:8443/2", "http://A.TEST./3", "http://b.test/1"):
        await pace.turn(url)
    for passed in (1.5, 60):  # what has passed is not waited for again
        watch.now += passed
        await pace.turn("http://a.test/")
    assert watch.waits == [2.0, 2.0, 0.5]


async def test_the_sample_site_allowed_origins_and_what_is_no_page_are_not_slowed_down() -> None:
    watch = Watch()
    pace, none = watch.pace(1.0, LOCAL, "http://local.test"), watch.pace(0)
    for url in ("http://shop.example/", f"{LOCAL}/x", "http://local.test/", "http://[", "file:///x") * 2:
        await pace.turn(url)
        await none.turn("http://a.test/")
    assert watch.waits == []


@contextlib.asynccontextmanager
async def ticket_to(
    *origins: str, dialer: Dialer | None = None, site: Path | None = None
) -> AsyncIterator[Ticket]:
    """Run a proxy, and yield what admits a run to it."""
    allowed = Dialer(map(parse_origin, origins))
    async with Egress(dialer or allowed, None if site is None else SampleSite(site)) as egress:
        with egress.admit() as ticket:
            yield ticket


def client(ticket: Ticket) -> httpx.AsyncClient:
    proxy = httpx.Proxy(ticket.proxy, auth=(ticket.username, ticket.password))
    return httpx.AsyncClient(proxy=proxy, trust_env=False)


async def speak(ticket: Ticket, asked: str, more: bytes = b"") -> bytes:
    """Send a request line and headers as they stand, with the ticket, and return all that comes back."""
    token = httpx.BasicAuth(ticket.username, ticket.password)
    secret = next(token.auth_flow(httpx.Request("GET", "http://a"))).headers["authorization"]
    reader, writer = await asyncio.open_connection(*ticket.proxy.removeprefix("http://").split(":"))
    writer.write(f"{asked} HTTP/1.1\r\nhost: x\r\nproxy-authorization: {secret}\r\n\r\n".encode() + more)
    answer = await reader.read()
    writer.close()
    return answer


def refusal(ticket: Ticket) -> Refused:
    ((_, refused),) = ticket.refusals
    return refused


async def test_a_page_is_passed_on_without_the_proxys_own_headers() -> None:
    async with Listener(OK) as server, ticket_to(server.origin) as ticket, client(ticket) as browser:
        answer = await browser.get(f"{server.origin}/a?b=c", headers={"X-Kept": "1"})
    assert (answer.status_code, answer.text, answer.headers["set-cookie"]) == (200, "ok", "a=b")
    (heard,) = server.heads
    assert heard.startswith(b"GET /a?b=c HTTP/1.1\r\n")
    assert b"x-kept: 1" in heard.lower()
    assert b"proxy-" not in heard.lower()


async def test_nobody_uses_it_without_a_ticket_or_with_one_that_has_ended() -> None:
    async with Listener(OK) as server, Egress(Dialer([parse_origin(server.origin)])) as egress:
        with egress.admit() as ended:
            pass
        for user in (client(ended), httpx.AsyncClient(proxy=egress.url, trust_env=False)):
            async with user:
                assert (await user.get(server.origin)).status_code == 407
    assert not server.is_connected_to.is_set()


async def test_the_end_of_a_run_ends_its_connections_also_those_being_made() -> None:
    dialling, dialled = asyncio.Event(), asyncio.Event()

    async def connect(address: str, port: int) -> Streams:
        dialling.set()
        try:
            await asyncio.Event().wait()
        finally:
            dialled.set()
        raise AssertionError

    async with Egress(Dialer([parse_origin(LOCAL)], connect=connect)) as egress:
        with egress.admit() as ticket:
            asking = asyncio.create_task(speak(ticket, f"GET {LOCAL}/"))
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
    async with ticket_to(LOCAL) as ticket:
        assert (await speak(ticket, f"GET {target}")).startswith(b"HTTP/1.1 403 ")
        ((asked, refused),) = ticket.refusals
    assert (asked, refused.code) == (target, "LOCAL_ADDRESS_REFUSED")


async def test_a_tunnel_carries_no_protocol_but_those_of_the_web() -> None:
    async with Listener(OK) as server:
        secure = server.origin.replace("http", "https")
        for spoken, is_let_through in ((b"EHLO mail\r\n\r\n", False), (b"GET / HTTP/1.1\r\n\r\n", True)):
            async with ticket_to(secure) as ticket:
                answer = await speak(ticket, f"CONNECT {secure.removeprefix('https://')}", spoken)
            assert answer.startswith(b"HTTP/1.1 200 ")
            assert (b"ok" in answer.partition(b"\r\n\r\n")[2]) is is_let_through
    assert b"EHLO mail" not in b"".join(server.heads)


async def test_a_run_may_receive_its_share_and_no_more() -> None:
    large = b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n" + b"x" * 1000
    async with Listener(large) as server, ticket_to(server.origin) as ticket:
        ticket.bytes_left = 1500
        for _ in range(2):
            await speak(ticket, f"GET {server.origin}/")
        assert refusal(ticket).code == "LOCAL_TOO_LARGE"


async def test_the_sample_site_is_read_and_never_written(tmp_path: Path) -> None:
    (tmp_path / "shop.example").mkdir()
    (tmp_path / "shop.example" / "index.html").write_text("<p>hello</p>")
    (tmp_path / "secret.txt").write_text("secret")
    async with ticket_to(site=tmp_path) as ticket:
        async with client(ticket) as browser:
            assert (await browser.get("http://shop.example/")).text == "<p>hello</p>"
            assert (await browser.head("http://shop.example/")).status_code == 200
            assert (await browser.post("http://shop.example/")).status_code == 405
        for path in ("../secret.txt", "%2e%2e/secret.txt", "..%2fsecret.txt", "%00", "no"):
            assert (await speak(ticket, f"GET http://shop.example/{path}")).startswith(b"HTTP/1.1 404 ")
        assert (await speak(ticket, "CONNECT shop.example:443")).startswith(b"HTTP/1.1 403 ")


async def test_a_refusal_says_whether_another_attempt_would_do_better() -> None:
    """Where there is no sample site it would not; a name that leads nowhere is the network's fault."""

    async def nothing(host: str, port: int) -> Sequence[str]:
        raise OSError

    async with ticket_to() as ticket:
        assert (await speak(ticket, "GET http://shop.example/")).startswith(b"HTTP/1.1 403 ")
        assert not refusal(ticket).is_ours
        assert "--site FOLDER" in str(refusal(ticket))
    async with ticket_to(dialer=Dialer(resolve=nothing)) as ticket:
        assert (await speak(ticket, "GET http://nowhere.test/")).startswith(b"HTTP/1.1 502 ")
        assert refusal(ticket).is_ours
