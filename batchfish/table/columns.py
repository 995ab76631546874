"""The columns of a table: their names, order and types, from output_schemas and the manifest's rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from enum import StrEnum
from functools import reduce
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from batchfish.core.describe import nearest
from batchfish.errors import WrongInput

if TYPE_CHECKING:
    from batchfish.core.rules import OutputRules


class Kind(StrEnum):
    """The type of a column's cells; every cell may also be null."""

    STRING = "string"
    INT64 = "int64"
    FLOAT64 = "float64"
    BOOL = "bool"
    DATE = "date"
    DATETIME = "datetime"
    """A time from a page, in UTC, to the microsecond."""
    INSTANT = "instant"
    """A time from the API or of our own, in UTC, to the millisecond."""
    LIST = "list"
    """A JSON array, as its text."""
    OBJECT = "object"
    """A JSON object, as its text."""
    TEXT = "text"
    """Any JSON value: a string as itself, everything else as its JSON text."""


LEADING = (
    ("item_id", Kind.STRING),
    ("batch", Kind.STRING),
    ("row", Kind.INT64),
    ("url", Kind.STRING),
    ("status", Kind.STRING),
    ("reason", Kind.STRING),
)
RAW = (("result", Kind.STRING), ("result_error", Kind.STRING))
TRAILING = (
    ("run_id", Kind.STRING),
    ("run_status", Kind.STRING),
    ("attempts", Kind.INT64),
    ("steps", Kind.INT64),
    ("submitted_at", Kind.INSTANT),
    ("started_at", Kind.INSTANT),
    ("finished_at", Kind.INSTANT),
    ("queue_s", Kind.FLOAT64),
    ("run_s", Kind.FLOAT64),
    ("error_code", Kind.STRING),
    ("error_message", Kind.STRING),
    ("streaming_url", Kind.STRING),
    ("suspicious", Kind.STRING),
    ("reused_from", Kind.STRING),
)
RECORD_INDEX = ("record_index", Kind.INT64)
# The types of `output.columns`. A column of type string shows other values as JSON text.
DECLARABLE = {
    "float64": Kind.FLOAT64,
    "int64": Kind.INT64,
    "string": Kind.TEXT,
    "bool": Kind.BOOL,
    "date": Kind.DATE,
    "datetime": Kind.DATETIME,
}


class ResultColumn(Struct, frozen=True, kw_only=True):
    """A typed column of results: `source` is the property it shows, None for the whole record."""

    name: str
    kind: Kind
    source: str | None


class ColumnPlan(Struct, frozen=True, kw_only=True):
    """The columns of one table; `explode` is the path to a result's list, () for the result itself."""

    results: tuple[ResultColumn, ...] = ()
    inputs: tuple[str, ...] = ()
    explode: tuple[str, ...] | None = None

    @property
    def columns(self) -> dict[str, Kind]:
        """Every column by its name, in the order of the table."""
        return {
            **dict(leading_columns(is_exploded=self.explode is not None)),
            **{column.name: column.kind for column in self.results},
            **dict(RAW),
            **{input_column(name): Kind.STRING for name in self.inputs},
            **dict(TRAILING),
        }


def leading_columns(*, is_exploded: bool) -> tuple[tuple[str, Kind], ...]:
    """Return the columns before the result's own; an exploded table also has record_index."""
    return (LEADING[0], RECORD_INDEX, *LEADING[1:]) if is_exploded else LEADING


def input_column(variable: str) -> str:
    """Return the name of the column for a variable of the manifest's rows."""
    return f"input_{_text(variable)}"


def plan_columns(
    schemas: Sequence[Mapping[str, Any]], inputs: Sequence[str], output: OutputRules
) -> ColumnPlan:
    """Return the columns for a batch's distinct schemas and the variables of its rows.

    A property that several schemas have keeps its type if it is the same in all, is Float64 if all are
    numbers, and text otherwise. Without a schema the result's columns are those that `output.columns` names.
    Raises WrongInput if `output.explode` or `output.columns` names what no schema has.
    """
    explode = None if output.explode is None else _path(output.explode)
    label = explode[-1] if explode else "record"
    records = schemas if explode is None else _item_schemas(schemas, explode)
    kinds = unify(_properties(record, is_item=explode is not None) for record in records)
    for name, dtype in output.columns.items():
        source = None if name == label and None in kinds else name
        if schemas and source not in kinds:
            known = [label if known is None else known for known in kinds]
            raise WrongInput(f"output.columns: no schema has a property {name!r}.{_nearest(name, known)}")
        kinds[source] = declared_kind(name, dtype)
    taken = {*dict(leading_columns(is_exploded=explode is not None)), *dict(RAW), *dict(TRAILING)}
    taken.update(map(input_column, inputs))
    return ColumnPlan(
        results=tuple(_named(kinds, label, taken)),
        inputs=tuple(dict.fromkeys(inputs)),
        explode=explode,
    )


def kind_of(node: object) -> Kind:
    """Return the kind of a column for the values that `node`, a part of a schema, describes."""
    match node:
        case {"anyOf": [*branches]} if branches:
            return reduce(_widened, map(kind_of, branches))
        case {"type": "number"}:
            return Kind.FLOAT64
        case {"type": "integer"}:
            return Kind.INT64
        case {"type": "boolean"}:
            return Kind.BOOL
        case {"type": "string", "format": "date"}:
            return Kind.DATE
        case {"type": "string", "format": "date-time"}:
            return Kind.DATETIME
        case {"type": "string"}:
            return Kind.STRING
        case {"type": "array"}:
            return Kind.LIST
        case {"type": "object"}:
            return Kind.OBJECT
        case _:
            return Kind.TEXT


def unify(records: Iterable[Mapping[str | None, Kind]]) -> dict[str | None, Kind]:
    """Return the properties of several records as one, in the order in which they first appear."""
    unified: dict[str | None, Kind] = {}
    for record in records:
        for source, kind in record.items():
            unified[source] = _widened(unified.get(source, kind), kind)
    if None in unified and len(unified) > 1:  # some records are objects and others are not: all become text
        unified[None] = Kind.TEXT
    return unified


def declared_kind(name: str, dtype: str) -> Kind:
    """Return the kind for a type in `output.columns`."""
    if dtype not in DECLARABLE:
        types = ", ".join(sorted(DECLARABLE))
        raise WrongInput(f"output.columns.{name}: {dtype!r} is not a type", remedy=f"Use one of {types}.")
    return DECLARABLE[dtype]


def _path(explode: str) -> tuple[str, ...]:
    """Return the names in a path such as `result.a.b`, without the first."""
    root, *names = explode.split(".")
    if root != "result" or not all(names):
        raise WrongInput(
            f"output.explode: {explode!r} is not a path to a list", remedy="Write it like result.products."
        )
    return tuple(names)


def _item_schemas(schemas: Sequence[Mapping[str, Any]], path: tuple[str, ...]) -> list[Mapping[str, Any]]:
    """Return the parts of the schemas that describe the elements of the list at `path`."""
    found = [items for schema in schemas for at, items in _lists(schema) if at == path]
    if schemas and not found:
        lists = [_spelled(at) for schema in schemas for at, _ in _lists(schema)]
        spelled = _spelled(path)
        raise WrongInput(f"output.explode: no schema has a list at {spelled}.{_nearest(spelled, lists)}")
    return found


def _lists(
    schema: Mapping[str, Any], at: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    """Yield the path of each list that is not inside another, and the schema of its elements."""
    match schema:
        case {"type": "array"}:
            items = schema.get("items")
            yield at, items if isinstance(items, Mapping) else {}
        case {"properties": Mapping() as properties}:
            for name, node in properties.items():
                if isinstance(node, Mapping):
                    yield from _lists(node, (*at, name))


def _properties(schema: Mapping[str, Any], *, is_item: bool) -> dict[str | None, Kind]:
    """Return the kinds of a record's properties; an element that is not an object has one, named None."""
    properties = schema.get("properties")
    if not isinstance(properties, Mapping):
        return {None: kind_of(schema)} if is_item and kind_of(schema) is not Kind.OBJECT else {}
    ordering = schema.get("propertyOrdering")
    first = [name for name in ordering if name in properties] if isinstance(ordering, list) else []
    return {name: kind_of(properties[name]) for name in dict.fromkeys([*first, *properties])}


def _named(kinds: Mapping[str | None, Kind], label: str, taken: AbstractSet[str]) -> Iterator[ResultColumn]:
    """Yield the column of each property, with `result_` before its name until no other has that name."""
    names = {source: _text(label if source is None else source) for source in kinds}
    wanted = set(names.values()) - taken
    used = set(taken)
    for source, kind in kinds.items():
        name = names[source]
        if name in used:
            name = f"result_{name}"
            while name in used or name in wanted:
                name = f"result_{name}"
        used.add(name)
        yield ResultColumn(name=name, kind=kind, source=source)


def _widened(one: Kind, other: Kind) -> Kind:
    """Return the kind that holds the values of both."""
    if one is other:
        return one
    return Kind.FLOAT64 if {one, other} == {Kind.INT64, Kind.FLOAT64} else Kind.TEXT


def _text(name: str) -> str:
    r"""Return a name with lone surrogates, which a file cannot hold, spelled `\udXXX`."""
    return name.encode("utf-8", "backslashreplace").decode()


def _spelled(path: tuple[str, ...]) -> str:
    """Return a path as it is written in `output.explode`."""
    return ".".join(("result", *path))


def _nearest(name: str, known: Sequence[str]) -> str:
    """Return the hint that names the nearest known name, or the known ones."""
    if not known:
        return " There is none."
    close = nearest(name, known)
    return f" Did you mean {close!r}?" if close else f" Known: {', '.join(map(repr, known[:10]))}."
