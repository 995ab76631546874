"""The connections to the API: few, verified, and fresh where a create is sent."""

from __future__ import annotations

import logging
import ssl
from typing import TYPE_CHECKING, NamedTuple

import httpx

from batchfish.webagent.request import is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_CONNECTIONS = 8
MAX_WATCHES = 100
CREATE_IDLE_SECONDS = 2.0
LOOK_IDLE_SECONDS = 4.0


class Connections(NamedTuple):
    """The clients of one API; `watches` is for creates whose answer takes as long as their run."""

    creates: httpx.AsyncClient
    looks: httpx.AsyncClient
    watches: httpx.AsyncClient


def open_clients(
    base_url: str, headers: Mapping[str, str], transport: httpx.AsyncBaseTransport | None
) -> Connections:
    """Open the clients of one API: none of them waits for another's connections.

    A create goes on a connection that is new or was idle for less than two seconds: one that the server has
    just closed would raise a doubt about a run that was never asked for.
    """
    on_loopback = is_loopback(base_url)
    tls = _make_tls_context(base_url, on_loopback=on_loopback) if transport is None else True

    def open_client(
        idle_seconds: float, most: int = MAX_CONNECTIONS, more_headers: Mapping[str, str] | None = None
    ) -> httpx.AsyncClient:
        own_headers = {"Accept": "application/json", "Accept-Encoding": "gzip"}
        return httpx.AsyncClient(
            base_url=base_url,
            headers={**own_headers, **headers, **(more_headers or {})},
            limits=httpx.Limits(
                max_connections=most,  # httpcore scans its whole pool on every request
                max_keepalive_connections=most,
                keepalive_expiry=idle_seconds,
            ),
            verify=tls,
            transport=transport,
            trust_env=not on_loopback,  # a loopback address means this machine, whatever HTTP_PROXY says
            follow_redirects=False,
        )

    return Connections(
        creates=open_client(CREATE_IDLE_SECONDS),
        looks=open_client(LOOK_IDLE_SECONDS, more_headers={"Cache-Control": "no-cache"}),
        watches=open_client(CREATE_IDLE_SECONDS, MAX_WATCHES),
    )


def _make_tls_context(base_url: str, *, on_loopback: bool) -> ssl.SSLContext:
    if base_url.startswith("http://"):  # never used; loading no certificates saves tens of milliseconds
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return httpx.create_ssl_context(trust_env=not on_loopback)


def keep_urls_out_of_logs() -> None:
    """Raise httpx's own logger above INFO, at which it logs every URL, unless debugging was asked for."""
    logger = logging.getLogger("httpx")
    if logger.level == logging.NOTSET and not logging.getLogger("batchfish").isEnabledFor(logging.DEBUG):
        logger.setLevel(logging.WARNING)
