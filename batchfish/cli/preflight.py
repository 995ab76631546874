"""Checks everything that can refuse a batch, or ask about it, before anything is paid for.

A command that submits calls one of the two functions here once: `check_run` for a manifest, `check_batch` for
a batch that has begun. Each returns how to reach the API.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec import Struct

from batchfish.cli.access import Access, local_agent, reach
from batchfish.cli.agreement import Question
from batchfish.cli.counts import count
from batchfish.cli.factory import chance, make_client
from batchfish.cli.locate import JOURNAL_SUFFIX, spell
from batchfish.cli.output import (
    check_output,
    check_report,
    refuse_shared_file,
    refuse_to_replace_rows,
    target_for,
    target_of,
)
from batchfish.cli.system_clock import SystemClock
from batchfish.core import identity
from batchfish.core.addresses import is_loopback
from batchfish.core.describe import several
from batchfish.core.identity import BATCH_PREFIX_LETTERS
from batchfish.core.names import TRY_SUFFIX, full_name
from batchfish.core.periods import periods_before
from batchfish.core.rules import rules_from
from batchfish.errors import NeedsYes, StorageFailed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import ExitStack

    from batchfish.cli.agreement import Agreement
    from batchfish.cli.batch_choice import BatchChoice
    from batchfish.cli.console import Console
    from batchfish.cli.options import Execution, Pace
    from batchfish.core.rules import Rules
    from batchfish.journal.ingest import Overlap
    from batchfish.journal.records import Batch
    from batchfish.journal.sqlite import SqliteJournal
    from batchfish.manifest.manifest import Manifest
    from batchfish.pipeline.search import ForeignRuns

SHORTEST_SETTLE = 30.0
"""Seconds; a shorter `settle` is asked about for an API over the network."""

TO_BIND = (
    "To bind some of them to their items first, agree and add --drain, so that nothing is sent, then use "
    "`batchfish held adopt ITEM RUN`."
)


class Clearance(Struct, frozen=True, kw_only=True):
    """The result of `check_run`: how to reach the API, and whether runs can be found by their marker."""

    access: Access
    can_search: bool


class RunCheck(Struct, frozen=True, kw_only=True):
    """A `run` that is to be checked. `access` is None for the local agent, which `check_run` starts."""

    manifest: Manifest
    choice: BatchChoice
    journal: SqliteJournal
    access: Access | None
    execution: Execution
    agreement: Agreement
    console: Console
    env: Mapping[str, str]
    begins_new: bool


async def check_run(check: RunCheck, stack: ExitStack) -> Clearance:
    """Check a manifest's batch; the local agent that it needs is closed with the stack.

    WrongInput if table or report cannot be written. NeedsYes if nobody agrees to what would be paid for
    again, or if the journal of earlier runs was lost.
    """
    _ask_unfinished_batch(check)
    # For a new batch it is asked last whether a file may be replaced: the reason may be a lost journal.
    _check_output(check, None if check.choice.batch is None else check.agreement)
    _ask_changes(check)
    access = check.access or stack.enter_context(
        local_agent(check.execution.api.agent, check.env, check.manifest.folder)
    )
    ask_short_settle(check.execution.pace, check.manifest.rules, access, check.agreement)
    if check.choice.batch is not None:
        return Clearance(access=access, can_search=True)
    await _ask_same_items_in_folder(check, access.recorded_as)
    can_search = await _ask_runs_of_other_journals(check, access)
    _check_output(check, check.agreement)
    return Clearance(access=access, can_search=can_search)


def check_batch(
    batch: Batch,
    journal: SqliteJournal,
    execution: Execution,
    agreement: Agreement,
    env: Mapping[str, str],
    stack: ExitStack,
) -> Access:
    """Check a batch that has begun; the local agent that it needs is closed with the stack.

    WrongInput if options name another API, or if table or report cannot be written. NeedsYes if nobody agrees
    to a short settle time or to replacing another file.
    """
    access = reach(execution.api, env, batch, stack)
    ask_short_settle(execution.pace, rules_from(batch.manifest), access, agreement)
    if not execution.pace.drain:  # a drain pays for nothing, and no file may prevent a cancel
        target = target_of(batch, execution.table.output)
        refuse_shared_file(execution.reporting.joblog, target.path, execution.reporting.report)
        check_output(journal.reader, target, agreement)
        check_report(journal.reader, execution.reporting.report, agreement)
    return access


def ask_short_settle(pace: Pace, rules: Rules, access: Access, agreement: Agreement) -> None:
    """Ask if an unanswered create would be believed absent too soon for an API over the network."""
    settle = rules.unanswered.settle if pace.settle is None else pace.settle
    if settle < SHORTEST_SETTLE and not is_loopback(access.base_url):
        source = "`unanswered.settle` in the manifest" if pace.settle is None else "--settle"
        agreement.ask(
            Question.SHORT_SETTLE,
            f"{settle:g}s ({source}) is short for an API over the network: a run that shows later is paid "
            "for twice.",
            remedy=f"Use at least {SHORTEST_SETTLE:g}s.",
        )


def _ask_unfinished_batch(check: RunCheck) -> None:
    """Ask before another batch of a name begins although the last one has not finished."""
    left, name = check.choice.unfinished, check.choice.name
    if left is not None:
        check.agreement.ask(
            Question.UNFINISHED_BATCH,
            f"{left.name} has not finished ({count(check.journal.reader, left.pk)}). --new would begin "
            f"{name} all the same, and pay for every item again.",
            remedy=f"To go on with {left.name}: batchfish resume {spell(check.journal.path, left)}.",
        )


def _check_output(check: RunCheck, agreement: Agreement | None) -> None:
    manifest, output = check.manifest, check.execution.table.output
    target = target_for(check.choice.name, manifest.rules.output.path, manifest.folder.absolute(), output)
    refuse_to_replace_rows(target.path, manifest)
    refuse_shared_file(check.execution.reporting.joblog, target.path, check.execution.reporting.report)
    check_output(check.journal.reader, target, agreement)
    check_report(check.journal.reader, check.execution.reporting.report, agreement)


def _ask_changes(check: RunCheck) -> None:
    """Ask before items are paid for that were changed after they had begun or were cancelled."""
    difference = check.choice.difference
    if difference.changed:
        examples = ", ".join(difference.changed_examples)
        check.agreement.ask(
            Question.CHANGES,
            f"{several(difference.changed, 'changed item')} of {check.choice.name} that had begun or "
            f"{'was' if difference.changed == 1 else 'were'} cancelled would be submitted and paid for "
            f"(such as {examples}).",
            remedy="`batchfish plan` shows them; put the manifest back to keep what was paid for.",
        )


async def _ask_same_items_in_folder(check: RunCheck, recorded_as: str) -> None:
    """Ask before items are paid for that have begun in another journal of the same folder.

    An agreement holds in both directions and for the later batches of either name. Journals of tries are left
    out: a try is paid for on purpose.
    """
    journal, manifest = check.journal, check.manifest
    found: list[Overlap] = []
    for path in sorted(journal.path.parent.glob(f"*{JOURNAL_SUFFIX}")):
        if path != journal.path and not path.stem.endswith(TRY_SUFFIX):
            with suppress(StorageFailed):  # a file that cannot be read cannot be compared
                found += journal.reader.staged.find_overlaps(path, name=manifest.name, base_url=recorded_as)
    agreed = journal.agreed_batches()
    asked = [one for one in found if not one.is_agreed and one.name not in agreed]
    if asked:
        number = max(one.begun for one in asked)
        names = " and ".join(sorted({one.name for one in asked}))
        check.agreement.ask(
            Question.SAME_ITEMS,
            f"{several(number, 'item')} of {check.choice.name} {'was' if number == 1 else 'were'} paid for "
            f"in batch {names} of this folder, and would be paid for again.",
        )
    if found:
        tolerated = {name for one in found for name in (one.name, one.batch8)}
        journal.agree_to_batches(tolerated, SystemClock().now())
        await journal.commit()


async def _ask_runs_of_other_journals(check: RunCheck, access: Access) -> bool:
    """Search the account for runs of these items that another journal made, and ask about them.

    Returns false if a person agreed that runs without a readable marker belong to no item: then no run can
    be found by its marker. NeedsYes if a journal of this name was lost, unless `--new` is given.
    """
    journal, choice, name = check.journal, check.choice, check.manifest.name
    now = SystemClock().now()
    found = await _list_runs_of_other_journals(check, access)
    tries = identity.batch_prefix(name + TRY_SUFFIX)
    keys: dict[str, set[str]] = {}
    for marker in found.markers:
        if not marker.batch8.startswith(tries):
            keys.setdefault(marker.batch8, set()).add(marker.key)
    counts = {batch8: journal.reader.staged.count(those) for batch8, those in keys.items()}
    own = {identity.batch_prefix(choice.first_name)} | {
        identity.batch_prefix(full_name(name, period, 1))
        for period in (None, *periods_before(check.manifest.period, now))
    }
    lost = {one for one, number in counts.items() if number and one[:BATCH_PREFIX_LETTERS] in own}
    others = {one for one, number in counts.items() if number and one not in lost}
    if lost and not check.begins_new:
        raise NeedsYes(
            f"the account already has runs for {several(sum(counts[one] for one in lost), 'item')} of "
            f"{choice.name}, made with a journal that is not {journal.path}",
            remedy="Put that journal back, or pay for them again with --new.",
        )
    if others:
        check.agreement.ask(
            Question.SAME_ITEMS,
            f"the account already has runs for items of {choice.name}, made by a batch under another name "
            f"or in another folder ({', '.join(sorted(others))}); they would be paid for again.",
        )
    if found.unread:
        check.agreement.ask(Question.UNREAD_RUNS, _spell_unread(choice, found), remedy=TO_BIND)
    journal.agree_to_batches(lost | others, now)
    journal.disown((run.run_id for run in found.unread), now)
    await journal.commit()
    return not found.unread


async def _list_runs_of_other_journals(check: RunCheck, access: Access) -> ForeignRuns:
    """Search the goals of the account's runs for this batch's name and for some of its items."""
    from batchfish.pipeline.backoff import within_outage
    from batchfish.pipeline.search import find_foreign_runs

    journal, clock, limit = check.journal, SystemClock(), check.execution.pace.max_outage
    texts: Sequence[str] = [
        f"bf-{identity.batch_prefix(check.choice.first_name)}",
        *(f"-{key}-" for key in journal.reader.staged.some_keys()),
    ]
    async with make_client(access, journal, check.env) as agent:
        search = find_foreign_runs(
            agent,
            journal,
            texts,
            batch8s=journal.batch8s() | journal.agreed_batches(),
            clock=clock,
            chance=chance(),
            gives_up_after=limit,
        )
        return await within_outage(search, clock, max_outage=limit, notice=check.console.warn)


def _spell_unread(choice: BatchChoice, found: ForeignRuns) -> str:
    from batchfish.pipeline.search import name_runs

    return (
        f"the API's listing shows runs that may be for items of {choice.name}, but not the marker at the "
        f"end of their goals: {name_runs(found.unread)}. If they are, their items are paid for again."
    )
