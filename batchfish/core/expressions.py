"""The expression language of manifests: `{{ }}` in texts, and the conditions of checks and `--where`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import Struct

from batchfish.core.describe import nearest, quote

if TYPE_CHECKING:
    from jinja2 import nodes

    from batchfish.core.sandbox import Sandbox

Values: TypeAlias = Mapping[str, Any]

FILTER_NAMES = (
    "default",
    "float",
    "int",
    "length",
    "lower",
    "replace",
    "tojson",
    "trim",
    "upper",
    "urlencode",
)
MAX_PARTS = 400
"""The most parts of the expressions of one text: the text that they build grows with them."""

MAX_LENGTH = 10_000
"""The longest condition, in characters."""


class InvalidExpression(ValueError):
    """A template or condition is not valid; `line` counts from its beginning, `remedy` says what to write."""

    def __init__(self, message: str, *, line: int = 1, remedy: str | None = None) -> None:
        """Keep the line and the remedy."""
        super().__init__(message)
        self.line = line
        self.remedy = remedy


class ExpressionFailed(ValueError):
    """A template or condition cannot be evaluated with the given values."""


class Template(Struct, frozen=True, kw_only=True):
    """A text with `{{ }}`, compiled once; `variables` are the names it reads."""

    text: str
    variables: frozenset[str]
    _render: Callable[[Values], str]

    def render(self, values: Values) -> str:
        """Return the text with its values; ExpressionFailed where one is missing or does not fit."""
        try:
            return self._render(values)
        except Exception as error:  # noqa: BLE001 - values are hostile: whatever they cause is their failure
            raise ExpressionFailed(_explain(error)) from None


class Condition(Struct, frozen=True, kw_only=True):
    """An expression that is true or false, compiled once; `variables` are the names it reads."""

    text: str
    variables: frozenset[str]
    _evaluate: Callable[[Values], object]

    def holds(self, values: Values) -> bool:
        """Whether the condition is true; ExpressionFailed where a value is missing or does not fit."""
        try:
            return bool(self._evaluate(values))
        except Exception as error:  # noqa: BLE001 - values are hostile: whatever they cause is their failure
            raise ExpressionFailed(_explain(error)) from None


def compile_template(text: str) -> Template:
    """Compile a text with `{{ }}`; `{` and `{%` are plain text. InvalidExpression if it is wrong."""
    if "\0" in text:
        raise InvalidExpression("the text holds a NUL character", remedy="Remove it.")
    if "{{" not in text:
        return Template(text=text, variables=frozenset(), _render=lambda _values: text)
    if "{{{" in text:
        raise InvalidExpression(
            "`{{{` cannot be read",
            line=text[: text.index("{{{")].count("\n") + 1,
            remedy="For a literal `{{` write `{{ '{{' }}`; for a brace before a value, `{ {{ name }} }`.",
        )
    from jinja2 import meta

    sandbox = _sandbox()
    try:
        tree = sandbox.parse(text)
        _check(tree)
        variables = frozenset(meta.find_undeclared_variables(tree))
        render = _join(tree) or sandbox.from_string(tree).render
    except Exception as error:  # noqa: BLE001 - the parser has many ways to refuse, recursion among them
        raise _invalid(error) from None
    return Template(text=text, variables=variables, _render=render)


def compile_condition(text: str) -> Condition:
    """Compile a condition such as `result.price > 0`; InvalidExpression if it is wrong."""
    if not text.strip():
        raise InvalidExpression("the expression is empty")
    if len(text) > MAX_LENGTH:
        raise InvalidExpression(f"the expression is longer than {MAX_LENGTH:,} characters")
    from jinja2 import meta, nodes
    from jinja2.parser import Parser

    sandbox = _sandbox()
    try:
        expression = Parser(sandbox, text, state="variable").parse_expression()
        tree = nodes.Template([nodes.Output([expression], lineno=1)], lineno=1)
        tree.set_environment(sandbox)
        _check(tree)
        variables = frozenset(meta.find_undeclared_variables(tree))
        evaluate = sandbox.compile_expression(text, undefined_to_none=False)
    except Exception as error:  # noqa: BLE001 - the parser has many ways to refuse, recursion among them
        raise _invalid(error) from None
    return Condition(text=text, variables=variables, _evaluate=evaluate)


@cache
def _sandbox() -> Sandbox:
    from batchfish.core.sandbox import Sandbox

    return Sandbox()


def _check(tree: nodes.Template) -> None:
    """Raise InvalidExpression for calls, unknown filters, and expressions of too many parts."""
    from jinja2 import nodes as kinds

    for count, node in enumerate(tree.find_all(kinds.Expr)):
        if count > MAX_PARTS:
            raise InvalidExpression(f"the expressions have more than {MAX_PARTS} parts", line=node.lineno)
        if isinstance(node, kinds.Call):
            raise InvalidExpression(
                "functions and methods cannot be called",
                line=node.lineno,
                remedy="Use a filter, as in `title | lower`.",
            )
        if isinstance(node, kinds.Filter) and node.name not in FILTER_NAMES:
            near = nearest(node.name, FILTER_NAMES)
            raise InvalidExpression(
                f"unknown filter {quote(node.name)}",
                line=node.lineno,
                remedy=f"Did you mean {quote(near)}?" if near else f"There are: {', '.join(FILTER_NAMES)}.",
            )


def _join(tree: nodes.Template) -> Callable[[Values], str] | None:
    """Return a faster renderer for templates of plain placeholders, which joins texts; None for others."""
    from jinja2 import nodes as kinds

    from batchfish.core.sandbox import simple_filters, to_text

    filters = simple_filters()
    texts: list[str] = []  # with an empty one in the place of each value
    fields: list[tuple[int, str, Callable[[Any], Any] | None]] = []
    for node in (part for output in tree.body if isinstance(output, kinds.Output) for part in output.nodes):
        match node:
            case kinds.TemplateData():
                texts.append(node.data)
            case kinds.Name():
                fields.append((len(texts), node.name, None))
                texts.append("")
            case kinds.Filter(node=kinds.Name() as name, args=[], kwargs=[]) if node.name in filters:
                fields.append((len(texts), name.name, filters[node.name]))
                texts.append("")
            case _:
                return None

    def render(values: Values) -> str:
        parts: list[Any] = texts.copy()
        for place, name, change in fields:
            parts[place] = values[name] if change is None else change(values[name])
        try:
            return "".join(parts)
        except TypeError:  # a value is not a text
            return "".join([str(to_text(part)) for part in parts])

    return render


def _invalid(error: Exception) -> InvalidExpression:
    match error:
        case InvalidExpression():
            return error
        case RecursionError() | MemoryError():
            return InvalidExpression("the expression is nested too deeply")
    line = getattr(error, "lineno", None) or 1
    message = getattr(error, "message", None) or str(error) or type(error).__name__
    return InvalidExpression(f"not an expression: {message}", line=line)


def _explain(error: Exception) -> str:
    match error:
        case KeyError(args=[name]):
            return f"{name!r} is not set"
        case RecursionError() | MemoryError():
            return "the value is nested too deeply, or too large"
    message = str(error)[:300] or type(error).__name__
    return message.replace("is undefined", "is not set")
