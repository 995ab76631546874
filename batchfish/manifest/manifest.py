"""A manifest that was read: what it asks for, as a stream of items that can be had any number of times."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from batchfish.core.describe import quote
from batchfish.core.identity import fingerprint
from batchfish.core.rules import Rules
from batchfish.manifest.duplicates import SeenBefore
from batchfish.manifest.problems import Problems
from batchfish.manifest.render import Part, Renderer, Shared

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from batchfish.core.items import ItemSpec


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceSummary:
    """A source of rows: its file, the delimiter found, its items, and the rows that `where` left out."""

    path: Path
    delimiter: str | None
    items: int
    left_out: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ManifestSummary:
    """What a check of the whole manifest found; `duplicates` counts repetitions that were numbered."""

    items: int
    sources: tuple[SourceSummary, ...]
    duplicates: int
    variables: tuple[str, ...]
    properties: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """What a file asks for. Its paths are relative to `folder`."""

    path: Path
    folder: Path
    name: str
    description: str | None = None
    period: str | None = None
    rules: Rules = field(default_factory=Rules)
    shared: Shared = field(default_factory=Shared)
    parts: tuple[Part, ...] = ()
    allow_duplicates: bool = False

    @property
    def variables(self) -> Mapping[str, str]:
        """The variables that all items share: constants, and those of flags over them."""
        return {**self.shared.constants, **self.shared.forced}

    @property
    def delimiter(self) -> str | None:
        """The delimiter of the table that rows come from, if one does."""
        return next((part.source.delimiter for part in self.parts if part.source.delimiter), None)

    def items(self) -> Iterator[ItemSpec]:
        """Read the rows anew and yield the items.

        ManifestError at the first thing wrong; WrongInput where a file changed since it was loaded.
        """
        problems = Problems()
        renderer = Renderer(self.shared, problems)
        for part in self.parts:
            for spec in renderer.items(part):
                problems.raise_if_any()
                yield spec
            problems.raise_if_any()

    def check(self) -> ManifestSummary:
        """Read everything once; ManifestError with all that is wrong."""
        problems = Problems()
        summary = check_rows(self, problems)
        problems.raise_if_any()
        return summary

    def resolved(self) -> dict[str, Any]:
        """Everything but the rows, in JSON's types, for the journal; `rules_from` reads the rules back."""
        return {
            "format": 1,
            "name": self.name,
            "description": self.description,
            "period": self.period,
            "rules": asdict(self.rules),
            "variables": dict(self.variables),
            "defaults": {
                **self.shared.defaults,
                **{
                    name: template.text
                    for name, template in (("url", self.shared.url), ("goal", self.shared.goal))
                    if template is not None
                },
            },
        }


def check_rows(manifest: Manifest, problems: Problems) -> ManifestSummary:
    """Go through all rows once and note everything that is wrong with them."""
    renderer = Renderer(manifest.shared, problems)
    twice = _Repetitions(manifest, problems)
    sources = []
    names: set[str] = set()
    properties: dict[str, None] = {}
    schemas: set[int] = set()
    for number, part in enumerate(manifest.parts):
        before, left_out = renderer.row, renderer.left_out
        for spec in renderer.items(part):
            twice.look(spec, number)
            if part.source.columns is None:
                names.update(spec.inputs)
            schema = spec.request.get("output_schema")
            if schema is not None and id(schema) not in schemas:
                schemas.add(id(schema))
                properties.update(dict.fromkeys(schema.get("properties", ())))
        names |= part.source.columns or frozenset()
        sources.append(
            SourceSummary(
                path=part.source.file.path,
                delimiter=part.source.delimiter,
                items=renderer.row - before,
                left_out=renderer.left_out - left_out,
            )
        )
    return ManifestSummary(
        items=renderer.row,
        sources=tuple(sources),
        duplicates=twice.numbered,
        variables=tuple(sorted(names | manifest.variables.keys())),
        properties=tuple(properties),
    )


class _Repetitions:
    """Finds ids that stand twice, and rows without ids that ask for the same."""

    def __init__(self, manifest: Manifest, problems: Problems) -> None:
        self._manifest = manifest
        self._problems = problems
        self._ids = SeenBefore()
        self._fingerprints = SeenBefore()
        self.numbered = 0

    def look(self, spec: ItemSpec, part: int) -> None:
        """Note an item that stands twice, with the line of the first."""
        number = (spec.line or 0) * 4 + part
        if spec.id is not None:
            first = self._ids.add(hash(spec.id), number)
            if first is not None:
                message = f"the id {quote(spec.id)} stands twice, first {self._place(first, part)}"
                self._note(spec, part, message, "Give each row an id of its own.")
            return
        first = self._fingerprints.add(int.from_bytes(fingerprint(spec)[:8]), number)
        if first is None:
            return
        self.numbered += 1
        if not self._manifest.allow_duplicates:
            message = f"the row asks for the same as the one {self._place(first, part)}"
            self._note(spec, part, message, "Remove it, give both an id, or pass --allow-duplicates.")

    def _place(self, number: int, part: int) -> str:
        line, first_part = divmod(number, 4)
        path = self._manifest.parts[first_part].source.file.path
        return f"on line {line}" + (f" of {path}" if first_part != part else "")

    def _note(self, spec: ItemSpec, part: int, message: str, remedy: str) -> None:
        self._problems.add(self._manifest.parts[part].source.file.path, spec.line, message, remedy)
