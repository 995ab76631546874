"""The rules for IP addresses and host names that may be connected to, and the spelling of origins."""

from __future__ import annotations

import contextlib
import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from batchfish.errors import WrongInput

# `ipaddress.is_global` is no guard: it holds for NAT64, 6to4, multicast and fec0::/10, which may lead inside.
REFUSED_4 = {
    "0.0.0.0/8": "this machine",
    "10.0.0.0/8": "a private network",
    "100.64.0.0/10": "a provider's inner network",
    "127.0.0.0/8": "this machine",
    "168.63.129.16/32": "a cloud's own service",
    "169.254.0.0/16": "the local link, where clouds keep their metadata",
    "172.16.0.0/12": "a private network",
    "192.0.0.0/24": "protocol assignments",
    "192.0.2.0/24": "documentation",
    "192.88.99.0/24": "6to4 relays",
    "192.168.0.0/16": "a private network",
    "198.18.0.0/15": "benchmarks",
    "198.51.100.0/24": "documentation",
    "203.0.113.0/24": "documentation",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved",
}
# Nothing outside 2000::/3 is public: ::1, fc00::/7, fe80::/10, fec0::/10, ff00::/8, and the blocks that carry
# IPv4 addresses (::/96, ::ffff:0:0/96, 64:ff9b::/96, 64:ff9b:1::/48).
PUBLIC_6 = "2000::/3"
REFUSED_6 = {
    "2001::/23": "protocol assignments, Teredo among them",
    "2001:db8::/32": "documentation",
    "2002::/16": "6to4, which carries IPv4 addresses",
    "3fff::/20": "documentation",
}
# Refused even with --allow-origin: the services that hand out a cloud machine's credentials.
METADATA = (
    "100.100.100.200/32",
    "168.63.129.16/32",
    "169.254.0.0/16",
    "192.0.0.192/32",
    "fd00:ec2::/32",
    "fd20:ce::254/128",
)
# IPv6 blocks that carry an IPv4 address, and how many bits lie to its right.
CARRIERS = {"::/96": 0, "::ffff:0:0/96": 0, "::ffff:0:0:0/96": 0, "64:ff9b::/96": 0, "2002::/16": 80}

_TABLE = {
    4: [(ipaddress.ip_network(block), what) for block, what in REFUSED_4.items()],
    6: [(ipaddress.ip_network(block), what) for block, what in REFUSED_6.items()],
}
_PUBLIC_6 = ipaddress.ip_network(PUBLIC_6)
_METADATA = [ipaddress.ip_network(block) for block in METADATA]
_CARRIERS = [(ipaddress.ip_network(block), shift) for block, shift in CARRIERS.items()]
_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*")
_LOCAL_NAMES = ("localhost", "localdomain", "internal", "local", "home.arpa")
DEFAULT_PORTS = {"http": 80, "https": 443}


class BadHost(ValueError):
    """A host that is no name or IP address in its usual spelling; the text says why."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port of a URL."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        """Return it as browsers write it, without a default port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == DEFAULT_PORTS.get(self.scheme) else f":{self.port}"
        return f"{self.scheme}://{host}{port}"


def why_refused(address: str) -> str | None:
    """Return what a refused IP address belongs to; None if it may be connected to."""
    found = _parse(address)
    if found is None:
        return "no address"
    if isinstance(found, ipaddress.IPv6Address) and found not in _PUBLIC_6:
        return "this machine" if found.is_loopback else "no public network"
    return next((what for block, what in _TABLE[found.version] if found in block), None)


def is_metadata(address: str) -> bool:
    """Whether an IP address, or an IPv4 address inside it, is a cloud's metadata service."""
    found = _parse(address)
    if found is None:
        return False
    carried = (
        ipaddress.IPv4Address(int(found) >> shift & 0xFFFFFFFF)
        for block, shift in _CARRIERS
        if found in block
    )
    return any(one in block for one in (found, *carried) for block in _METADATA)


def _parse(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(address.partition("%")[0])
    return None


def plain_host(host: str) -> str:
    """Return a host as an IP address in canonical form, or as a name in lower-case ASCII.

    BadHost for spellings that programs read in different ways (`0x7f.1`, `127.1`, `2130706433`, `0177.0.0.1`,
    `[fe80::1%eth0]`).
    """
    plain = host.lower().removesuffix(".")
    if plain.startswith("[") or ":" in plain:
        try:
            found = ipaddress.IPv6Address(plain.removeprefix("[").removesuffix("]"))
        except ValueError:
            raise BadHost(f"{host!r} is no IPv6 address") from None
        if found.scope_id is not None:
            raise BadHost(f"{host!r} names a network interface of this machine")
        return str(found)
    if not _NAME.fullmatch(plain):
        raise BadHost(f"{host!r} is no host name")
    if _NUMBER.fullmatch(plain.rpartition(".")[2]):
        try:
            return str(ipaddress.IPv4Address(plain))
        except ValueError:
            raise BadHost(f"{host!r} is an IPv4 address in an unusual spelling") from None
    return plain


def is_local_name(name: str) -> bool:
    """Whether a name is reserved for this machine or its network, whatever it resolves to."""
    return name in _LOCAL_NAMES or name.endswith(tuple(f".{suffix}" for suffix in _LOCAL_NAMES))


def is_address(host: str) -> bool:
    """Whether a host, as `plain_host` returns it, is an IP address."""
    return ":" in host or host.rpartition(".")[2].isdigit()


def parse_origin(text: str) -> Origin:
    """Parse the value of --allow-origin, such as `http://127.0.0.1:3000`; WrongInput for anything else."""
    try:
        parts = urlsplit(text)
        is_whole = parts.scheme in DEFAULT_PORTS and f"{parts.scheme}://{parts.netloc}" in {text, text[:-1]}
        if not is_whole or parts.username is not None or not parts.hostname or parts.path not in {"", "/"}:
            raise BadHost("not an origin")
        host, port = plain_host(parts.hostname), parts.port or DEFAULT_PORTS[parts.scheme]
    except ValueError as wrong:
        raise WrongInput(
            f"--allow-origin {text}: {wrong}. Give scheme, host and port, as in http://127.0.0.1:3000."
        ) from None
    if is_address(host) and is_metadata(host):
        raise WrongInput(f"--allow-origin {text}: a cloud's credentials are there; it is never opened.")
    return Origin(parts.scheme, host, port)
