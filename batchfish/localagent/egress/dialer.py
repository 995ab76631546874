"""Connections to origins: a name is resolved once, every address is checked, and a checked one is used."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, TypeAlias

from batchfish.localagent.egress.addresses import (
    Origin,
    is_address,
    is_local_name,
    is_metadata,
    why_refused,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

Streams: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]

RESOLVE_TIME = 10.0
CONNECT_TIME = 10.0
WEB_PORTS = frozenset([80, 443])
UNPRIVILEGED = 1024


class Refused(Exception):
    """A request that the egress did not carry out; the text says why.

    `is_ours` means that the cause is on our side of the wire (the network, not the page): another attempt may
    succeed.
    """

    def __init__(self, code: str, message: str, *, is_ours: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.is_ours = is_ours


async def resolve(host: str, port: int) -> Sequence[str]:
    """Return the IP addresses that the system's resolver has for a name."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


async def connect(address: str, port: int) -> Streams:
    """Connect to an IP address."""
    return await asyncio.open_connection(address, port)


def is_own(address: str) -> bool:
    """Whether an IP address belongs to this machine; even a public one is not behind a firewall from here."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((address, 9))  # a datagram socket: this sends nothing, it only selects the route
        return str(probe.getsockname()[0]) == address
    return False


class Dialer:
    """Connects to public addresses, and to the exact origins in `allowed`.

    It connects to the address that it checked; the name is not resolved a second time, when it could lead
    elsewhere.
    """

    def __init__(
        self,
        allowed: Iterable[Origin] = (),
        *,
        resolve: Callable[[str, int], Awaitable[Sequence[str]]] = resolve,
        connect: Callable[[str, int], Awaitable[Streams]] = connect,
        is_own: Callable[[str], bool] = is_own,
    ) -> None:
        self._allowed = frozenset(allowed)
        self._resolve = resolve
        self._connect = connect
        self._is_own = is_own

    async def dial(self, origin: Origin) -> Streams:
        """Connect to an origin; Refused if that is not allowed or fails."""
        broken: OSError | None = None
        for address in await self._addresses(origin):
            try:
                async with asyncio.timeout(CONNECT_TIME):
                    return await self._connect(address, origin.port)
            except OSError as failed:
                broken = failed
        why = (broken and broken.strerror) or "no answer"
        raise Refused("LOCAL_UNREACHABLE", f"{origin} cannot be reached: {why}.", is_ours=True)

    async def _addresses(self, origin: Origin) -> Sequence[str]:
        """Return the addresses of an origin; Refused if any of them may not be connected to."""
        is_allowed = origin in self._allowed
        if not is_allowed and is_local_name(origin.host):
            raise _private(origin, f"{origin.host} is a name of this machine or its own network")
        if not is_allowed and origin.port < UNPRIVILEGED and origin.port not in WEB_PORTS:
            raise Refused("LOCAL_ADDRESS_REFUSED", f"{origin}: port {origin.port} is not one of web pages.")
        found = [origin.host] if is_address(origin.host) else await self._lookup(origin)
        for address in found:
            what = "this machine" if self._is_own(address) else why_refused(address)
            leads = origin.host if address == origin.host else f"{origin.host} leads to {address}, which"
            if is_metadata(address):
                message = f"{leads} is where clouds hand out credentials: it is never opened."
                raise Refused("LOCAL_ADDRESS_REFUSED", message)
            if what is not None and not is_allowed:
                raise _private(origin, f"{leads} belongs to {what}")
        return found

    async def _lookup(self, origin: Origin) -> Sequence[str]:
        try:
            async with asyncio.timeout(RESOLVE_TIME):
                found = await self._resolve(origin.host, origin.port)
        except OSError:
            found = ()
        if not found:
            raise Refused("LOCAL_UNREACHABLE", f"There is no host {origin.host!r}.", is_ours=True)
        return found


def _private(origin: Origin, why: str) -> Refused:
    return Refused(
        "LOCAL_ADDRESS_REFUSED",
        f"{why}: it is not opened. If it is yours, allow it: --allow-origin {origin}",
    )
