"""Chooses the batch that a `run` of a manifest continues or begins, and writes it to the journal."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from batchfish.cli.access import spell_api
from batchfish.cli.counts import finished_code
from batchfish.core import identity
from batchfish.core.names import full_name
from batchfish.core.periods import period_at
from batchfish.errors import WrongInput
from batchfish.journal.records import NewBatch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchfish.journal.ingest import Difference
    from batchfish.journal.queries import JournalReader
    from batchfish.journal.records import Batch
    from batchfish.journal.row_file import RowFile
    from batchfish.journal.sqlite import SqliteJournal
    from batchfish.manifest.manifest import Manifest


class BatchChoice(Struct, frozen=True, kw_only=True):
    """The batch that a `run` is about, and how the manifest differs from what its journal holds.

    `batch` is None for one that is to begin. `unfinished` is the batch of the same name and period that has
    not finished, if another one is to begin all the same.
    """

    name: str
    period: str | None
    number: int
    batch: Batch | None
    difference: Difference
    manifest: Mapping[str, Any]
    unfinished: Batch | None = None

    @property
    def first_name(self) -> str:
        """The full name of the first batch of this name and period."""
        return self.name if self.number == 1 else self.name.rpartition(".")[0]

    @property
    def is_edited(self) -> bool:
        """Whether the manifest differs from what the journal holds; true for a batch that is to begin."""
        return self.batch is None or not self.difference.is_none or self.batch.manifest != self.manifest


def choose_batch(
    reader: JournalReader,
    manifest: Manifest,
    rows: RowFile,
    *,
    recorded_as: str | None,
    now: float,
    begins_new: bool,
) -> BatchChoice:
    """Compare the manifest's rows with the batch that they belong to; write nothing.

    `rows` holds its rows, and is closed here. `recorded_as` is the API that requests would go to; None if
    none are sent. WrongInput if the journal belongs to another API or another manifest, or if the clock is
    behind the newest period.
    """
    if recorded_as is not None:
        refuse_other_api(reader, recorded_as)
    period = period_at(manifest.period, now)
    if period is not None and (latest := reader.latest_period(period)) != period:
        raise WrongInput(
            f"the period {period} is older than {latest}, the newest batch's", remedy="Is the clock right?"
        )
    _refuse_other_manifest(reader.newest_batch(), manifest)
    number = reader.latest_number(manifest.name, period)
    newest = reader.batch_named(full_name(manifest.name, period, number)) if number else None
    batch = None if begins_new else newest
    version = identity.FINGERPRINT_VERSION if batch is None else reader.fingerprint_version(batch.pk)
    if rows.version == version:
        reader.staged.attach(rows)
    else:
        reader.staged.load(manifest.items(), version)
    number = batch.number if batch is not None else number + 1
    is_left = begins_new and newest is not None and finished_code(reader, newest, count_others=False) is None
    return BatchChoice(
        name=full_name(manifest.name, period, number),
        period=period,
        number=number,
        batch=batch,
        difference=reader.staged.compare(batch.pk if batch is not None else None),
        manifest=json.loads(json.dumps(manifest.resolved(None if batch is None else batch.manifest))),
        unfinished=newest if is_left else None,
    )


def refuse_other_api(reader: JournalReader, recorded_as: str) -> None:
    """Raise WrongInput if the journal has batches of another API.

    The runs of that API would be missing in this one's listings, and would be believed not to exist.
    """
    others = reader.base_urls() - {recorded_as}
    if others:
        raise WrongInput(
            f"this journal belongs to {', '.join(sorted(map(spell_api, others)))}, not to "
            f"{spell_api(recorded_as)}, and a journal has batches of one API only",
            remedy="To pay for the items there as well, name another journal with --journal FILE.",
        )


def _refuse_other_manifest(newest: Batch | None, manifest: Manifest) -> None:
    """Raise WrongInput if the journal holds the batches of another name, or of another file in its folder."""
    if newest is None:
        return
    other, here = Path(newest.manifest_path), manifest.path.absolute()
    name = newest.manifest["name"]
    if name != manifest.name:
        raise WrongInput(
            f"this journal holds the batches of {name!r} ({other}), not of {manifest.name!r}, and a journal "
            "has batches of one name only",
            remedy="Name another with --journal FILE.",
        )
    if other != here and other.exists() and other.parent == here.parent:
        raise WrongInput(
            f"{manifest.path} would share the journal of {name!r} with {other}",
            remedy="Give one of them a `name` of its own.",
        )


def begin_or_amend(
    journal: SqliteJournal,
    manifest: Manifest,
    choice: BatchChoice,
    *,
    base_url: str,
    now: float,
    can_search: bool,
) -> Batch:
    """Write the chosen batch to the journal, with its items, and return it.

    `can_search` is false if runs cannot be found by their marker, so that goals of a new batch carry none.
    """
    if choice.batch is not None:
        if choice.is_edited:
            journal.amend(choice.batch.pk, choice.manifest)
        pk = choice.batch.pk
    else:
        new = NewBatch(
            name=manifest.name,
            period=choice.period,
            number=choice.number,
            base_url=base_url,
            manifest=choice.manifest,
            manifest_path=str(manifest.path.absolute()),
            markers=manifest.rules.unanswered.marker and can_search,
        )
        pk = journal.begin(new, now=now, chance=secrets.token_bytes(4))
    journal.reader.staged.detach()
    return journal.batch(pk)
