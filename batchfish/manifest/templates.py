"""Templates: compiled once, and rendered with the values of each row to make its item."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct, field

from batchfish.core.describe import Keys, quote
from batchfish.core.expressions import (
    Condition,
    ExpressionFailed,
    InvalidExpression,
    Template,
    compile_condition,
    compile_template,
)
from batchfish.core.items import ItemSpec
from batchfish.manifest.problems import Problems, Refused, suggest
from batchfish.manifest.request import check_request, is_plain_url, read_goal, read_url

if TYPE_CHECKING:
    from pathlib import Path

    from batchfish.manifest.readers import RowSource
    from batchfish.manifest.row import Row
    from batchfish.manifest.values import Fault, ValueReader

MAX_ID = 200
_FOR_ALL = {
    "goal": "under `defaults` or with --goal",
    "url": "under `source` of a YAML manifest, which `batchfish init FILE` writes",
}
_REMEMBERED = 1000
_OWN_ID = (None, "id")


class Written(Struct, frozen=True, kw_only=True):
    """A template or condition as written in a manifest or an option, with its place."""

    what: str
    text: str
    file: Path | str
    line: int | None = None


class Part(Struct, frozen=True, kw_only=True):
    """One source of rows, with the settings that apply to it only."""

    source: RowSource
    url: Template | None = None
    id_column: str | None = None
    where: Condition | None = None


class Shared(Struct, frozen=True, kw_only=True):
    """The values that all rows share: defaults, constants, and the variables of options, which win.

    `broken` names the shared templates (url, goal) that are invalid: rows are checked without them.
    """

    defaults: Mapping[str, Any] = field(default_factory=dict)
    url: Template | None = None
    goal: Template | None = None
    constants: Mapping[str, str] = field(default_factory=dict)
    forced: Mapping[str, str] = field(default_factory=dict)
    broken: frozenset[str] = frozenset()


def compile_text(
    written: Written, known: frozenset[str] | None, read: ValueReader, problems: Problems
) -> Template | None:
    """Return the compiled template; None, with a problem added, if it is invalid or uses an unknown variable.

    `known` are the names that can be used; None if each row may have its own. `read` checks the text itself
    if it has no variables.
    """
    try:
        template = compile_template(written.text)
        if not template.variables:
            read(written.text)
    except (InvalidExpression, Refused) as error:
        _note(written, f"{written.what}: {error}", error.remedy, problems)
        return None
    return template if _are_known(written, template.variables, known, problems) else None


def compile_where(written: Written, known: frozenset[str] | None, problems: Problems) -> Condition | None:
    """Return the compiled condition; None, with a problem added, if it is invalid."""
    try:
        condition = compile_condition(written.text)
    except InvalidExpression as error:
        _note(written, f"{written.what}: {error}", error.remedy, problems)
        return None
    return condition if _are_known(written, condition.variables, known, problems) else None


class Renderer:
    """Makes the items of a manifest's rows in one pass, and adds what is wrong to the problems."""

    def __init__(self, shared: Shared, problems: Problems) -> None:
        self._shared = shared
        self._problems = problems
        self._texts: dict[str, Template] = {}
        self._requests: dict[bytes, tuple[Mapping[str, Any], list[Fault]]] = {}
        self._known_faults = check_request(shared.defaults)
        self.row = 0
        self.left_out = 0

    @property
    def row_texts(self) -> Collection[Template]:
        """The first thousand different templates that rows had of their own."""
        return self._texts.values()

    def items(self, part: Part) -> Iterator[ItemSpec]:
        """Yield the items of one source in the order of its rows.

        Rows that `where` leaves out are not numbered.
        """
        shared = self._shared
        for row in part.source.rows(self._problems):
            item_id = (
                row.id if part.id_column in _OWN_ID else row.variables.get(part.id_column, "").strip() or None
            )
            values: dict[str, Any] = {**shared.constants, **row.variables, **shared.forced}
            if item_id is not None:
                values["id"] = item_id
            if row.url is not None:
                values["url"] = row.url
            if part.where is not None and not self._holds(part.where, values, row, part):
                self.left_out += 1
                continue
            self.row += 1
            url = self._render_url(values, row, part)
            if url is not None:
                values["url"] = url
            goal = self._render_goal(values, row, part)
            request = self._merge(row, part)
            if self._is_id_wrong(item_id, row, part) or url is None or goal is None or request is None:
                continue
            inputs = row.variables
            if shared.forced:
                inputs = {name: shared.forced.get(name, text) for name, text in inputs.items()}
            yield ItemSpec(
                row=self.row, line=row.line, id=item_id, url=url, goal=goal, request=request, inputs=inputs
            )

    def _holds(self, where: Condition, values: Mapping[str, Any], row: Row, part: Part) -> bool:
        try:
            return where.holds(values)
        except ExpressionFailed as error:
            self._note_unset("where", where, values, row, part, error)
            return True

    def _render_url(self, values: Mapping[str, Any], row: Row, part: Part) -> str | None:
        if part.url is None and row.url is not None and is_plain_url(row.url):
            return row.url
        text = self._render("url", part.url or row.url or self._shared.url, values, row, part)
        if text is None:
            return None
        try:
            return read_url(text.strip())
        except Refused as error:
            self._note(("url",), str(error), error.remedy, row, part)
            return None

    def _render_goal(self, values: Mapping[str, Any], row: Row, part: Part) -> str | None:
        text = self._render("goal", row.goal or self._shared.goal, values, row, part)
        if text is None:
            return None
        try:
            return read_goal(text)
        except Refused as error:
            self._note(("goal",), str(error), error.remedy, row, part)
            return None

    def _render(
        self, name: str, source: Template | str | None, values: Mapping[str, Any], row: Row, part: Part
    ) -> str | None:
        if source is None:
            if name not in self._shared.broken:
                give = (
                    f"Add a column `{name}`" if part.source.columns is not None else f"Give each row a {name}"
                )
                remedy = f"{give}, or one for all {_FOR_ALL[name]}."
                message = f"the row has no {name}"
                self._problems.add_recurring(part.source.file.path, row.line, message, remedy)
            return None
        if isinstance(source, str):
            if "{{" not in source:
                return source
            try:
                source = self._compile(source)
            except InvalidExpression as error:
                self._note((name,), f"{name}: {error}", error.remedy, row, part)
                return None
        try:
            return source.render(values)
        except ExpressionFailed as error:
            self._note_unset(name, source, values, row, part, error)
            return None

    def _compile(self, text: str) -> Template:
        """Return a row's own template, compiled once for all rows with the same one."""
        template = self._texts.get(text)
        if template is None:
            template = compile_template(text)
            if len(self._texts) < _REMEMBERED:
                self._texts[text] = template
        return template

    def _merge(self, row: Row, part: Part) -> Mapping[str, Any] | None:
        """Return the defaults with the row's request fields; None if they are invalid.

        Equal request fields are merged and checked once.
        """
        if not row.fields:
            return self._shared.defaults
        key = msgspec.json.encode(row.fields)
        found = self._requests.get(key)
        if found is None:
            merged = merge(self._shared.defaults, row.fields)
            found = merged, [fault for fault in check_request(merged) if fault not in self._known_faults]
            if len(self._requests) < _REMEMBERED:
                self._requests[key] = found
        request, faults = found
        for fault in faults:
            self._note(fault.keys, fault.message, fault.remedy, row, part)
        return None if faults else request

    def _is_id_wrong(self, item_id: str | None, row: Row, part: Part) -> bool:
        if item_id is None:
            if part.id_column is None:
                return False
            message = f"the id column {quote(part.id_column)} is empty"
            self._problems.add_recurring(part.source.file.path, row.line, message, "Fill it in.")
            return True
        if len(item_id) <= MAX_ID and item_id.isprintable():
            return False
        message = f"the id {quote(item_id)} contains control characters, or more than {MAX_ID}"
        self._note(("id",), message, "Use a short text on one line.", row, part)
        return True

    def _note_unset(
        self,
        name: str,
        source: Template | Condition,
        values: Mapping[str, Any],
        row: Row,
        part: Part,
        error: ExpressionFailed,
    ) -> None:
        """Add the problem that a row lacks a variable; it is shown once for all rows that lack the same."""
        message, remedy = f"{name}: {error}", None
        for variable in sorted(source.variables.difference(values)):
            if quote(variable) in str(error):
                columns = part.source.columns
                is_known = columns is not None and variable in columns
                default = f"write {{{{ {variable} | default('…') }}}}"
                remedy = (
                    f"Fill it in, or {default}." if is_known else f"{suggest(variable, values)} Or {default}."
                )
        self._problems.add_recurring(part.source.file.path, row.line, message, remedy)

    def _note(self, keys: Keys, message: str, remedy: str | None, row: Row, part: Part) -> None:
        self._problems.add(part.source.file.path, row.line_of(keys), message, remedy)


def merge(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return `under` with `over` merged into it: maps are merged, everything else is replaced."""
    merged = dict(under)
    for name, value in over.items():
        below = merged.get(name)
        is_deep = isinstance(value, Mapping) and isinstance(below, Mapping)
        merged[name] = merge(below, value) if is_deep else value  # type: ignore[arg-type]  # is_deep
    return merged


def _are_known(
    written: Written, variables: frozenset[str], known: frozenset[str] | None, problems: Problems
) -> bool:
    unknown = sorted(variables - known) if known is not None else []
    for name in unknown:
        _note(written, f"{written.what}: unknown variable {name!r}", suggest(name, known or ()), problems)
    return not unknown


def _note(written: Written, message: str, remedy: str | None, problems: Problems) -> None:
    problems.add(written.file, written.line, message, remedy)
