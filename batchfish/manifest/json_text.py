"""JSON as manifests take it: no key twice, no NaN, no number too large, no half of a character."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from batchfish.core.describe import cut
from batchfish.manifest.problems import Refused
from batchfish.manifest.yaml_events import MAX_DEPTH

_LONGEST_INTEGER = 18
_TOO_DEEP = f"nested deeper than {MAX_DEPTH} levels"
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|[][{}]')
"""Brackets, and texts, within which a bracket is none."""

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def read_json(text: str) -> Any:  # noqa: ANN401 - any JSON value
    """Read a JSON text; Refused where it is none."""
    try:
        value = json.loads(
            text,
            object_pairs_hook=_read_pairs,
            parse_constant=_refuse_constant,
            parse_float=_read_float,
            parse_int=_read_integer,
        )
        if _SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode()
        _check_depth(text)
    except json.JSONDecodeError as error:
        raise Refused(f"not valid JSON: {error.msg} at character {error.pos + 1}") from None
    except RecursionError:
        raise Refused(_TOO_DEEP) from None
    except UnicodeEncodeError:
        raise Refused("a text holds half of a surrogate pair", "Write the whole character.") from None
    return value


def _check_depth(text: str) -> None:
    """Refuse what is nested too deeply; how much the interpreter bears is not the same everywhere."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth = 0
    for bracket in _BRACKETS.finditer(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(bracket[0], 0)
        if depth > MAX_DEPTH:
            raise Refused(_TOO_DEEP)


def _read_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Refused(f"the key '{cut(twice)}' stands twice", "Remove one.")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise Refused(f"{name} is no JSON", "Write null, or leave it out.")


def _read_integer(text: str) -> int:
    if len(text.lstrip("-")) > _LONGEST_INTEGER:
        raise Refused(f"the number {cut(text, 30)} is too large", "Quote it if it is a text.")
    return int(text)


def _read_float(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise Refused(f"the number {cut(text, 30)} is too large", "Quote it if it is a text.")
    return number
