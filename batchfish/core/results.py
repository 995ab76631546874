"""Results of runs: their JSON text as the API sent it, and the value of that text."""

from __future__ import annotations

import json
from typing import Any

from msgspec import Struct

from batchfish.core.describe import cut
from batchfish.core.json_text import decode_text, is_nested_deeper, split_array, split_object

MAX_DEPTH = 200
"""The number of levels to which a result may be nested: far past any table.

Threads that polars starts have small stacks, on which Python 3.12 and 3.13 let a parser recurse until the
process dies; this depth is far within them.
"""

_LONGEST_INTEGER = 4000


class UnreadableResult(ValueError):
    """A result is not JSON, or is nested too deeply to be read."""


class ResultText(Struct, frozen=True, gc=False):
    r"""A result as JSON text, without loss.

    `strays` counts the bytes that were not UTF-8, each of which is spelled `\udcXX`. `error` says why no
    value can be read from the text, in words that follow "the result".
    """

    text: str
    strays: int = 0
    error: str | None = None


def decode_result(raw: bytes, *, is_whole_answer: bool = False) -> ResultText:
    """Return the JSON text of a result that is stored as `raw`.

    With `is_whole_answer`, `raw` is the answer about one run, or a list of one, and the result is part of it:
    it is stored so where the bytes of the result could not be told from the rest.
    """
    text, strays = decode_text(raw)
    if is_nested_deeper(raw, MAX_DEPTH):
        return ResultText(text, strays, "is nested too deeply to be read")
    if not is_whole_answer:
        return ResultText(text, strays)
    found = split_object(text) or {}
    runs = split_array(found.get("data", ""))
    if runs is not None:
        found = (split_object(runs[0]) or {}) if len(runs) == 1 else {}
    result = found.get("result")
    if result is None:
        return ResultText(text, strays, "is not found in the answer about its run")
    return ResultText(result, strays)


def read_result(result: ResultText | None) -> Any:  # noqa: ANN401 - any JSON value
    """Return the value of a result; if that is a string of JSON, return what it contains.

    NaN, lone surrogates and integers of thousands of digits are accepted. Raises UnreadableResult for
    everything else that is not JSON.
    """
    if result is None:
        return None
    if result.error is not None:
        raise UnreadableResult(f"the result {result.error}")
    value = _parse(result.text)
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return _parse(value)
        except UnreadableResult:
            return value
    return value


def _parse(text: str) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return _DECODER.decode(text)
    except RecursionError:
        raise UnreadableResult("the result is nested too deeply to be read") from None
    except ValueError as error:
        raise UnreadableResult(f"the result is not JSON: {cut(str(error), 100)}") from None


def _read_integer(digits: str) -> int | float:
    """Return an integer; one that is too long for Python becomes infinity."""
    return int(digits) if len(digits) < _LONGEST_INTEGER else float(digits)


_DECODER = json.JSONDecoder(strict=False, parse_int=_read_integer)
