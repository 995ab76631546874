"""The request fields that the API accepts, and the checks made before anything is sent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from batchfish.core.describe import name_kind, quote
from batchfish.core.identity import MARKER_OPENING
from batchfish.core.schema import check_schema
from batchfish.manifest.problems import Refused
from batchfish.manifest.values import Fault, Table, one_of, parse_count, read_boolean, read_map, read_text

# The common form of a URL, tried first; any other is parsed.
_PLAIN_URL = re.compile(
    r"https?://[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,4})?(?:[/?#][!#-;=?-\[\]_a-z~]*)?"
)
_LOCAL_LISTENER = re.compile(r"http://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?(/|$)")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_HOST = re.compile(r"[^\s!-,/;-@\[-^`{-\x7f]+")
_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_API_KEY = re.compile(r"\bsk-(?:tinyfish|mino)-")
_DAY = 86_400
_KEY_HINT = "No secrets in a manifest: the key is read from TINYFISH_API_KEY."
SECRET_HINTS = dict.fromkeys(("api_key", "apikey", "key", "token", "TINYFISH_API_KEY"), _KEY_HINT)
"""Remedies for keys that a manifest must not contain."""

_HINTS = SECRET_HINTS | {
    "password": "No secrets in a manifest: `password_env` names the environment variable that holds it.",
    "vars": "Constants go under `vars` at the top, a row's own under the row's `vars`.",
    "feature_flags": "The API no longer has it.",
}


def read_url(value: object) -> str:
    """Return an absolute http or https URL with a host; raise Refused for anything else."""
    text = read_text(value)
    return text if is_plain_url(text) else _check_url(text, ("http", "https"))


def is_plain_url(text: str) -> bool:
    """Whether a text is certainly a valid URL without a template: a quick test that most rows pass."""
    return _PLAIN_URL.fullmatch(text) is not None and "sk-" not in text


def read_goal(value: object) -> str:
    """Return a goal without blanks around it.

    Raises Refused if it is empty, or contains a marker, which would bind its run to another item.
    """
    text = read_text(value).strip()
    if "[" in text and MARKER_OPENING in text.lower():
        raise Refused(
            f"the goal contains `{MARKER_OPENING}`, which marks the runs of batchfish", "Remove that line."
        )
    check_text(text)
    return text


def check_text(text: str) -> None:
    """Raise Refused for a text with an API key, a lone surrogate or a NUL in it."""
    if "sk-" in text and _API_KEY.search(text):
        raise Refused("it contains an API key", _KEY_HINT)  # the message does not repeat it
    if "\0" in text:
        raise Refused("it contains a NUL character", "Remove it.")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise Refused("it contains a lone surrogate, which is not UTF-8", "Remove it.") from None


def check_request(request: Mapping[str, Any]) -> list[Fault]:
    """Return everything that the API would refuse in an item's request fields other than url and goal."""
    faults: list[Fault] = []
    found = read_map(request, REQUEST_FIELDS, (), faults, _HINTS)
    if "output_schema" in request:
        faults += [
            Fault(
                keys=("output_schema", *problem.keys),
                message=f"output_schema: {problem.message} at {problem.path}.",
                remedy=problem.remedy,
            )
            for problem in check_schema(request["output_schema"])
        ]
    _check_pairs(request, faults)
    if isinstance(proxy := request.get("proxy_config"), Mapping):
        _check_proxy(proxy, found.get("proxy_config", {}), faults)
    return faults


def _check_pairs(request: Mapping[str, Any], faults: list[Fault]) -> None:
    for name, switch in (("credential_item_ids", "use_vault"), ("profile_id", "use_profile")):
        if name in request and request.get(switch) is not True:
            message = f"{name} has no effect without {switch}"
            faults.append(Fault(keys=(name,), message=message, remedy=f"Write `{switch}: true` beside it."))


def _check_proxy(proxy: Mapping[str, Any], found: Mapping[str, Any], faults: list[Fault]) -> None:
    if "enabled" not in proxy:
        message = "proxy_config has no `enabled`, which the API requires"
        faults.append(Fault(keys=("proxy_config",), message=message, remedy="Write `enabled: true` in it."))
    is_custom = proxy.get("type") == "custom"
    if is_custom and "url" not in proxy:
        message = "proxy_config of type custom has no url"
        faults.append(Fault(keys=("proxy_config",), message=message, remedy="Write the proxy's `url` in it."))
    for name in ("country_code",) if is_custom else ("url", "username", "password_env"):
        if name in found:
            kind = "tetra" if is_custom else "custom"
            faults.append(
                Fault(
                    keys=("proxy_config", name),
                    message=f"proxy_config.{name} belongs to a proxy of type {kind}",
                    remedy=f"Write `type: {kind}`, or leave {name} out.",
                )
            )


def _check_url(text: str, schemes: tuple[str, ...]) -> str:
    shown = quote(text)
    if any(letter.isspace() or not letter.isprintable() for letter in text):
        raise Refused(f"the URL {shown} contains spaces or control characters", "Write a space as %20.")
    if "\\" in text:
        raise Refused(f"the URL {shown} contains a backslash", "Write / instead.")
    if not _SCHEME.match(text):
        has_host = "." in text.partition("/")[0]
        remedy = (
            f"Did you mean {quote('https://' + text)}?" if has_host else "Write it whole: https://host/path."
        )
        raise Refused(f"the URL {shown} is not absolute", remedy)
    try:
        parts = urlsplit(text)
        host, port, user = parts.hostname, parts.port, parts.username
    except ValueError as error:
        raise Refused(f"{shown} is not a URL: {error}") from None
    if parts.scheme not in schemes:
        raise Refused(f"the URL {shown} is not {' or '.join(schemes)}", f"Begin it with {schemes[-1]}://.")
    if user is not None or "@" in parts.netloc:
        remedy = "Log in with use_vault or a profile; for a proxy there are username and password_env."
        raise Refused("a URL must not contain a user name or password", remedy)
    is_host = host is not None and (parts.netloc.startswith("[") or _HOST.fullmatch(host))
    if not is_host or port == 0:
        raise Refused(f"the URL {shown} has no valid host", "Write it as https://host/path.")
    check_text(text)
    return text


def read_webhook_url(value: object) -> str:
    """Return an https URL, or an http URL of this machine; raise Refused for anything else."""
    text = read_text(value)
    return _check_url(text, ("http", "https") if _LOCAL_LISTENER.match(text) else ("https",))


def _read_proxy_url(value: object) -> str:
    return _check_url(read_text(value), ("http", "https", "socks5"))


def _read_country(value: object) -> str:
    if isinstance(value, str) and re.fullmatch(r"[A-Z]{2}", value, re.ASCII):
        return value
    raise Refused(f"{quote(value)} is not a country code", "Write two capital letters, such as US, GB, DE.")


def read_variable_name(value: object) -> str:
    """Return the name of an environment variable; raise Refused, not quoting it, for anything else."""
    if isinstance(value, str) and _VARIABLE_NAME.fullmatch(value):
        return value
    # What is written here by mistake is probably the secret itself, so it is not shown.
    raise Refused(
        "expected the name of an environment variable", "Letters, digits and _ only, such as PROXY_PASSWORD."
    )


def _read_names(value: object) -> list[str]:
    if isinstance(value, list) and value and all(isinstance(entry, str) and entry.strip() for entry in value):
        return value
    raise Refused(f"expected a list of ids, at least one, got {name_kind(value)}")


def _read_map(value: object) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return value
    raise Refused(f"expected a map, got {name_kind(value)}")


REQUEST_FIELDS: Table = {
    "agent_config": {
        "cursor_style": one_of("fish", "standard", "green-pointer"),
        "max_duration_seconds": lambda value: parse_count(value, most=_DAY),
        "max_steps": lambda value: parse_count(value, most=500),
        "mode": one_of("default", "strict"),
    },
    "api_integration": read_text,
    "browser_profile": one_of("lite", "stealth"),
    "capture_config": {
        "elements": read_boolean,
        "html": read_boolean,
        "recording": read_boolean,
        "screenshots": read_boolean,
        "snapshots": read_boolean,
    },
    "credential_item_ids": _read_names,
    "output_schema": _read_map,
    "profile_id": read_text,
    "proxy_config": {
        "country_code": _read_country,
        "enabled": read_boolean,
        "password_env": read_variable_name,
        "type": one_of("tetra", "custom"),
        "url": _read_proxy_url,
        "username": read_text,
    },
    "use_profile": read_boolean,
    "use_vault": read_boolean,
    "webhook_url": read_webhook_url,
}
"""The request fields that a manifest may set apart from url and goal, under the API's names."""

TEXT_FIELDS = frozenset(
    {
        ("agent_config", "cursor_style"),
        ("agent_config", "mode"),
        ("api_integration",),
        ("browser_profile",),
        ("profile_id",),
        ("proxy_config", "country_code"),
        ("proxy_config", "password_env"),
        ("proxy_config", "type"),
        ("proxy_config", "url"),
        ("proxy_config", "username"),
        ("webhook_url",),
    }
)
"""The fields whose value is a text. Cells of all other fields are read as JSON."""
