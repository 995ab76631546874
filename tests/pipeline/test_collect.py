"""What a row of the table says of the runs of its item."""

from __future__ import annotations

from dataclasses import replace

from batchfish.core.items import Attempt, AttemptState, Item, Status
from batchfish.journal.base import Outcome, Request
from batchfish.pipeline.collect import rows_of

ITEM = Item(pk=1, batch=1, key="k", id="a", row=1, status=Status.SUCCEEDED, k=2, follows=2, attempts=2)
SECOND = Attempt(
    item=1,
    k=2,
    marker="m",
    state=AttemptState.ENDED,
    key_id="key",
    body_sha256="",
    intended_at=95.0,  # by this machine's clock
    intended_boot=5.0,
    boot_id="boot",
    run_id="run-2",
    created_at=100.0,  # by the server's, as the others
    started_at=104.0,
    finished_at=110.0,
)
OUTCOME = Outcome(
    item=ITEM,
    attempt=SECOND,
    request=Request(url="https://a.example", goal="Read.", fields={}, inputs={}),
    result=b"{}",
    is_whole_answer=False,
)


def test_the_times_are_of_one_run_and_one_clock() -> None:
    ((row,),) = rows_of(lambda: iter([[OUTCOME]]), "b")()
    assert (row.run_id, row.attempts) == ("run-2", 2)
    assert (row.submitted_at, row.started_at, row.finished_at) == (100.0, 104.0, 110.0)


def test_an_item_without_a_run_has_no_times() -> None:
    ((row,),) = rows_of(lambda: iter([[replace(OUTCOME, attempt=None, result=None)]]), "b")()
    assert (row.run_id, row.submitted_at, row.started_at) == (None, None, None)
