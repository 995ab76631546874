"""Which batch a `run` continues or begins, found by comparing the manifest with the journal."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchfish.cli.access import spell_api
from batchfish.cli.counts import code_of, count
from batchfish.core import identity
from batchfish.errors import WrongInput
from batchfish.journal import batches, ingest, queries

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from batchfish.journal.base import Batch
    from batchfish.manifest.manifest import Manifest


@dataclass(frozen=True, kw_only=True, slots=True)
class Intention:
    """The batch that a `run` is about (None: one that begins), and what is different about it.

    `leaves` is the batch of this name and period that has not finished, where another is to begin beside it.
    """

    name: str
    period: str | None
    number: int
    batch: Batch | None
    difference: ingest.Difference
    manifest: Mapping[str, Any]
    leaves: Batch | None = None

    @property
    def family(self) -> str:
        """What all batches of this name and period are called together."""
        return self.name if self.number == 1 else self.name.rpartition(".")[0]

    @property
    def is_edited(self) -> bool:
        """Whether the manifest says anything else than what the batch's journal holds."""
        return self.batch is None or not self.difference.is_none or self.batch.manifest != self.manifest


def intend(
    connection: sqlite3.Connection, manifest: Manifest, *, recorded_as: str | None, now: float, anew: bool
) -> Intention:
    """Read the manifest's rows and compare them with the batch that is meant; nothing is changed.

    `recorded_as` is the API that it would be sent to; None where nothing is sent. WrongInput where the
    journal belongs to another one or to another manifest, or the clock went back behind the newest period.
    """
    if recorded_as is not None:
        refuse_other_api(connection, recorded_as)
    period = batches.period_at(manifest.period, now)
    if period is not None and (latest := batches.latest_period(connection, period)) != period:
        raise WrongInput(
            f"the period {period} is older than {latest}, the newest batch's: is the clock right?"
        )
    _refuse_other_manifest(batches.newest(connection), manifest)
    number = batches.latest_number(connection, manifest.name, period)
    newest = batches.named(connection, batches.full_name(manifest.name, period, number)) if number else None
    batch = None if anew else newest
    version = identity.FINGERPRINT_VERSION
    if batch is not None:
        version = batches.fingerprint_version(connection, batch.pk)
    ingest.stage(connection, manifest.items(), version)
    number = batch.number if batch is not None else number + 1
    return Intention(
        name=batches.full_name(manifest.name, period, number),
        period=period,
        number=number,
        batch=batch,
        difference=ingest.compare(connection, batch.pk if batch is not None else None),
        manifest=json.loads(json.dumps(manifest.resolved())),
        leaves=newest if anew and newest is not None and not _has_finished(connection, newest) else None,
    )


def _has_finished(connection: sqlite3.Connection, batch: Batch) -> bool:
    """Whether no item of a batch is left and no attempt of it is open."""
    code = code_of(batch, count(connection, batch.pk))
    return code is not None and not queries.count_open_in(connection, batch.pk)


def refuse_other_api(connection: sqlite3.Connection, recorded_as: str) -> None:
    """Raise WrongInput where this journal has batches of another API.

    That one's runs would be missed here: a doubted create believed absent, a lost journal believed new.
    """
    others = batches.base_urls(connection) - {recorded_as}
    if others:
        raise WrongInput(
            f"this journal belongs to {', '.join(sorted(map(spell_api, others)))}, not to "
            f"{spell_api(recorded_as)}: one journal is of one API. Use another, with --journal FILE, to pay "
            "for the items there as well."
        )


def _refuse_other_manifest(newest: Batch | None, manifest: Manifest) -> None:
    """Raise WrongInput where this journal holds the batches of another name, or of a file beside this."""
    if newest is None:
        return
    other, here = Path(newest.manifest_path), manifest.path.absolute()
    name = newest.manifest["name"]
    if name != manifest.name:
        raise WrongInput(
            f"this journal holds the batches of {name!r} ({other}), not of {manifest.name!r}: one journal is "
            "of one name. Name another with --journal FILE."
        )
    if other != here and other.exists() and other.parent == here.parent:
        raise WrongInput(
            f"{manifest.path} would share the journal of {name!r} with {other}. Give one of them a `name` of "
            "its own."
        )


def take_in(
    connection: sqlite3.Connection,
    manifest: Manifest,
    intention: Intention,
    *,
    base_url: str,
    now: float,
    can_search: bool = True,
) -> int:
    """Begin the batch, or take the edited manifest into it; give its pk.

    `can_search` is false where runs cannot be found by their marker.
    """
    if intention.batch is None:
        new = batches.NewBatch(
            name=manifest.name,
            period=intention.period,
            number=intention.number,
            base_url=base_url,
            manifest=intention.manifest,
            manifest_path=str(manifest.path.absolute()),
            markers=manifest.rules.unanswered.marker and can_search,
        )
        return batches.begin(connection, new, now=now, chance=secrets.token_bytes(4))
    if intention.is_edited:
        batches.amend(connection, intention.batch.pk, intention.manifest)
    return intention.batch.pk
