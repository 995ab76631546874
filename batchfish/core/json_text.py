"""JSON text: cut into its parts, measured and read, without a value losing its exact spelling.

`cut_object` and `cut_array` go by brackets and quotes alone, for bytes that no parser accepts. `split_object`
and `split_array` let a parser find each part, which is several times as fast and refuses what is not JSON.
A text that may be nested too deeply for a parser is measured first, by `is_nested_deeper`.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from batchfish.core.describe import cut

_QUOTED = rb'"(?:[^"\\]++|\\.)*+"'
_TOKEN = re.compile(_QUOTED + rb'|[{}\[\],"]', re.DOTALL)
_MEMBER = re.compile(rb"\s*(" + _QUOTED + rb")\s*:\s*(.*?)\s*", re.DOTALL)
# A string that never ends reaches to the end: otherwise each quote in it would be tried anew, and the time
# would be quadratic.
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_BRACKETS = b"[]{}"
_NOT_BRACKETS = bytes(byte for byte in range(256) if byte not in _BRACKETS)
_ONE_KIND = bytes.maketrans(_BRACKETS, b"[][]")
_BLANKS = re.compile(r"[ \t\n\r]*")
_HALF_PAIR = re.compile(r"\\u[dD][89a-fA-F]")
_LONGEST_INTEGER = 18
# Numbers stay text, since an int of 5,000 digits is an error to Python; raw control characters are accepted.
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str, strict=False)


class CutOff(ValueError):
    """A text ends before its outermost bracket closes, or does not begin with one."""


class InvalidJson(ValueError):
    """A text is not JSON, or is JSON that can be read in more than one way; `remedy` says what to write."""

    def __init__(self, message: str, remedy: str | None = None) -> None:
        """Keep the remedy beside the message."""
        super().__init__(message)
        self.remedy = remedy


def cut_object(text: bytes, *, may_be_cut: bool = False) -> dict[str, bytes]:
    """Return the bytes of each member's value by name; the last of equal names wins.

    Raises CutOff if the object is not closed, unless `may_be_cut`: then the last value may be unfinished.
    """
    members = {}
    for part in _cut(text, b"{", may_be_cut=may_be_cut):
        if member := _MEMBER.fullmatch(part):
            members[_read_name(member[1])] = member[2]
    return members


def cut_array(text: bytes, *, may_be_cut: bool = False) -> list[bytes]:
    """Return the bytes of each element.

    Raises CutOff if the array is not closed, unless `may_be_cut`: then the last element may be unfinished.
    """
    return [part.strip() for part in _cut(text, b"[", may_be_cut=may_be_cut) if part.strip()]


def split_object(text: str) -> dict[str, str] | None:
    """Return the text of each member's value by name; None if the text is not an object.

    The last of equal names wins.
    """
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
            found[name], at = _split_value(text, at)
    except ValueError:
        return None
    return found


def split_array(text: str) -> list[str] | None:
    """Return the text of each element; None if the text is not an array."""
    found: list[str] = []
    at = _skip(text, 0)
    if not text.startswith("[", at):
        return None
    at = _skip(text, at + 1)
    try:
        while not text.startswith("]", at):
            if found:
                at = _skip(text, _expect(text, at, ","))
            element, at = _split_value(text, at)
            found.append(element)
    except ValueError:
        return None
    return found


def parse_string(text: str) -> str | None:
    """Return the value of a JSON string; None for anything else, blanks around it included."""
    if not text.startswith('"'):
        return None
    try:
        value, end = _DECODER.raw_decode(text)
    except ValueError:
        return None
    return str(value) if end == len(text) else None


def decode_text(raw: bytes) -> tuple[str, int]:
    r"""Return a JSON value as text, without loss, and the number of its bytes that are not UTF-8.

    Such a byte is spelled `\udcXX`, as Python's `surrogateescape` has it. A string that holds it is still
    JSON, and what `json.loads` makes of it encodes, by the same error handler, to the original bytes.
    """
    try:
        return raw.decode(), 0
    except UnicodeDecodeError:
        text = raw.decode("utf-8", "surrogateescape")
        strays = sum("\udc80" <= char <= "\udcff" for char in text)
        return text.encode("utf-8", "backslashreplace").decode(), strays


def is_nested_deeper(raw: bytes, levels: int) -> bool:
    """Whether a JSON value is nested more than `levels` deep; brackets in strings do not count."""
    if len(raw) <= levels or raw.count(b"[") + raw.count(b"{") <= levels:
        return False
    brackets = _STRING.sub(b"", raw).translate(_ONE_KIND, _NOT_BRACKETS)
    for _ in range(levels):  # each pass removes the innermost level
        brackets = brackets.replace(b"[]", b"")
        if b"[" not in brackets:
            return False
    return True


def read_strictly(text: str, *, max_depth: int) -> Any:  # noqa: ANN401 - any JSON value
    """Read JSON that a person wrote.

    InvalidJson for a key that is repeated, NaN, a number that a table could not hold, half of a surrogate
    pair, and nesting past `max_depth`.
    """
    try:
        value = json.loads(
            text,
            object_pairs_hook=_read_unique,
            parse_constant=_refuse_constant,
            parse_float=_read_float,
            parse_int=_read_integer,
        )
        if _HALF_PAIR.search(text):
            json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise InvalidJson(f"not valid JSON: {error.msg} at character {error.pos + 1}") from None
    except RecursionError:
        raise InvalidJson(f"nested deeper than {max_depth} levels") from None
    except UnicodeEncodeError:
        raise InvalidJson("a text contains a lone surrogate", "Write the whole character.") from None
    if is_nested_deeper(text.encode(errors="replace"), max_depth):
        raise InvalidJson(f"nested deeper than {max_depth} levels")
    return value


def read_unambiguous(raw: bytes) -> object:
    """Read JSON that a server wrote; None for anything but one value without NaN or a repeated name."""
    try:
        return _decode_unambiguous(raw.decode())
    except (ValueError, RecursionError):
        return None


def _cut(text: bytes, bracket: bytes, *, may_be_cut: bool) -> list[bytes]:
    """Return the parts between the commas of the outermost bracket."""
    if text.lstrip()[:1] != bracket:
        if may_be_cut:
            return []
        raise CutOff
    found: list[bytes] = []
    depth = start = 0
    for token in _TOKEN.finditer(text):
        match token[0]:
            case b"{" | b"[":
                depth += 1
                start = token.end() if depth == 1 else start
            case b"}" | b"]":
                depth -= 1
                if depth == 0:
                    return [*found, text[start : token.start()]]
            case b"," if depth == 1:
                found.append(text[start : token.start()])
                start = token.end()
            case b'"':  # a string that never ends: all that follows is inside it
                break
    if not may_be_cut:
        raise CutOff
    return [*found, text[start:]]


def _split_value(text: str, at: int) -> tuple[str, int]:
    """Return the text of the value that starts at `at`, and where what follows it starts."""
    _, end = _DECODER.raw_decode(text, at)
    return text[at:end], _skip(text, end)


def _expect(text: str, at: int, char: str) -> int:
    """Return the place after `char`, which must stand at `at`."""
    if not text.startswith(char, at):
        raise ValueError(at)
    return at + 1


def _skip(text: str, at: int) -> int:
    """Return the place of the next character that is not blank."""
    match = _BLANKS.match(text, at)
    return at if match is None else match.end()


def _read_name(quoted: bytes) -> str:
    try:
        return str(json.loads(quoted))
    except ValueError:
        return quoted[1:-1].decode(errors="replace")


def _read_unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidJson(f"the key '{cut(twice)}' occurs twice", "Remove one.")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise InvalidJson(f"{name} is not JSON", "Write null, or leave it out.")


def _read_integer(digits: str) -> int:
    if len(digits.lstrip("-")) > _LONGEST_INTEGER:
        raise InvalidJson(f"the number {cut(digits, 30)} is too large", "Quote it if it is a text.")
    return int(digits)


def _read_float(digits: str) -> float:
    if not math.isfinite(number := float(digits)):
        raise InvalidJson(f"the number {cut(digits, 30)} is too large", "Quote it if it is a text.")
    return number


_decode_unambiguous = json.JSONDecoder(object_pairs_hook=_read_unique, parse_constant=_refuse_constant).decode
