"""Checks that can refuse or ask before a request is sent."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from batchfish.cli.agreement import Question
from batchfish.cli.factory import SystemClock, chance
from batchfish.core import identity
from batchfish.core.describe import several
from batchfish.core.identity import BATCH_PREFIX_LETTERS
from batchfish.errors import NeedsYes, StorageFailed
from batchfish.journal import batches, ingest
from batchfish.pipeline.backoff import within_outage
from batchfish.pipeline.search import find_foreign_runs, name_runs

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchfish.cli.agreement import Agreement
    from batchfish.cli.batch_choice import Intention
    from batchfish.journal.sqlite import SqliteJournal
    from batchfish.manifest.manifest import Manifest
    from batchfish.webagent.base import WebAgent


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
    search = find_foreign_runs(
        agent,
        journal,
        [
            f"bf-{identity.batch_prefix(intention.family)}",
            *(f"-{key}-" for key in ingest.some_keys(connection)),
        ],
        batch8s=journal.batch8s() | journal.agreed_strangers(),
        clock=clock,
        chance=chance(),
        gives_up_after=patience,
    )
    found = await within_outage(search, clock, max_outage=patience, notice=notice)
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
