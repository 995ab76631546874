"""The Manifest: everything that a file says about its batch, and the stream of its items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct, field, to_builtins

from batchfish.core.rules import Rules
from batchfish.core.window import AUTO
from batchfish.manifest.problems import Problems
from batchfish.manifest.templates import Part, Renderer, Shared
from batchfish.manifest.validate import ManifestSummary, check_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from batchfish.core.items import ItemSpec
    from batchfish.manifest.templates import Written
    from batchfish.manifest.validate import RowStore


class Manifest(Struct, frozen=True, kw_only=True):
    """A loaded manifest. Its paths are relative to `folder`."""

    path: Path
    folder: Path
    name: str
    description: str | None = None
    period: str | None = None
    rules: Rules = field(default_factory=Rules)
    shared: Shared = field(default_factory=Shared)
    parts: tuple[Part, ...] = ()
    check_texts: tuple[Written, ...] = ()
    compare_lines: Mapping[str, int | None] = field(default_factory=dict)
    allow_duplicates: bool = False

    @property
    def variables(self) -> Mapping[str, str]:
        """The variables that all items share; options override constants."""
        return {**self.shared.constants, **self.shared.forced}

    def items(self) -> Iterator[ItemSpec]:
        """Read the rows from the beginning and yield their items.

        Raises ManifestError at the first problem, and WrongInput if a file changed since it was first read.
        """
        problems = Problems()
        renderer = Renderer(self.shared, problems)
        for part in self.parts:
            for spec in renderer.items(part):
                problems.raise_if_any()
                yield spec
            problems.raise_if_any()

    def check(self, store: RowStore | None = None) -> ManifestSummary:
        """Read all rows once and return a summary; raise ManifestError with every problem.

        With a `store`, their items are in it afterwards, and need not be read again.
        """
        problems = Problems()
        summary = check_rows(self, problems, store)
        problems.raise_if_any()
        return summary

    def resolved(self, stored: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return everything but the rows in JSON's types, as the journal stores it.

        `stored` is what the journal has of a batch that has begun: its concurrency stays where the manifest
        sets none.
        """
        rules = to_builtins(self.rules)
        if self.rules.limits.concurrency is None:
            kept = stored["rules"]["limits"]["concurrency"] if stored else to_builtins(AUTO)
            rules["limits"]["concurrency"] = kept
        for name in ("budget", "compare", "fresh_for", "notify"):
            if not rules[name]:
                del rules[name]  # a batch of an earlier version, which lacks it, is not an edited one
        return {
            "format": 1,
            "name": self.name,
            "description": self.description,
            "period": self.period,
            "rules": rules,
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
