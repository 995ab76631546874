"""What goes out: checks of the base URL and the API key, and the body of a create."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from batchfish.errors import WrongInput
from batchfish.webagent.base import PreparedCreate
from batchfish.webagent.wire import REQUEST_FIELDS

API_INTEGRATION = "batchfish"
_KEY_ID_BYTES = 8


def check_base_url(text: str) -> str:
    """Return the base URL without a trailing slash; WrongInput unless it is https, or http on loopback."""
    url = text.strip().rstrip("/")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise WrongInput(f"the base URL cannot be read: {error}") from None
    if parts.scheme not in {"http", "https"} or not host:
        raise WrongInput(f"base URL {url!r} is not an address such as https://agent.tinyfish.ai")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise WrongInput("the base URL may hold a host, a port and a path, nothing else")
    if parts.scheme == "http" and not is_loopback(url):
        raise WrongInput(f"base URL {url!r} would send the API key in the clear: use https://")
    return url


def is_loopback(base_url: str) -> bool:
    """Whether the address means this machine."""
    host = (urlsplit(base_url).hostname or "").rstrip(".")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_api_key(text: str) -> str:
    """Return the key without surrounding blanks; WrongInput, not quoting it, if it cannot be a header."""
    key = text.strip()
    if not key:
        raise WrongInput("the API key is empty: set TINYFISH_API_KEY")
    if re.fullmatch(r"[!-~]+", key) is None:
        raise WrongInput("the API key holds blanks, line ends or characters that no key has: copy it again")
    return key


def key_digest(api_key: str, salt: bytes) -> str:
    """Tell keys apart without giving one away: a truncated HMAC under the journal's salt."""
    return hmac.new(salt, api_key.encode(), hashlib.sha256).digest()[:_KEY_ID_BYTES].hex()


def build_create(
    url: str, goal: str, request: Mapping[str, Any], secrets: Mapping[str, str]
) -> PreparedCreate:
    """Build the body of a create; its digest leaves the proxy's password out, so that no journal can leak it.

    `proxy_config.password_env` names a variable; its value is looked up in `secrets`.
    """
    asked = {"api_integration": API_INTEGRATION, **request, "url": url, "goal": goal}
    if unknown := sorted(set(asked) - set(REQUEST_FIELDS)):
        raise WrongInput(f"the API knows no request member {unknown[0]!r}")
    open_body = {name: asked[name] for name in REQUEST_FIELDS if asked.get(name) is not None}
    body = open_body
    proxy = open_body.get("proxy_config")
    if isinstance(proxy, Mapping):
        shown = {k: v for k, v in proxy.items() if k not in {"password", "password_env"} and v is not None}
        password = _find_password(proxy, secrets)
        open_body = {**open_body, "proxy_config": shown}
        body = {**body, "proxy_config": shown if password is None else {**shown, "password": password}}
    try:
        encoded, shown_bytes = msgspec.json.encode(body), msgspec.json.encode(open_body)
    except (TypeError, ValueError, RecursionError) as error:
        raise WrongInput(f"the request for {url[:200]!r} cannot be written as JSON: {error}") from None
    return PreparedCreate(body=encoded, sha256=hashlib.sha256(shown_bytes).hexdigest())


def _find_password(proxy: Mapping[str, Any], secrets: Mapping[str, str]) -> str | None:
    name = proxy.get("password_env")
    if name is None:
        password = proxy.get("password")
        return None if password is None else str(password)
    if secrets.get(str(name)):
        return secrets[str(name)]
    raise WrongInput(f"proxy_config.password_env: the environment variable {name} is not set")
