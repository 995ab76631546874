"""HTTP clients whose every request goes through the egress."""

from __future__ import annotations

import contextlib
from functools import cache
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Mapping

    from batchfish.localagent.egress.proxy import Egress, Ticket


@contextlib.asynccontextmanager
async def open_client(
    egress: Egress, *, headers: Mapping[str, str], timeout: float
) -> AsyncIterator[tuple[httpx.AsyncClient, Ticket]]:
    """Open a client with a ticket and cookies of its own.

    `timeout`, in seconds, is for each phase of a request. The environment is not consulted: no other proxy,
    no credentials of a `.netrc`.
    """
    with egress.admit() as ticket:
        async with httpx.AsyncClient(
            proxy=httpx.Proxy(ticket.proxy, auth=(ticket.username, ticket.password)),
            verify=_tls(),
            timeout=timeout,
            trust_env=False,
            headers=headers,
        ) as client:
            yield client, ticket


@cache
def _tls() -> ssl.SSLContext:
    """Load the certificates once: that takes as long as many requests."""
    return httpx.create_ssl_context(trust_env=False)
