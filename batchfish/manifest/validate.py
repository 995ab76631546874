"""Validation of the rows of a manifest: one pass that finds everything wrong with them."""

from __future__ import annotations

import sqlite3
from bisect import bisect_left
from collections.abc import Mapping
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from batchfish.core.describe import quote
from batchfish.core.identity import fingerprint
from batchfish.core.items import Repetition
from batchfish.errors import StorageFailed
from batchfish.manifest.problems import Problems, suggest
from batchfish.manifest.templates import Renderer, compile_where

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from batchfish.core.expressions import Template
    from batchfish.core.items import ItemSpec
    from batchfish.manifest.manifest import Manifest
    from batchfish.manifest.templates import Part

# A database without a name is a temporary file once it outgrows its cache of 8 MiB, and is deleted when it is
# closed.
_SETUP = """
PRAGMA cache_size = -8192;
PRAGMA temp_store = FILE;
PRAGMA journal_mode = OFF;
CREATE TABLE keys (key BLOB NOT NULL, row INTEGER NOT NULL, line INTEGER) STRICT;
BEGIN;
"""
_REPEATED = """
WITH repeated AS MATERIALIZED (SELECT key, min(rowid) AS first FROM keys GROUP BY key HAVING count(*) > 1)
SELECT keys.key, keys.row, keys.line, first.row, first.line
FROM keys JOIN repeated USING (key) JOIN keys AS first ON first.rowid = repeated.first
WHERE keys.rowid > repeated.first ORDER BY keys.rowid
"""
_ID, _FINGERPRINT = b"i", b"f"  # the first byte of a key


class RowStore(Protocol):
    """Where rows are put while they are checked, and compared with each other."""

    def load(self, specs: Iterable[ItemSpec]) -> int:
        """Store the rows and return their number."""
        ...

    def repeated(self) -> Iterable[Repetition]:
        """Return the rows with the id of an earlier one, and those without an id that ask for the same."""
        ...


class SourceSummary(Struct, frozen=True, kw_only=True):
    """A file of rows: the delimiter found in it, its number of items, and of rows that `where` left out."""

    path: Path
    delimiter: str | None
    items: int
    left_out: int


class ManifestSummary(Struct, frozen=True, kw_only=True):
    """A summary of a manifest. `duplicates` counts the rows without an id that repeat an earlier one."""

    items: int
    sources: tuple[SourceSummary, ...]
    duplicates: int
    variables: tuple[str, ...]
    properties: tuple[str, ...]


def check_rows(manifest: Manifest, problems: Problems, store: RowStore | None = None) -> ManifestSummary:
    """Read all rows once, add everything wrong to the problems, and return what the rows hold.

    The rows that can be read are put into `store`, which compares them; by default it keeps nothing else.
    Raises StorageFailed if the temporary file in which rows are compared cannot be written.
    """
    if store is None:
        with closing(_Keys(manifest.path)) as keys:
            return check_rows(manifest, problems, keys)
    renderer = Renderer(manifest.shared, problems)
    rows = _Rows(manifest, renderer)
    store.load(rows.items())
    duplicates = 0
    for repetition in store.repeated():
        _add_repetition(manifest, repetition, rows.before_parts, problems)
        duplicates += repetition.id is None
    if renderer.row:
        _check_names(manifest, rows.names, renderer.row_texts, problems)
        _check_compared(manifest, rows.compared, problems)
    return ManifestSummary(
        items=renderer.row,
        sources=tuple(rows.sources),
        duplicates=duplicates,
        variables=tuple(sorted(rows.names | manifest.variables.keys())),
        properties=tuple(rows.properties),
    )


class _Rows:
    """The rows of a manifest, which are read once, and what is noted about them meanwhile.

    `names` are those of their variables, `properties` those of their schemas in order, and `compared` those
    that `compare` may name. `before_parts` counts the rows before each part.
    """

    def __init__(self, manifest: Manifest, renderer: Renderer) -> None:
        """Render the rows of a manifest; none is read yet."""
        self._manifest = manifest
        self._renderer = renderer
        self.sources: list[SourceSummary] = []
        self.names: set[str] = set()
        self.properties: dict[str, None] = {}
        self.compared: set[str] = set()
        self.before_parts: list[int] = []

    def items(self) -> Iterator[ItemSpec]:
        """Yield the items of all parts."""
        renderer = self._renderer
        for part in self._manifest.parts:
            before, left_out = renderer.row, renderer.left_out
            self.before_parts.append(before)
            yield from self._items_of(part)
            self.names.update(part.source.columns or ())
            self.sources.append(
                SourceSummary(
                    path=part.source.file.path,
                    delimiter=part.source.delimiter,
                    items=renderer.row - before,
                    left_out=renderer.left_out - left_out,
                )
            )

    def _items_of(self, part: Part) -> Iterator[ItemSpec]:
        """Yield the items of a part; rows without request fields of their own share the very same ones."""
        request: object = None
        schema: object = None
        for spec in self._renderer.items(part):
            if part.source.columns is None:
                self.names.update(spec.inputs)
            if spec.request is not request:
                request, before_it = spec.request, schema
                schema = request.get("output_schema")
                if schema is not None and schema is not before_it:
                    self._note_schema(schema)
            yield spec

    def _note_schema(self, schema: object) -> None:
        self.properties.update(dict.fromkeys(_name_properties(schema)))
        self.compared.update(_name_compared(schema, self._manifest.rules.output.explode))


class _Keys:
    """Keeps of each row only what must be unique: its id, or its fingerprint if it has none."""

    def __init__(self, path: Path) -> None:
        """Keep the rows of the manifest at `path`."""
        self._path = path
        self._connection = sqlite3.connect("", isolation_level=None)

    def close(self) -> None:
        """Forget the rows."""
        self._connection.close()

    def load(self, specs: Iterable[ItemSpec]) -> int:
        """Store the rows and return their number."""
        keys = (
            (
                _FINGERPRINT + fingerprint(spec) if spec.id is None else _ID + spec.id.encode(),
                spec.row,
                spec.line,
            )
            for spec in specs
        )
        with self._storage_errors():
            self._connection.executescript(_SETUP)
            return self._connection.executemany("INSERT INTO keys VALUES (?, ?, ?)", keys).rowcount

    def repeated(self) -> Iterator[Repetition]:
        """Yield the rows that repeat an earlier one."""
        with self._storage_errors():
            for key, *places in self._connection.execute(_REPEATED):
                yield Repetition(key.removeprefix(_ID).decode() if key.startswith(_ID) else None, *places)

    @contextmanager
    def _storage_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StorageFailed(
                f"the rows of {self._path} cannot be compared in a temporary file: {error}",
                remedy="Make room in the temporary folder, or name another in TMPDIR.",
            ) from error


def _add_repetition(
    manifest: Manifest, repetition: Repetition, before_parts: Sequence[int], problems: Problems
) -> None:
    """Add the problem of a row that repeats another; `before_parts` are the rows before each part."""
    part, first_part = (bisect_left(before_parts, row) - 1 for row in (repetition.row, repetition.first_row))
    path = manifest.parts[part].source.file.path
    first = f"on line {repetition.first_line}"
    if first_part != part:
        first += f" of {manifest.parts[first_part].source.file.path}"
    if repetition.id is not None:
        message = f"the id {quote(repetition.id)} occurs twice, first {first}"
        problems.add(path, repetition.line, message, "Give each row an id of its own.")
    elif not manifest.allow_duplicates:
        remedy = "Remove it, give both an id, or pass --allow-duplicates."
        problems.add(path, repetition.line, f"the row asks for the same as the one {first}", remedy)


def _name_properties(schema: object) -> Iterable[str]:
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    return properties if isinstance(properties, Mapping) else ()


def _name_compared(schema: object, explode: str | None) -> Iterable[str]:
    """Return the properties of a result, or of a record of the list that is exploded.

    A record that is no object has one value, which is called as the list.
    """
    if explode is None:
        return _name_properties(schema)
    label, node = explode, schema
    for label in explode.split(".")[1:]:
        properties = node.get("properties") if isinstance(node, Mapping) else None
        node = properties.get(label) if isinstance(properties, Mapping) else None
    records = node.get("items") if isinstance(node, Mapping) else None
    return _name_properties(records) or ((label,) if records else ())


def _check_compared(manifest: Manifest, known: set[str], problems: Problems) -> None:
    """Add a problem for each name in `compare` that no schema has; without a schema, any will do."""
    for name in manifest.rules.compare:
        if known and name not in known:
            message = f"compare: no output_schema has the property {quote(name)}"
            problems.add(manifest.path, manifest.compare_lines.get(name), message, suggest(name, known))


def _check_names(
    manifest: Manifest, names: set[str], row_texts: Iterable[Template], problems: Problems
) -> None:
    """Add a problem for each unknown variable in `checks`, and each `--var` that is used nowhere."""
    shared = manifest.shared
    known = frozenset(names | shared.constants.keys() | shared.forced.keys() | {"id", "url", "result"})
    conditions = [compile_where(written, known, problems) for written in manifest.check_texts]
    texts = [shared.url, shared.goal, *row_texts, *conditions]
    texts += [text for part in manifest.parts for text in (part.url, part.where)]
    read = names.union(shared.constants, *(text.variables for text in texts if text is not None))
    for name in sorted(shared.forced.keys() - read):
        problems.add("--var", None, f"{quote(name)} is not used in the manifest", suggest(name, read - known))
