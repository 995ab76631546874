"""The counting that proves the product must be able to fail: here it meets clients that are wrong."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.endtoend.commands import KEY, Desk, JournalView
from tests.endtoend.serving import serving, until
from tests.endtoend.test_kills import kill_with_creates_in_flight

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.process

LOSING_ANSWERS = "duration=0.05,reset=0.3"

# An answer that was lost is taken for proof that nothing was made.
TRUSTS_SILENCE = """
import sys
from batchfish.core.events import SubmitDeferred, SubmitUnanswered
from batchfish.pipeline import submit
from batchfish.webagent import creates
read_create = creates.read_create
def trusting(*arguments):
    answer = read_create(*arguments)
    if isinstance(answer, SubmitUnanswered):
        return SubmitDeferred(reason="create_error", message=answer.message)
    return answer
async def sending_at_once(ctx, items):
    pass
creates.read_create = trusting
submit._search_before_resending = sending_at_once
"""
# What was on its way when a process died is sent again, unseen; and the API's own listing is not read.
FORGETS_CREATES = """
import sys
from batchfish.core.events import ProvenAbsent
from batchfish.core.items import AttemptState
from batchfish.pipeline import recovery, submit
def forgetting(ctx):
    for one in ctx.journal.open_attempts(AttemptState.SUBMITTING):
        ctx.record(one.item.pk, one.attempt.k, ctx.unanswered_now("forgotten"))
        ctx.record(one.item.pk, one.attempt.k, ProvenAbsent())
async def looking_away(ctx, batch):
    pass
async def sending_at_once(ctx, items):
    pass
recovery._mark_unanswered = forgetting
recovery.compare_at_start = looking_away
submit._search_before_resending = sending_at_once
"""
MAIN = "from batchfish.cli.main import main\nsys.exit(main())\n"
COMMAND = ("run", "shop.csv", "--goal", "Read the price", "-j", "8", "--settle", "1s", "-o", "out.parquet")


def create_until_answered(client: httpx.Client, url: str) -> None:
    """Create a run as many scripts do: once more whenever the answer is lost."""
    for _ in range(20):
        try:
            client.post("/v1/automation/run-async", json={"url": url, "goal": "Read the price"})
        except httpx.TransportError:
            continue
        return
    raise AssertionError("never answered")


def test_a_client_that_repeats_creates_is_found_out(tmp_path: Path) -> None:
    with (
        serving(tmp_path / "server", LOSING_ANSWERS) as server,
        httpx.Client(base_url=server.base_url, headers={"X-API-Key": KEY}, trust_env=False) as client,
        ThreadPoolExecutor(4) as pool,
    ):
        urls = [f"https://shop.example/{number}" for number in range(60)]
        list(pool.map(partial(create_until_answered, client), urls))
        assert server.books.count() > len(urls)
        assert server.books.paid_twice()


def test_taking_silence_for_absence_is_found_out(tmp_path: Path) -> None:
    python = (sys.executable, "-c", TRUSTS_SILENCE + MAIN)
    with (
        serving(tmp_path / "server", LOSING_ANSWERS) as server,
        Desk(folder=tmp_path, base_url=server.base_url, python=python) as desk,
    ):
        desk.write_rows("shop.csv", 30)
        desk.start(*COMMAND)
        until(server.books.paid_twice)


def test_forgetting_creates_after_a_kill_is_found_out(tmp_path: Path) -> None:
    python = (sys.executable, "-c", FORGETS_CREATES + MAIN)
    with (
        serving(tmp_path / "server", LOSING_ANSWERS) as server,
        Desk(folder=tmp_path, base_url=server.base_url, python=python) as desk,
    ):
        desk.write_rows("shop.csv", 200)
        journal = JournalView(tmp_path / ".batchfish" / "shop.db")
        for _ in range(3):
            kill_with_creates_in_flight(desk.start(*COMMAND), journal, server.books)
        desk.start(*COMMAND)
        until(server.books.paid_twice)
