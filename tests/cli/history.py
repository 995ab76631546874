"""Journals with several batches of one manifest, whose results a test gives: nothing is sent for them."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batchfish.core import identity
from batchfish.journal.records import NewBatch
from batchfish.journal.sqlite import SqliteJournal
from batchfish.manifest.load import load_manifest
from tests.journal.building import Driver, commit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SCHEMA = "{type: object, properties: {title: {type: string}, price: {type: number}}}"


@dataclass(kw_only=True)
class History:
    """A manifest in a folder, and the batches of its journal so far."""

    folder: Path
    name: str = "shop"
    schema: str | None = SCHEMA
    rules: str = ""
    number: int = field(default=0, init=False)

    @property
    def journal(self) -> Path:
        return self.folder / ".batchfish" / f"{self.name}.db"

    def add(self, results: Mapping[str, bytes | None]) -> None:
        """Begin another batch of items with these ids; each succeeds with its result, or fails (None)."""
        self.number += 1
        schema = "" if self.schema is None else f", output_schema: {self.schema}"
        head = f"batchfish: 1\nname: {self.name}\ndefaults: {{goal: Read it.{schema}}}\n"
        rows = "".join(f"  - {{id: {name}, url: 'https://shop.example/{name}'}}\n" for name in results)
        path = self.folder / f"{self.name}.yaml"
        path.write_text(f"{head}items:\n{rows}{self.rules}")
        manifest = load_manifest(path)
        self.journal.parent.mkdir(exist_ok=True)
        with closing(SqliteJournal(self.journal)) as journal:
            journal.reader.staged.load(manifest.items(), identity.FINGERPRINT_VERSION)
            journal.reader.staged.compare(None)
            new = NewBatch(
                name=self.name,
                period=None,
                number=self.number,
                base_url="https://agent.example",
                manifest=manifest.resolved(),
                manifest_path=str(path),
                markers=True,
            )
            batch = journal.begin(new, now=1_000.0 * self.number, chance=bytes([self.number] * 4))
            driver = Driver(journal=journal, now=1_000.0 * self.number)
            for item in journal.reader.wanted_rows(batch):
                driver.accept(item.key)
                result = results[item.id]
                driver.finish(item.key, result, "FAILED" if result is None else "COMPLETED")
            commit(journal)
