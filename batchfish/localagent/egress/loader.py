"""Pages fetched without a browser: which redirects are followed, how much is read, what counts as a page."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

import httpx

from batchfish.localagent.egress.client import open_client

if TYPE_CHECKING:
    from batchfish.localagent.egress.proxy import Egress, Ticket

USER_AGENT = "Mozilla/5.0 (compatible; batchfish-local-agent)"
HEADERS = {"User-Agent": USER_AGENT, "Accept": "text/html,*/*;q=0.5"}
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
    """A page that could not be loaded; the text says why. `is_ours` is that of `Refused`."""

    def __init__(self, code: str, message: str, *, is_ours: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.is_ours = is_ours


class Loader:
    """Fetches pages through the egress, which decides what may be opened and serves the sample site."""

    def __init__(self, egress: Egress) -> None:
        self._egress = egress

    async def load(self, url: str) -> Loaded:
        """Fetch a page, following its redirects; LoadFailed if there is none.

        Each page has a client of its own: cookies of one run are not another's. Waiting for the host's turn
        does not count against TIME_LIMIT.
        """
        await self._egress.pace.turn(url)
        try:
            async with (
                asyncio.timeout(TIME_LIMIT),
                open_client(self._egress, headers=HEADERS, timeout=TIME_LIMIT) as (client, ticket),
            ):
                for _ in range(MOST_REDIRECTS + 1):
                    found = await _fetch(client, ticket, url)
                    if isinstance(found, Loaded):
                        return found
                    url = found
        except TimeoutError:
            raise LoadFailed(
                "LOCAL_TIMEOUT", f"{url} did not answer within {TIME_LIMIT:.0f} s.", is_ours=True
            ) from None
        except (httpx.InvalidURL, ValueError) as bad_url:
            raise LoadFailed("LOCAL_ADDRESS_REFUSED", f"{url} is not opened: {bad_url}.") from bad_url
        except httpx.HTTPError as broken:
            raise LoadFailed(
                "LOCAL_UNREACHABLE",
                f"{url} cannot be reached: {str(broken) or type(broken).__name__}.",
                is_ours=True,
            ) from broken
        raise LoadFailed("LOCAL_REDIRECTS", f"{url}: more than {MOST_REDIRECTS} redirects.")


async def _fetch(client: httpx.AsyncClient, ticket: Ticket, url: str) -> Loaded | str:
    """Fetch one URL; return the page, or the URL that it redirects to."""
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
    """Raise what the egress refused: its answer looks like any page's, only the ticket can be believed."""
    for _, refused in ticket.refusals:
        raise LoadFailed(refused.code, str(refused), is_ours=refused.is_ours) from refused


def check_scheme(url: str) -> None:
    """Raise LoadFailed unless a URL is http or https: not `file:`, `chrome:` or the like."""
    if urlsplit(url).scheme not in SCHEMES:
        raise LoadFailed("LOCAL_ADDRESS_REFUSED", f"{url}: only http and https are opened.")


def check_status(url: str, status: int) -> None:
    """Raise LoadFailed for 4xx and 5xx."""
    if status >= httpx.codes.BAD_REQUEST:
        raise LoadFailed(
            "LOCAL_HTTP_STATUS",
            f"{url} answered {status}.",
            is_ours=status >= httpx.codes.INTERNAL_SERVER_ERROR,
        )


def check_kind(url: str, content_type: str) -> None:
    """Raise LoadFailed unless an answer is HTML: not an image, an archive or another file."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind not in READABLE:
        raise LoadFailed("LOCAL_NOT_HTML", f"{url} is {kind}, not a page.")
