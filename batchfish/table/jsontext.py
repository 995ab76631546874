"""JSON text taken apart without being understood: its values stay the text they came as."""

from __future__ import annotations

import json
import re

# Threads that polars starts have small stacks, on which Python 3.12 and 3.13 let a parser recurse until the
# process dies; this depth is far within them and far past any table.
MAX_DEPTH = 100

# A string that never ends reaches to the end: else each quote in it would be tried anew, in quadratic time.
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_BRACKETS = b"[]{}"
_NOT_BRACKETS = bytes(byte for byte in range(256) if byte not in _BRACKETS)
_SPACE = re.compile(r"[ \t\n\r]*")
# Numbers stay text (an int of 5,000 digits is an error to Python); raw control characters are let through.
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str, strict=False)


def text_of(raw: bytes) -> tuple[str, int]:
    r"""Decode a JSON value without loss, and count its bytes that are not UTF-8.

    Such a byte is spelled `\udcXX`, as Python's `surrogateescape` has it; within a string that is still JSON,
    and what `json.loads` makes of it encodes, by the same name, to the bytes that came.
    """
    try:
        return raw.decode(), 0
    except UnicodeDecodeError:
        text = raw.decode("utf-8", "surrogateescape")
        strays = sum("\udc80" <= char <= "\udcff" for char in text)
        return text.encode("utf-8", "backslashreplace").decode(), strays


def is_shallow(raw: bytes) -> bool:
    """Tell whether a JSON value is nested so little that every parser can be trusted with it.

    MAX_DEPTH levels always are; twice as many never.
    """
    if raw.count(b"[") + raw.count(b"{") <= MAX_DEPTH:
        return True
    brackets = _STRING.sub(b"", raw).translate(None, _NOT_BRACKETS)
    # Each pass peels the innermost pairs off: one level, or two of different kinds.
    for _ in range(MAX_DEPTH):
        brackets = brackets.replace(b"[]", b"").replace(b"{}", b"")
        if brackets.count(b"[") + brackets.count(b"{") == 0:
            return True
    return False


def members(text: str) -> dict[str, str] | None:
    """Take an object apart into the text of each member, the last of equal names; None if it is no object."""
    found: dict[str, str] = {}
    at = _skip(text, 0)
    if not text.startswith("{", at):
        return None
    at = _skip(text, at + 1)
    try:
        while not text.startswith("}", at):
            if found:
                at = _skip(text, _expect(text, at, ","))
            _expect(text, at, '"')
            name, at = _DECODER.raw_decode(text, at)
            at = _skip(text, _expect(text, _skip(text, at), ":"))
            found[name], at = _value(text, at)
    except ValueError:
        return None
    return found


def elements(text: str) -> list[str] | None:
    """Take an array apart into the text of each element; None if it is no array."""
    found: list[str] = []
    at = _skip(text, 0)
    if not text.startswith("[", at):
        return None
    at = _skip(text, at + 1)
    try:
        while not text.startswith("]", at):
            if found:
                at = _skip(text, _expect(text, at, ","))
            element, at = _value(text, at)
            found.append(element)
    except ValueError:
        return None
    return found


def string_of(text: str) -> str | None:
    """Read a JSON string; None if it is something else."""
    if not text.startswith('"'):
        return None
    try:
        value, end = _DECODER.raw_decode(text)
    except ValueError:
        return None
    return str(value) if end == len(text) else None


def _value(text: str, at: int) -> tuple[str, int]:
    """Return the text of the value that starts at `at`, and where what follows it starts."""
    _, end = _DECODER.raw_decode(text, at)
    return text[at:end], _skip(text, end)


def _expect(text: str, at: int, char: str) -> int:
    """Return the place after `char`, which must stand at `at`."""
    if not text.startswith(char, at):
        raise ValueError(at)
    return at + 1


def _skip(text: str, at: int) -> int:
    """Return the place of the next character that is no white space."""
    match = _SPACE.match(text, at)
    return at if match is None else match.end()
