"""Names of values, places in them and durations for messages: short, and safe to print."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias, TypeGuard

if TYPE_CHECKING:
    from collections.abc import Iterable

    from batchfish.core.window import Bounds

_LONGEST_NUMBER = 10**20

# Text of a page may contain control characters, characters that change the direction of text, tags that no
# font shows, and unpaired surrogates, which cannot be encoded.
_HOSTILE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\U000e0000-\U000e007f]"
)

Keys: TypeAlias = tuple[str | int, ...]
"""The keys and indexes that lead to a place in a JSON value."""


def spell_path(keys: Keys) -> str:
    """Return keys as a JSON pointer after `#`: `#/checks/0/expr`."""
    return "#" + "".join("/" + cut(str(key).replace("~", "~0").replace("/", "~1")) for key in keys)


def spell_keys(keys: Keys) -> str:
    """Return keys as people write them: `checks[0].expr`."""
    spelled = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys)
    return cut(spelled.removeprefix("."), 100)


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a value is a JSON number: finite, and not a boolean."""
    match value:
        case bool():
            return False
        case int():
            return True
        case float():
            return math.isfinite(value)
        case _:
            return False


def name_kind(value: object) -> str:
    """Return the kind of a JSON value, with the beginning of a text."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return f"text {quote(value)}"
        case Mapping():
            return "a map"
        case list():
            return "a list"
        case _:
            return type(value).__name__


def quote(value: object) -> str:
    """Return a short form of a scalar, and the kind of any other value."""
    match value:
        case str():
            return f"'{cut(value)}'"
        case None:
            return "none"
        case bool() | float():
            return str(value).lower()
        case int():
            return str(value) if abs(value) < _LONGEST_NUMBER else "a huge number"
        case _:
            return name_kind(value)


def cut(value: object, length: int = 60) -> str:
    """Return a text cut to `length` characters; those that cannot be printed are replaced."""
    text = "".join(letter if letter.isprintable() else "�" for letter in str(value)[: length + 1])
    return text if len(text) <= length else text[:length] + "…"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that was probably meant; None if none is similar."""
    from difflib import get_close_matches  # slow to import, and needed for errors alone

    return next(iter(get_close_matches(word, list(known), n=1)), None)


def harmless(text: str) -> str:
    """Return a text with its control characters escaped, except for tabs and ends of lines.

    No page then controls the terminal, or shows its words in another order than they are in.
    """
    return text if text.isprintable() else _HOSTILE.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"  # noqa: PLR2004 - as Python spells them


def spell_duration(seconds: float) -> str:
    """Return a duration as people write it: `42s`, `3m 20s`, `2h 5m`, `1d 4h`."""
    if seconds < 10:  # noqa: PLR2004 - below it, tenths are worth reading
        return f"{seconds:.1f}s"
    whole = round(seconds)
    for unit, size, smaller, part in (("d", 86400, "h", 3600), ("h", 3600, "m", 60), ("m", 60, "s", 1)):
        if whole >= size:
            rest = whole % size // part
            return f"{whole // size}{unit}" + (f" {rest}{smaller}" if rest else "")
    return f"{whole}s"


def several(number: int, noun: str) -> str:
    """Return a number with its noun: `1 item`, `2 items`, `12,000 items`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def spell_bounds(bounds: Bounds) -> str:
    """Return in words how many runs may be alive at once."""
    most = f"up to {several(bounds.most, 'run')} at once"
    return most if bounds.is_fixed else f"{most} (auto)"
