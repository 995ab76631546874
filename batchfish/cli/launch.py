"""Announces what a command is about to do with a batch, before anything is paid for."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from batchfish.cli.access import LOCAL_BASE, spell_api
from batchfish.cli.console import put_if_possible
from batchfish.cli.counts import Counts, count, most_runs
from batchfish.cli.documents import DocumentType, describe_summary, document
from batchfish.cli.locate import spell
from batchfish.core.describe import several, spell_bounds
from batchfish.core.items import Status
from batchfish.core.window import AUTO
from batchfish.errors import BatchfishError
from batchfish.journal.queries import open_reader

if TYPE_CHECKING:
    from pathlib import Path

    from batchfish.cli.console import Console
    from batchfish.cli.cost import Money
    from batchfish.cli.failures import Failure
    from batchfish.core.rules import Rules
    from batchfish.journal.records import Batch
    from batchfish.journal.sqlite import SqliteJournal


def announce(
    console: Console,
    batch: Batch,
    selected: Counts,
    rules: Rules,
    money: Money | None = None,
    reused: int = 0,
) -> None:
    """Print the message about what is going to be submitted, and about its budget.

    `reused` of the selected items take the result of an earlier batch instead.
    """
    spent = "" if money is None else f"; {money}"
    reuse = f", {reused:,} of them with a result of an earlier batch" if reused else ""
    console.say(
        f"{batch.name}: {selected}{reuse}; {spell_bounds(rules.limits.concurrency or AUTO)} on "
        f"{spell_api(batch.base_url)}, at most {several(rules.retry.attempts, 'attempt')} an item"
        f"{spent}"
    )


def put_launch(
    console: Console,
    journal: SqliteJournal,
    batch: Batch,
    selected: Counts,
    rules: Rules,
    *,
    submits: bool,
    money: Money | None = None,
    reused: int = 0,
) -> None:
    """Print the launch document; from now on, a failure of this command is described in a summary.

    `selected` counts the items that this process may submit; `reused` of them take the result of an earlier
    batch instead.
    """
    counts, command = count(journal.reader, batch.pk), f"batchfish resume {spell(journal.path, batch)}"
    bounds, to_submit = rules.limits.concurrency or AUTO, selected[Status.QUEUED] - reused if submits else 0
    put_if_possible(
        document(
            DocumentType.LAUNCH,
            batch=batch.name,
            journal=journal.path.absolute(),
            base_url=batch.base_url,
            local=batch.base_url == LOCAL_BASE,
            counts=dict(counts.by_status),
            reused=reused,
            to_submit=to_submit,
            most_runs=most_runs(selected, to_submit, rules.retry.attempts) if submits else 0,
            concurrency=str(bounds),
            bound=bounds.most,
            resume=command,
            money=None if money is None else money.as_object,
        )
    )
    console.describe_failure = lambda failure: _describe_failure(
        journal.path, batch, failure, counts=counts, command=command
    )


def _describe_failure(journal: Path, batch: Batch, failure: Failure, *, counts: Counts, command: str) -> str:
    """Return the summary of a batch whose command failed; `counts` serve if the journal cannot be read."""
    with suppress(BatchfishError), open_reader(journal) as reader:
        counts = count(reader, batch.pk)
    return describe_summary(failure.exit_code, counts, batch=batch, command=command, failure=failure)
