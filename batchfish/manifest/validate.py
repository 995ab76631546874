"""Validate all rows of a manifest in one pass."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchfish.core.describe import quote
from batchfish.core.identity import fingerprint
from batchfish.manifest.problems import Problems, suggest
from batchfish.manifest.templates import Renderer, compile_where

if TYPE_CHECKING:
    from pathlib import Path

    from batchfish.core.expressions import Template
    from batchfish.core.items import ItemSpec
    from batchfish.manifest.manifest import Manifest


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
                properties.update(dict.fromkeys(_name_properties(schema)))
        names |= part.source.columns or frozenset()
        sources.append(
            SourceSummary(
                path=part.source.file.path,
                delimiter=part.source.delimiter,
                items=renderer.row - before,
                left_out=renderer.left_out - left_out,
            )
        )
    if renderer.row:
        _check_names(manifest, names, renderer.row_texts, problems)
    return ManifestSummary(
        items=renderer.row,
        sources=tuple(sources),
        duplicates=twice.numbered,
        variables=tuple(sorted(names | manifest.variables.keys())),
        properties=tuple(properties),
    )


def _name_properties(schema: object) -> Iterable[str]:
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    return properties if isinstance(properties, Mapping) else ()


def _check_names(
    manifest: Manifest, names: set[str], row_texts: Iterable[Template], problems: Problems
) -> None:
    """Note variables that checks read and nobody sets, and variables of flags that nobody reads."""
    shared = manifest.shared
    known = frozenset(names | shared.constants.keys() | shared.forced.keys() | {"id", "url", "result"})
    conditions = [compile_where(written, known, problems) for written in manifest.check_texts]
    texts = [shared.url, shared.goal, *row_texts, *conditions]
    texts += [text for part in manifest.parts for text in (part.url, part.where)]
    read = names.union(shared.constants, *(text.variables for text in texts if text is not None))
    for name in sorted(shared.forced.keys() - read):
        problems.add(
            "--var", None, f"{quote(name)} is read nowhere in the manifest", suggest(name, read - known)
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


_MASK = (1 << 64) - 1


class SeenBefore:
    """Remembers 64-bit digests, and the number that came with each first one.

    A table of its own: a set of a million Python integers takes 100 MB. Among a million different rows two
    digests are equal by chance once in 37 million times: then two rows are called equal that are not.
    """

    def __init__(self) -> None:
        self._digests = array("Q", bytes(8 * 1024))
        self._numbers = array("Q", bytes(8 * 1024))
        self._count = 0

    def add(self, digest: int, number: int) -> int | None:
        """Remember a digest; give the number of its first occurrence if it was here before."""
        digest = digest & _MASK or 1  # 0 marks a free place
        digests = self._digests
        last = len(digests) - 1
        place = digest & last
        while held := digests[place]:
            if held == digest:
                return self._numbers[place]
            place = (place + 1) & last
        digests[place], self._numbers[place] = digest, number
        self._count += 1
        if self._count * 2 > last:
            self._grow()
        return None

    def _grow(self) -> None:
        digests, numbers = self._digests, self._numbers
        self._digests = array("Q", bytes(16 * len(digests)))
        self._numbers = array("Q", bytes(16 * len(digests)))
        self._count = 0
        for digest, number in zip(digests, numbers, strict=True):
            if digest:
                self.add(digest, number)
