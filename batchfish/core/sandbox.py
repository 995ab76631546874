"""The Jinja2 environment of expressions, which bounds what they can reach and how much they can cost.

It stands apart from `expressions`, which imports it only for texts that need Jinja2.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from jinja2 import StrictUndefined, Undefined
from jinja2.filters import FILTERS
from jinja2.sandbox import SandboxedEnvironment

if TYPE_CHECKING:
    from jinja2.runtime import Context

MAX_TEXT = 16 * 1024 * 1024
"""The longest text, in characters, that an operator or a filter may build."""

Value: TypeAlias = Any
"""Whatever a page or a row may hold."""

_MAX_BITS = 4096
_MAX_EXPONENT = 64
# `default` and `int` have Jinja2's meaning. `tojson` does not: it would write `&` as \u0026 for HTML's sake.
_FILTERS = ("urlencode", "trim", "lower", "upper", "default", "int", "float", "length")


class Refused(ValueError):
    """An expression does something that is not allowed."""


class Sandbox(SandboxedEnvironment):
    """Members of maps and lists, operators, tests and a few filters; no calls, no attributes, no globals.

    Values may be hostile text from a page: whatever can grow them is bounded.
    """

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})

    def __init__(self) -> None:
        # NUL is refused in every text of a manifest, so these delimiters cannot occur; empty ones would hang.
        super().__init__(
            block_start_string="\0block",
            block_end_string="\0end",
            comment_start_string="\0note",
            comment_end_string="\0done",
            keep_trailing_newline=True,
            undefined=StrictUndefined,
            finalize=to_text,
            autoescape=False,
        )
        self.globals.clear()
        self.filters = {name: FILTERS[name] for name in _FILTERS}
        self.filters |= {"tojson": _to_json, "replace": _replace}

    def getattr(self, obj: Value, attribute: str) -> Value:
        """Read `result.items` as the field `items`: keys only, never Python's attributes."""
        return self._member(obj, attribute)

    def getitem(self, obj: Value, argument: Value) -> Value:
        """Read a key of a map, or an element or slice of a list or text."""
        return self._member(obj, argument)

    def call_binop(self, context: Context, operator: str, left: Value, right: Value) -> Value:
        """Compute with numbers, and join texts and lists, within bounds."""
        joined = operator == "+" and type(left) is type(right) and isinstance(left, str | list)
        if joined:
            if len(left) + len(right) > MAX_TEXT:
                raise Refused("the text would grow too long")
        elif not (isinstance(left, int | float) and isinstance(right, int | float)):
            kinds = f"{type(left).__name__} {operator} {type(right).__name__}"
            raise Refused(f"cannot compute {kinds}: make them numbers with `| int` or `| float`")
        elif operator in {"*", "**"}:
            _check_size(operator, left, right)
        return super().call_binop(context, operator, left, right)

    def _member(self, obj: Value, key: Value) -> Value:
        match obj:
            case Undefined():
                return obj
            case Mapping() if isinstance(key, str) and key in obj:
                return obj[key]
            case list() | str() if isinstance(key, int | slice):
                try:
                    return obj[key]
                except IndexError:
                    pass
        return self.undefined(hint=f"there is no {key!r} in {_describe(obj)}", obj=obj, name=key)


def _check_size(operator: str, left: float, right: float) -> None:
    if not (isinstance(left, int) and isinstance(right, int)):
        return
    if operator == "**":
        if abs(right) > _MAX_EXPONENT or left.bit_length() > _MAX_EXPONENT:
            raise Refused(f"numbers and exponents of ** end at {_MAX_EXPONENT}")
    elif left.bit_length() + right.bit_length() > _MAX_BITS:
        raise Refused("the number would grow too long")


def _describe(value: object) -> str:
    match value:
        case Mapping():
            names = ", ".join(str(name)[:40] for name in list(value)[:8])
            return f"a map with {names or 'no keys'}"
        case list():
            return f"a list of {len(value)}"
        case None:
            return "null"
        case _:
            return f"a {type(value).__name__}"


def to_text(value: object) -> object:
    """Return a value as it appears in a rendered text: JSON if it is not a text or a number."""
    match value:
        case str() | Undefined():
            return value
        case None | bool() | Mapping() | list():
            return _to_json(value)
        case _:
            return str(value)


def _to_json(value: object) -> str:
    if isinstance(value, Undefined):
        return str(value)  # raises, with the name of what is not set
    return json.dumps(value, ensure_ascii=False)


def _replace(text: object, old: str, new: str) -> str:
    whole = str(text)
    if len(whole) + whole.count(old) * max(0, len(new) - len(old)) > MAX_TEXT:
        raise Refused("the text would grow too long")
    return whole.replace(old, new)


def simple_filters() -> Mapping[str, Callable[[Any], Any]]:
    """Return the filters that take no arguments and only need the text before them."""
    return {name: FILTERS[name] for name in ("urlencode", "trim", "lower", "upper")}
