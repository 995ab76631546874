"""One page fetched: which addresses may be opened, how far redirects are followed, how much is read."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

import httpx

if TYPE_CHECKING:
    from collections.abc import Collection

    from batchfish.localagent.site import SampleSite

USER_AGENT = "Mozilla/5.0 (compatible; batchfish-local-agent)"
MOST_REDIRECTS = 10
LARGEST_PAGE = 8 * 1024 * 1024
TIME_LIMIT = 20.0
READABLE = ("text/html", "application/xhtml+xml")


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
    """Fetches pages: the sample site's from its folder, others from the network, none from private addresses.

    `allowed` are the exact origins on private addresses that may be read.
    """

    def __init__(self, site: SampleSite | None, *, allowed: Collection[str] = ()) -> None:
        self._site = site
        self._allowed = frozenset(allowed)
        self._client = httpx.AsyncClient(
            timeout=TIME_LIMIT,
            trust_env=False,
            headers={"User-Agent": USER_AGENT, "Accept": "text/html,*/*;q=0.5"},
        )

    async def load(self, url: str) -> Loaded:
        """Fetch a page, following its redirects; LoadFailed where there is none to be had."""
        try:
            async with asyncio.timeout(TIME_LIMIT):
                for _ in range(MOST_REDIRECTS + 1):
                    found = await self._hop(url)
                    if isinstance(found, Loaded):
                        return found
                    url = found
        except TimeoutError:
            raise LoadFailed(
                "LOCAL_TIMEOUT", f"{url} did not answer within {TIME_LIMIT:.0f} s.", is_ours=True
            ) from None
        except httpx.HTTPError as broken:
            raise LoadFailed(
                "LOCAL_UNREACHABLE",
                f"{url} cannot be reached: {str(broken) or type(broken).__name__}.",
                is_ours=True,
            ) from broken
        raise LoadFailed("LOCAL_REDIRECTS", f"{url}: more than {MOST_REDIRECTS} redirects.")

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _hop(self, url: str) -> Loaded | str:
        """Fetch one address: a page, or the address it redirects to."""
        if urlsplit(url).scheme not in {"http", "https"}:
            raise LoadFailed("LOCAL_ADDRESS_REFUSED", f"{url}: only http and https are opened.")
        if self._site is not None and self._site.owns(url):
            return _from_site(self._site, url)
        await self._check_address(url)
        async with self._client.stream("GET", url) as answer:
            if answer.is_redirect:
                return urljoin(url, answer.headers["location"])
            _check_status(url, answer.status_code)
            kind = answer.headers.get("content-type", "text/html")
            _check_kind(url, kind)
            body = bytearray()
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > LARGEST_PAGE:
                    raise LoadFailed("LOCAL_TOO_LARGE", f"{url} is larger than {LARGEST_PAGE // 2**20} MB.")
            return Loaded(url=url, content_type=kind, body=bytes(body))

    async def _check_address(self, url: str) -> None:
        parts = urlsplit(url)
        if f"{parts.scheme}://{parts.netloc}" in self._allowed:
            return
        try:
            found = await asyncio.get_running_loop().getaddrinfo(
                parts.hostname, parts.port or 80, type=socket.SOCK_STREAM
            )
        except OSError:
            raise LoadFailed(
                "LOCAL_UNREACHABLE", f"{url}: there is no host {parts.hostname!r}.", is_ours=True
            ) from None
        addresses = {str(address[0]).partition("%")[0] for *_, address in found}
        if not all(ipaddress.ip_address(address).is_global for address in addresses):
            raise LoadFailed(
                "LOCAL_ADDRESS_REFUSED", f"{url} leads to a private address, which is not opened."
            )


def _from_site(site: SampleSite, url: str) -> Loaded:
    page = site.read(url)
    if page is None:
        raise LoadFailed("LOCAL_HTTP_STATUS", f"{url} answered 404.")
    _check_kind(url, page.content_type)
    return Loaded(url=url, content_type=page.content_type, body=page.body)


def _check_status(url: str, status: int) -> None:
    if status >= httpx.codes.BAD_REQUEST:
        raise LoadFailed(
            "LOCAL_HTTP_STATUS",
            f"{url} answered {status}.",
            is_ours=status >= httpx.codes.INTERNAL_SERVER_ERROR,
        )


def _check_kind(url: str, content_type: str) -> None:
    kind = content_type.partition(";")[0].strip().lower()
    if kind not in READABLE:
        raise LoadFailed("LOCAL_NOT_HTML", f"{url} is {kind}, not a page.")
