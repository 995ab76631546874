"""JSON as manifests take it: no key twice, no NaN, no number too large, no half of a character."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from batchfish.core.describe import cut
from batchfish.manifest.problems import Refused

_LONGEST_INTEGER = 18
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
    except json.JSONDecodeError as error:
        raise Refused(f"not valid JSON: {error.msg} at character {error.pos + 1}") from None
    except RecursionError:
        raise Refused("the JSON is nested too deeply") from None
    except UnicodeEncodeError:
        raise Refused("a text holds half of a surrogate pair", "Write the whole character.") from None
    return value


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
