"""Which batch a `run` is about: one that begins, one that goes on, or one whose manifest was edited."""

from __future__ import annotations

import json
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchfish.cli.agreement import Question
from batchfish.cli.counts import code_of, count
from batchfish.cli.messages import several
from batchfish.cli.settings import spell_api
from batchfish.cli.wiring import SystemClock, chance
from batchfish.core import identity
from batchfish.core.identity import BATCH_PREFIX_LETTERS
from batchfish.errors import NeedsYes, StorageFailed, WrongInput
from batchfish.journal import batches, ingest, queries
from batchfish.pipeline.backoff import in_time
from batchfish.pipeline.lookup import name_runs
from batchfish.pipeline.strangers import find_strangers

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Mapping

    from batchfish.cli.agreement import Agreement
    from batchfish.journal.base import Batch
    from batchfish.journal.sqlite import SqliteJournal
    from batchfish.manifest.manifest import Manifest
    from batchfish.webagent.base import WebAgent


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


def agree_to_changes(intention: Intention, agreement: Agreement) -> None:
    """Raise NeedsYes unless a person agrees to pay again for items that have begun and were changed."""
    changed = intention.difference.changed
    if changed:
        examples = ", ".join(intention.difference.changed_examples)
        agreement.ask(
            Question.CHANGES,
            f"{several(changed, 'changed item')} of {intention.name} would be paid for again (such as "
            f"{examples}). `batchfish plan` shows them; put the manifest back to keep what was paid for.",
        )


def refuse_same_items_beside(
    journal: SqliteJournal,
    manifest: Manifest,
    intention: Intention,
    recorded_as: str,
    agreement: Agreement,
) -> None:
    """Ask before items are paid for that have begun in another journal of the same folder.

    An agreement holds in both directions and for the later batches of either name. Journals of tries are left
    out: a try is paid for on purpose.
    """
    found: list[ingest.Neighbour] = []
    for path in sorted(journal.path.parent.glob("*.db")):
        if path != journal.path and not path.stem.endswith(identity.TRY_SUFFIX):
            with suppress(StorageFailed):  # what cannot be read here cannot be compared
                found += ingest.neighbours_in(
                    journal.connection, path, name=manifest.name, base_url=recorded_as
                )
    agreed = journal.agreed_strangers()
    asked = [one for one in found if not one.is_agreed and one.name not in agreed]
    if asked:
        number = max(one.begun for one in asked)
        names = " and ".join(sorted({one.name for one in asked}))
        agreement.ask(
            Question.SAME_ITEMS,
            f"{several(number, 'item')} of {intention.name} {'was' if number == 1 else 'were'} paid for in "
            f"batch {names} of this folder, and would be paid for again.",
        )
    if found:
        tolerated = {name for one in found for name in (one.name, one.batch8)}
        journal.agree_to_strangers(tolerated, SystemClock().now())
        journal.commit_now()


async def refuse_strangers(
    journal: SqliteJournal,
    agent: WebAgent,
    manifest: Manifest,
    intention: Intention,
    *,
    anew: bool,
    agreement: Agreement,
    patience: float,
    notice: Callable[[str], None],
) -> bool:
    """Search the account for runs of these items that another journal made; nothing was begun yet.

    False where a person agreed that runs without a readable marker are nobody's: then none can be found
    by its marker. NeedsYes where a journal was lost, unless the batch is begun `anew`, or where a person
    does not agree to pay for the same items again.
    """
    clock, connection = SystemClock(), journal.connection
    now = clock.now()
    search = find_strangers(
        agent,
        [
            f"bf-{identity.batch_prefix(intention.family)}",
            *(f"-{key}-" for key in ingest.some_keys(connection)),
        ],
        known=journal,
        batch8s=journal.batch8s() | journal.agreed_strangers(),
        clock=clock,
        chance=chance(),
        patience=patience,
    )
    found = await in_time(search, clock, max_outage=patience, notice=notice)
    tries = identity.batch_prefix(manifest.name + identity.TRY_SUFFIX)
    keys: dict[str, set[str]] = {}
    for marker in found.markers:
        if not marker.batch8.startswith(tries):
            keys.setdefault(marker.batch8, set()).add(marker.key)
    counts = {batch8: ingest.count_staged(connection, those) for batch8, those in keys.items()}
    family = {identity.batch_prefix(intention.family)} | {
        identity.batch_prefix(batches.full_name(manifest.name, period, 1))
        for period in (None, *batches.periods_before(manifest.period, now))
    }
    lost = {one for one, number in counts.items() if number and one[:BATCH_PREFIX_LETTERS] in family}
    strange = {one for one, number in counts.items() if number and one not in lost}
    if lost and not anew:
        raise NeedsYes(
            f"the account already has runs for {several(sum(counts[one] for one in lost), 'item')} of "
            f"{intention.name}, made with a journal that is not {journal.path}. Put that journal back, or "
            "pay for them again with --new."
        )
    if strange:
        agreement.ask(
            Question.SAME_ITEMS,
            f"the account already has runs for items of {intention.name}, made by a batch under another name "
            f"or in another folder ({', '.join(sorted(strange))}); they would be paid for again.",
        )
    if found.unread:
        agreement.ask(
            Question.UNREAD_RUNS,
            f"the API's listing shows runs that may be for items of {intention.name}, but not the reference "
            f"line in their goals: {name_runs(found.unread)}. If they are, their items are paid for again. "
            "To bind some of them to their items first, agree and add --drain, so that nothing is sent, then "
            "use `batchfish held adopt ITEM RUN`.",
        )
    journal.agree_to_strangers(lost | strange, now)
    journal.disown((run.run_id for run in found.unread), now)
    journal.commit_now()
    return not found.unread


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
