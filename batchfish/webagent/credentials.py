"""Checks of the API key and of the base URL that it is sent to."""

from __future__ import annotations

import hashlib
import hmac
import re
from urllib.parse import urlsplit

from batchfish.core.addresses import is_loopback
from batchfish.errors import WrongInput

_KEY_ID_BYTES = 8


def check_base_url(text: str) -> str:
    """Return the base URL without a trailing slash; WrongInput unless it is https, or http on loopback."""
    url = text.strip().rstrip("/")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise WrongInput(f"the base URL is not valid: {error}") from None
    if parts.scheme not in {"http", "https"} or not host:
        raise WrongInput(
            f"base URL {url!r} is not an address", remedy="Write it like https://agent.tinyfish.ai."
        )
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise WrongInput(
            "the base URL has a user name, a query or a fragment",
            remedy="Leave a host, a port and a path, nothing else.",
        )
    if parts.scheme == "http" and not is_loopback(url):
        raise WrongInput(f"base URL {url!r} would send the API key unencrypted", remedy="Use https://.")
    return url


def check_api_key(text: str) -> str:
    """Return the key without surrounding blanks; WrongInput, not quoting it, if it cannot be a header."""
    key = text.strip()
    if not key:
        raise WrongInput("the API key is empty", remedy="Set TINYFISH_API_KEY.")
    if re.fullmatch(r"[!-~]+", key) is None:
        raise WrongInput(
            "the API key holds blanks, line ends or characters that no key has", remedy="Copy it again."
        )
    return key


def digest_key(api_key: str, salt: bytes) -> str:
    """Return a truncated HMAC of the key, which tells keys apart and reveals none."""
    return hmac.new(salt, api_key.encode(), hashlib.sha256).digest()[:_KEY_ID_BYTES].hex()
