"""Loading of a manifest from its file and the options of the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from batchfish.core.describe import cut, quote
from batchfish.core.json_text import InvalidJson, read_strictly
from batchfish.manifest.document import MAX_DEPTH, Document
from batchfish.manifest.manifest import Manifest
from batchfish.manifest.problems import Problems, Refused, RefusedLine, suggest
from batchfish.manifest.readers import READERS, RowSource
from batchfish.manifest.request import check_request, check_text, read_goal, read_url
from batchfish.manifest.row import RESERVED
from batchfish.manifest.templates import Part, Shared, Written, compile_text, compile_where
from batchfish.manifest.text_files import TextFile, inspect_file, open_text
from batchfish.manifest.validate import ManifestSummary, SourceSummary, check_rows
from batchfish.manifest.yaml_manifest import Sections, SourceSettings, name_after, read_sections

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from batchfish.core.expressions import Template

__all__ = ["Manifest", "ManifestOptions", "ManifestSummary", "SourceSummary", "load_manifest"]

_YAML = (".yaml", ".yml")


class ManifestOptions(Struct, frozen=True, kw_only=True):
    """Options of the command line that add to a manifest, or override it.

    `folder` is the folder to which the manifest's paths are relative; None for its own.
    """

    variables: Mapping[str, str] = field(default_factory=dict)
    goal: str | None = None
    schema: Path | None = None
    allow_duplicates: bool = False
    folder: Path | None = None


def load_manifest(path: Path, options: ManifestOptions | None = None) -> Manifest:
    """Return a manifest, ready to stream its items.

    Raises ManifestError with every problem found. If there is one, the rows are read to find the others.
    """
    problems = Problems()
    manifest = _Loader(path, options or ManifestOptions(), problems).load()
    if manifest is not None:
        if not problems.total:
            return manifest
        check_rows(manifest, problems)
    raise problems.as_error()


class _Loader:
    """Loads one manifest: each step adds what is wrong to the problems, and goes on."""

    def __init__(self, path: Path, options: ManifestOptions, problems: Problems) -> None:
        self._path = path
        self._options = options
        self._problems = problems
        self._folder = options.folder or path.parent
        self._sections = Sections()

    def load(self) -> Manifest | None:
        """Return the manifest as far as it can be read; None if there is nothing to read."""
        file = self._inspect(self._path, self._path, None)
        if file is None:
            return None
        if self._path.suffix.lower() in _YAML:
            sections = read_sections(file, self._problems)
            if sections is None:
                return None
            self._sections = sections
            sources = list(self._open_sources(file))
        else:
            source = self._open(file, tuple(READERS), self._path, None)
            sources = [(source, None)] if source else []
        forced = self._read_forced()
        known = self._find_names(forced, [source for source, _ in sources])
        sections = self._sections
        return Manifest(
            path=self._path,
            folder=self._folder,
            name=sections.name or name_after(self._path),
            description=sections.description,
            period=sections.period,
            rules=sections.rules,
            shared=self._share(forced, known),
            check_texts=tuple(
                Written(
                    what=f"checks[{index}]",
                    text=check.expr,
                    file=self._path,
                    line=sections.line_of("checks", index),
                )
                for index, check in enumerate(sections.rules.checks)
            ),
            compare_lines={name: sections.line_of("compare", name) for name in sections.rules.compare},
            parts=tuple(self._make_part(source, written, known) for source, written in sources),
            allow_duplicates=self._options.allow_duplicates,
        )

    def _share(self, forced: Mapping[str, str], known: frozenset[str] | None) -> Shared:
        defaults = self._read_defaults()
        templates: dict[str, Template | None] = {}
        for name, read in (("url", read_url), ("goal", read_goal)):
            default = defaults.pop(name, None)
            line = self._sections.line_of("defaults", name)
            if name == "goal" and self._options.goal is not None:
                written = Written(what="goal", text=self._options.goal, file="--goal")
                templates[name] = compile_text(written, known, read, self._problems)
            elif isinstance(default, str) and default.strip():
                written = Written(what=name, text=default, file=self._path, line=line)
                templates[name] = compile_text(written, known, read, self._problems)
            elif name in self._sections.defaults:
                templates[name] = None  # a problem was added when the defaults were read
        return Shared(
            defaults=defaults,
            url=templates.get("url"),
            goal=templates.get("goal"),
            constants=self._sections.constants,
            forced=forced,
            broken=frozenset(name for name, template in templates.items() if template is None),
        )

    def _open_sources(self, file: TextFile) -> Iterator[tuple[RowSource, SourceSettings | None]]:
        if self._sections.has_items and (items := READERS[self._path.suffix.lower()](file, self._problems)):
            yield items, None
        written = self._sections.source
        if written is None:
            return
        line = self._sections.line_of("source", "path")
        found = self._inspect(self._folder / written.path, self._path, line)
        if found is not None:
            suffixes = tuple(suffix for suffix in READERS if suffix not in _YAML)
            if source := self._open(found, suffixes, self._path, line):
                yield source, written

    def _open(
        self, file: TextFile, suffixes: tuple[str, ...], place: Path, line: int | None
    ) -> RowSource | None:
        suffix = file.path.suffix.lower()
        if suffix not in suffixes:
            message = (
                f"{cut(file.path)} has no known format" if place != file.path else "the format is unknown"
            )
            self._problems.add(place, line, message, f"Known: {', '.join(suffixes)}.")
            return None
        return READERS[suffix](file, self._problems)

    def _inspect(self, path: Path, place: Path, line: int | None) -> TextFile | None:
        try:
            return inspect_file(path)
        except Refused as error:
            self._problems.add(place, line, str(error), error.remedy)
        return None

    def _find_names(self, forced: Mapping[str, str], sources: list[RowSource]) -> frozenset[str] | None:
        """Return the names that templates may use; None if each row may have its own."""
        columns = [source.columns for source in sources]
        if not columns or None in columns:
            return None
        names = frozenset({"id", "url"}) | self._sections.constants.keys() | forced.keys()
        return names.union(*(found for found in columns if found is not None))

    def _make_part(
        self, source: RowSource, written: SourceSettings | None, known: frozenset[str] | None
    ) -> Part:
        if written is None:
            return Part(source=source)
        url = where = None
        if written.url is not None:
            text = Written(
                what="source.url",
                text=written.url,
                file=self._path,
                line=self._sections.line_of("source", "url"),
            )
            url = compile_text(text, known, read_url, self._problems)
        if written.where is not None:
            text = Written(
                what="source.where",
                text=written.where,
                file=self._path,
                line=self._sections.line_of("source", "where"),
            )
            where = compile_where(text, known, self._problems)
        return Part(source=source, url=url, id_column=self._find_id_column(source, written), where=where)

    def _find_id_column(self, source: RowSource, written: SourceSettings) -> str | None:
        column = written.id
        if column in (None, "id"):
            return column
        if source.columns is not None and column not in source.columns:
            line = self._sections.line_of("source", "id")
            message = f"{cut(source.file.path)} has no column {quote(column)}"
            self._problems.add(self._path, line, message, suggest(column, source.columns))
            return None
        return column

    def _read_defaults(self) -> dict[str, Any]:
        defaults = dict(self._sections.defaults)
        path = self._options.schema
        if path is None:
            return defaults
        try:
            document = _read_schema(path)
        except (InvalidJson, Refused) as error:
            self._problems.add(path, getattr(error, "line", None), str(error), error.remedy)
            return defaults
        for fault in check_request({"output_schema": document.value}):
            line = document.line_of(fault.keys[1:]) if document.lines else None
            self._problems.add(path, line, fault.message, fault.remedy)
        return defaults | {"output_schema": document.value}

    def _read_forced(self) -> Mapping[str, str]:
        forced = {}
        for name, text in self._options.variables.items():
            forced[name] = text
            if name in RESERVED:
                self._problems.add("--var", None, f"{quote(name)} is a field of the item, not a variable")
            try:
                check_text(text)
            except Refused as error:
                self._problems.add("--var", None, f"{cut(name)}: {error}", error.remedy)
                forced[name] = "-"  # a valid text, so that the rows can be checked
        return forced


def _read_schema(path: Path) -> Document:
    """Return the schema in a file: YAML or JSON, by its suffix."""
    with open_text(inspect_file(path)) as stream:
        if path.suffix.lower() not in _YAML:
            return Document(value=read_strictly(stream.read(), max_depth=MAX_DEPTH), lines={})
        from batchfish.manifest.yaml_events import read_document

        document = read_document(stream)
    for notation in document.faults:
        raise RefusedLine(notation.line, notation.message, notation.remedy)
    return document
