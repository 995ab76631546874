"""Values that nobody gave a type: those of a goal in words are numbers where the page writes bare numbers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from batchfish.localagent.page.words import label, senses_of

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

NUMBER = re.compile(r"[-+−]?(?:0|[1-9]\d{0,8})(?:\.\d{1,6})?")
NAMES = frozenset({
    "phone", "fax", "postcode", "isbn", "issn", "ean", "sku", "code", "reference number", "register number",
    "vat id", "model number", "serial number", "number plate", "version", "platform", "line",
})  # fmt: skip
"""What is written in digits and yet no number."""


def with_numbers(result: Any) -> Any:  # noqa: ANN401 - what a goal asks for may have any shape
    """Give a result with numbers for texts that are bare numbers, in a list only where all of a name are."""
    match result:
        case dict():
            return _typed(result, result)
        case [dict(), *_] as rows:
            names = {name for row in rows for name, value in row.items() if isinstance(value, str)}
            bare = {name for name in names if _are_numbers(name, [row.get(name) for row in rows])}
            return [_typed(row, bare) for row in rows]
    return result


def _typed(row: Mapping[str, Any], bare: Container[str]) -> dict[str, Any]:
    return {
        name: _number(name, value) if isinstance(value, str) and name in bare else with_numbers(value)
        for name, value in row.items()
    }


def _are_numbers(name: str, values: Sequence[Any]) -> bool:
    said = [value for value in values if value is not None]
    return all(isinstance(value, str) and not isinstance(_number(name, value), str) for value in said)


def _number(name: str, value: Any) -> Any:  # noqa: ANN401
    if not isinstance(value, str) or not NUMBER.fullmatch(value) or senses_of(label(name)) & NAMES:
        return value
    plain = value.replace("−", "-")
    return float(plain) if "." in plain else int(plain)
