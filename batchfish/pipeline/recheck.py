"""Judges the stored results of a batch again, and flags answers that many items share; sends nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from batchfish.core.describe import several
from batchfish.core.events import Rechecked
from batchfish.core.items import Status
from batchfish.core.lifecycle import Circumstances, advance
from batchfish.core.results import UnreadableResult, read_result
from batchfish.core.same_answers import SAME_ANSWER, is_long_enough, suspicious_groups

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchfish.journal.sqlite import SqliteJournal
    from batchfish.pipeline.policy import BatchPolicy

COMMIT_SIZE = 500
"""Items that are written in one transaction, so that a large batch does not make it grow."""


class RecheckReport(Struct, frozen=True, kw_only=True):
    """The numbers of items that were judged again, by what came of it.

    `still_running` counts items with a result that have another run alive: these were left as they are.
    """

    judged: int = 0
    succeed_now: int = 0
    fail_now: int = 0
    still_running: int = 0


async def recheck(journal: SqliteJournal, batch: int, policy: BatchPolicy, now: float) -> RecheckReport:
    """Judge the results of a batch under a policy, and record what changes; `now` is epoch seconds."""
    circumstances = Circumstances(now=now, rules=policy.rules, chance=lambda: 0.0)
    judged = succeed_now = fail_now = still_running = unsaved = 0
    for item in journal.reader.items_in(batch, (Status.SUCCEEDED, Status.FAILED)):
        attempt, others = journal.attempts(item.pk, item.follows or None)
        if attempt is None and journal.reader.results.reused_from(item.pk) is None:
            continue
        if attempt is not None and attempt.run_status != "COMPLETED":
            continue
        if others:
            still_running += 1
            continue
        verdict = policy.judge_result(journal.request(item.pk), item.id, journal.reader.results.of_item(item))
        judged += 1
        if (verdict.reason, verdict.message) == (item.reason, item.message):
            continue
        change = advance(item, attempt, Rechecked(verdict=verdict), circumstances)
        succeed_now += change.was is Status.FAILED and change.item.status is Status.SUCCEEDED
        fail_now += change.was is Status.SUCCEEDED and change.item.status is Status.FAILED
        journal.write(change, now)
        unsaved += 1
        if unsaved % COMMIT_SIZE == 0:
            await journal.commit()
    await journal.commit()
    return RecheckReport(
        judged=judged, succeed_now=succeed_now, fail_now=fail_now, still_running=still_running
    )


def flag_same_answers(journal: SqliteJournal, batch: int, now: float) -> int:
    """Record which items of a batch share a suspicious answer, and return how many do."""
    found = list(_same_answers(journal, batch))
    journal.replace_findings(batch, SAME_ANSWER, found, now)
    return len(found)


def _same_answers(journal: SqliteJournal, batch: int) -> Iterator[tuple[int, str]]:
    """Yield the items that share a suspicious answer, each with the evidence."""
    for items in suspicious_groups(journal.reader.results.answers(batch)):
        first, second = (journal.item(pk) for pk in items[:2])
        try:
            answer = read_result(journal.reader.results.of_item(first))
        except UnreadableResult:
            continue
        if not is_long_enough(answer):
            continue
        for pk in items:
            example = second if pk == first.pk else first
            yield pk, f"the same answer as {several(len(items) - 1, 'other item')}, such as {example.id}"
