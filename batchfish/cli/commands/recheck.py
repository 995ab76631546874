"""`batchfish recheck`: judges the stored results of a batch again, without a request."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import to_builtins

from batchfish.cli.agreement import agreement_of
from batchfish.cli.counts import count, exit_code, finished_code
from batchfish.cli.documents import DocumentType, put_document
from batchfish.cli.factory import owned_journal
from batchfish.cli.locate import batch_in, find, spell
from batchfish.cli.options import JournalChange, TableOptions, batch_argument
from batchfish.cli.output import write_batch
from batchfish.cli.parser import Arguments, group
from batchfish.core.describe import several
from batchfish.pipeline.policy import policy_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchfish.cli.console import Console
    from batchfish.journal.records import Batch
    from batchfish.journal.sqlite import SqliteJournal

WITH_RULES = frozenset({".yaml", ".yml"})
"""The suffixes of manifests that can have checks."""


class Options(Arguments, frozen=True, kw_only=True):
    """The options of `recheck`."""

    batch: str | None = batch_argument()
    table: TableOptions = group(TableOptions, "output", only=("output", "csv_raw"))
    journal: JournalChange = group(JournalChange)


def run(options: Options, _env: Mapping[str, str], console: Console) -> int:
    """Judge the results of a batch under its manifest's present checks, and write its table again."""
    from batchfish.pipeline.recheck import flag_same_answers, recheck

    place, agreement = find(options.batch, options.journal.location), agreement_of(options.journal.questions)
    with owned_journal(place.journal, agreement) as journal:
        batch = _with_present_checks(journal, batch_in(journal.reader, place.batch), console)
        report = asyncio.run(recheck(journal, batch.pk, policy_of(batch), time.time()))
        suspicious = flag_same_answers(journal, batch.pk, time.time())
        counts = count(journal.reader, batch.pk)
        code = finished_code(journal.reader, batch, count_others=False)
        if code is None or report.fail_now or report.succeed_now:
            was_cancelled = journal.reader.was_cancelled(batch.pk)
            code = exit_code(counts, None, None, was_cancelled=was_cancelled)
        if batch.exit_code is not None:
            journal.finish(batch.pk, code, batch.ended_at or time.time())
        table = write_batch(journal.path, batch, options.table, agreement, journal.record_output).path
        if options.journal.reporting.json:
            put_document(
                DocumentType.RECHECK,
                batch=batch.name,
                **to_builtins(report),
                suspicious=suspicious,
                counts=dict(counts.by_status),
                exit_code=code,
                table=str(table),
            )
            return code
        changes = f"{report.fail_now:,} fail now, {report.succeed_now:,} succeed now"
        if not report.fail_now and not report.succeed_now:
            changes = "no status has changed"
        console.say(
            f"{batch.name}: judged {several(report.judged, 'result')} again: {changes}. Nothing was sent."
        )
        if report.still_running:
            console.say(f"{several(report.still_running, 'item')} with another run alive left as they were")
        if suspicious:
            console.say(f"{several(suspicious, 'item')} share an answer with many others: column suspicious")
        console.say(f"{batch.name}: {counts}")
        if report.fail_now:
            console.say(f"to pay for another attempt: batchfish retry {spell(journal.path, batch)} --failed")
    return code


def _with_present_checks(journal: SqliteJournal, batch: Batch, console: Console) -> Batch:
    """Return the batch with the checks that its manifest has now, which the journal then has, too."""
    from batchfish.manifest.load import load_manifest

    path = Path(batch.manifest_path)
    if path.suffix not in WITH_RULES:
        return batch
    if not path.exists():
        console.warn(f"{path} is gone: its results are judged under the checks that it had when it was run")
        return batch
    manifest = load_manifest(path)
    rules, variables = to_builtins(manifest.rules), batch.manifest.get("variables", {})
    present = {name: rules[name] for name in ("checks", "block_search")}
    if changed := [name for name, value in manifest.variables.items() if variables.get(name, value) != value]:
        console.warn(f"checks use the values of {', '.join(changed)} that {path} has now")
    journal.change_rules(batch.pk, present, {**variables, **manifest.variables})
    return journal.batch(batch.pk)
