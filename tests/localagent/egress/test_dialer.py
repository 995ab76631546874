"""Who is connected to: public addresses and exact origins, checked before, and no other."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest

from batchfish.errors import WrongInput
from batchfish.localagent.egress.addresses import Origin, parse_origin
from batchfish.localagent.egress.dialer import Dialer, Refused, is_own

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batchfish.localagent.egress.dialer import Streams

PUBLIC = "93.184.216.34"
LOCAL = "http://127.0.0.1:3000"


class Net:
    """A network that notes what is asked of it: names with their answers in turn, and connections."""

    def __init__(self, names: Mapping[str, Sequence[Sequence[str]]] | None = None) -> None:
        self._names = {name: list(answers) for name, answers in (names or {}).items()}
        self.connected: list[tuple[str, int]] = []

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        return self._names[host].pop(0)

    async def connect(self, address: str, port: int) -> Streams:
        self.connected.append((address, port))
        left, right = socket.socketpair()
        right.close()
        return await asyncio.open_connection(sock=left)

    def dialer(self, *allowed: str, own: Sequence[str] = ()) -> Dialer:
        origins = map(parse_origin, allowed)
        return Dialer(
            origins, resolve=self.resolve, connect=self.connect, is_own=lambda address: address in own
        )


async def dial(dialer: Dialer, origin: str) -> None:
    _, writer = await dialer.dial(parse_origin(origin))
    writer.close()
    await writer.wait_closed()


async def test_a_name_is_looked_up_once_and_what_was_checked_is_connected_to() -> None:
    net = Net({"rebinds.test": [[PUBLIC], ["127.0.0.1"]]})
    await dial(net.dialer(), "http://rebinds.test")
    assert net.connected == [(PUBLIC, 80)]


async def test_an_allowed_origin_is_exact() -> None:
    net = Net()
    dialer = net.dialer(LOCAL)
    await dial(dialer, LOCAL)
    for other in ("http://127.0.0.1:3001", "https://127.0.0.1:3000", "http://127.0.0.2:3000"):
        with pytest.raises(Refused):
            await dialer.dial(parse_origin(other))
    assert net.connected == [("127.0.0.1", 3000)]


async def test_an_address_of_this_machine_is_refused_though_it_is_public() -> None:
    net = Net({"self.test": [[PUBLIC]]})
    with pytest.raises(Refused, match="belongs to this machine"):
        await net.dialer(own=[PUBLIC]).dial(parse_origin("http://self.test"))
    assert net.connected == []


def test_this_machine_knows_its_own_addresses() -> None:
    assert is_own("127.0.0.1")
    assert not is_own(PUBLIC)
    assert not is_own("no address")


@pytest.mark.parametrize(
    "address",
    ["169.254.169.254", "169.254.170.2", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1"],
)
async def test_no_exception_opens_the_services_that_hand_out_credentials(address: str) -> None:
    net = Net({"cloud.test": [[address]]})
    with pytest.raises(Refused, match="hand out credentials"):
        await net.dialer("http://cloud.test").dial(parse_origin("http://cloud.test"))
    assert net.connected == []
    origin = Origin("http", address, 80)
    with pytest.raises(WrongInput, match="never opened"):
        parse_origin(str(origin))


async def test_ports_that_are_not_of_web_pages_are_refused() -> None:
    net = Net()
    with pytest.raises(Refused, match="not one of web pages"):
        await net.dialer().dial(parse_origin(f"http://{PUBLIC}:25"))
    await dial(net.dialer(), f"http://{PUBLIC}:8080")


async def test_the_next_address_is_tried_where_one_does_not_answer() -> None:
    net = Net({"two.test": [["93.184.216.34", "93.184.216.35"]]})
    connect = net.connect

    async def refuse_first(address: str, port: int) -> Streams:
        if address.endswith("34"):
            raise ConnectionRefusedError(111, "Connection refused")
        return await connect(address, port)

    dialer = Dialer(resolve=net.resolve, connect=refuse_first, is_own=lambda _: False)
    await dial(dialer, "http://two.test")
    assert net.connected == [("93.184.216.35", 80)]
