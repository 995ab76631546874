"""One page fetched without a browser: which redirects are followed, how much is read, what is a page."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

import httpx

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from batchfish.localagent.egress.proxy import Egress, Ticket

USER_AGENT = "Mozilla/5.0 (compatible; batchfish-local-agent)"
MOST_REDIRECTS = 10
LARGEST_PAGE = 8 * 1024 * 1024
TIME_LIMIT = 20.0
READABLE = ("text/html", "application/xhtml+xml")
SCHEMES = frozenset(["http", "https"])


@dataclass(frozen=True, kw_only=True, slots=True)
class Loaded:
    """A page as it was fetched; `url` is where redirects led."""

    url: str
    content_type: str
    body: bytes


class LoadFailed(Exception):
    """A page that cannot be had; the text says why. `is_ours`: another attempt may do better."""

    def __init__(self, code: str, message: str, *, is_ours: bool = False) -> None:
        """Keep the code and whose fault it is."""
        super().__init__(message)
        self.code = code
        self.is_ours = is_ours


class Loader:
    """Fetches pages through the proxy, which decides what may be opened and serves the sample site."""

    def __init__(self, egress: Egress) -> None:
        self._egress = egress
        self._tls = httpx.create_ssl_context(trust_env=False)

    async def load(self, url: str) -> Loaded:
        """Fetch a page, following its redirects; LoadFailed where there is none to be had.

        Each page has a client of its own: cookies of one run are not another's.
        """
        try:
            async with asyncio.timeout(TIME_LIMIT), self._client() as (client, ticket):
                for _ in range(MOST_REDIRECTS + 1):
                    found = await _hop(client, ticket, url)
                    if isinstance(found, Loaded):
                        return found
                    url = found
        except TimeoutError:
            raise LoadFailed(
                "LOCAL_TIMEOUT", f"{url} did not answer within {TIME_LIMIT:.0f} s.", is_ours=True
            ) from None
        except (httpx.InvalidURL, ValueError) as odd:
            raise LoadFailed("LOCAL_ADDRESS_REFUSED", f"{url} is not opened: {odd}.") from odd
        except httpx.HTTPError as broken:
            raise LoadFailed(
                "LOCAL_UNREACHABLE",
                f"{url} cannot be reached: {str(broken) or type(broken).__name__}.",
                is_ours=True,
            ) from broken
        raise LoadFailed("LOCAL_REDIRECTS", f"{url}: more than {MOST_REDIRECTS} redirects.")

    @contextlib.asynccontextmanager
    async def _client(self) -> AsyncIterator[tuple[httpx.AsyncClient, Ticket]]:
        with self._egress.admit() as ticket:
            async with httpx.AsyncClient(
                proxy=httpx.Proxy(ticket.proxy, auth=(ticket.username, ticket.password)),
                verify=self._tls,
                timeout=TIME_LIMIT,
                trust_env=False,
                headers={"User-Agent": USER_AGENT, "Accept": "text/html,*/*;q=0.5"},
            ) as client:
                yield client, ticket


async def _hop(client: httpx.AsyncClient, ticket: Ticket, url: str) -> Loaded | str:
    """Fetch one address: a page, or the address it redirects to."""
    check_scheme(url)
    try:
        async with client.stream("GET", url) as answer:
            _check_refusals(ticket)
            if answer.has_redirect_location:
                return urljoin(url, answer.headers["location"])
            check_status(url, answer.status_code)
            kind = answer.headers.get("content-type", "text/html")
            check_kind(url, kind)
            body = bytearray()
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > LARGEST_PAGE:
                    raise LoadFailed("LOCAL_TOO_LARGE", f"{url} is larger than {LARGEST_PAGE // 2**20} MB.")
            return Loaded(url=url, content_type=kind, body=bytes(body))
    except httpx.HTTPError:
        _check_refusals(ticket)
        raise


def _check_refusals(ticket: Ticket) -> None:
    """Say why the proxy refused, which its answer alone cannot be believed to be."""
    for _, refused in ticket.refusals:
        raise LoadFailed(refused.code, str(refused), is_ours=refused.is_ours) from refused


def check_scheme(url: str) -> None:
    """Hold an address to be one of the web; LoadFailed for `file:`, `chrome:` and the like."""
    if urlsplit(url).scheme not in SCHEMES:
        raise LoadFailed("LOCAL_ADDRESS_REFUSED", f"{url}: only http and https are opened.")


def check_status(url: str, status: int) -> None:
    """Hold an answer to be a page; LoadFailed for 4xx and 5xx."""
    if status >= httpx.codes.BAD_REQUEST:
        raise LoadFailed(
            "LOCAL_HTTP_STATUS",
            f"{url} answered {status}.",
            is_ours=status >= httpx.codes.INTERNAL_SERVER_ERROR,
        )


def check_kind(url: str, content_type: str) -> None:
    """Hold an answer to be HTML; LoadFailed for images, archives and other files."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind not in READABLE:
        raise LoadFailed("LOCAL_NOT_HTML", f"{url} is {kind}, not a page.")
