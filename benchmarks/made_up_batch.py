"""A journal with a made-up batch: a night's work with a queue, retries, failures, a pause and held items.

The events are recorded through the code that the stages use, with times of a made-up server that works on a
few runs at once. One seed gives one batch.
"""

from __future__ import annotations

import asyncio
import heapq
import math
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec import to_builtins

from batchfish.core import identity
from batchfish.core.events import (
    Adopted,
    CannotTell,
    Event,
    Intended,
    RunEnded,
    SubmitAccepted,
    SubmitUnanswered,
)
from batchfish.core.items import ItemSpec, Status
from batchfish.core.lifecycle import Circumstances, advance
from batchfish.core.rules import Check, Limits, Rules
from batchfish.core.runs import RunError, RunSnapshot
from batchfish.core.verdict import REACHED, Verdict
from batchfish.core.window import Bounds
from batchfish.journal.records import NewBatch
from batchfish.journal.sqlite import SqliteJournal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BEGAN = 1_795_924_800.0  # 2026-11-29 04:00 UTC
NAME, PERIOD = "shop-prices", "2026-11-29"
BOUND, SLOTS = 24, 16
"""The runs that the batch keeps alive, and those that the server works on at once."""

PAUSE = 9 * 3600.0
HELD = 3
GOAL = "Read the title and the present price."
SHELVES = ("books", "maps", "prints", "tea", "clocks")
KEY_ID, BOOT = "key", "boot"
RULES = Rules(
    limits=Limits(concurrency=Bounds.fixed(BOUND), run_timeout=300.0),
    checks=(Check(expr="result.price > 0", reason="no_price"),),
)
FAILED, FAILED_TEA, NO_PRICE = 0.05, 0.10, 0.015
"""The shares of runs that fail, of all and of a shelf that fails more often, and of those without a price."""

FAILURES = (
    ("SITE_BLOCKED", "AGENT_FAILURE", "The site asked to confirm that the visitor is human."),
    ("NAVIGATION_FAILED", "SYSTEM_FAILURE", "The page did not answer within 60 seconds."),
    ("MAX_STEPS_EXCEEDED", "AGENT_FAILURE", "The goal was not reached within 150 steps."),
)


@dataclass(kw_only=True, slots=True)
class _Server:
    """The times of runs: a client that keeps BOUND alive, and a server that works on SLOTS of them."""

    chance: random.Random
    client: list[float] = field(default_factory=lambda: [BEGAN] * BOUND)
    server: list[float] = field(default_factory=lambda: [BEGAN] * SLOTS)

    def run(self) -> tuple[float, float, float]:
        """Return when the next run is created, starts and ends."""
        created = heapq.heappop(self.client) + self.chance.uniform(0.1, 0.9)
        started = max(created + 0.2, heapq.heappop(self.server))
        finished = started + self.chance.lognormvariate(math.log(38), 0.55)
        heapq.heappush(self.client, finished)
        heapq.heappush(self.server, finished)
        return created, started, finished

    def pause(self, seconds: float) -> None:
        """Let everything end, and go on that much later."""
        later = max(self.client) + seconds
        self.client, self.server = [later] * BOUND, [later] * SLOTS


def make_batch(path: Path, items: int, *, seed: int = 7) -> None:
    """Make a journal with a batch of so many items that has been worked on; HELD of them are held."""
    chance = random.Random(seed)  # noqa: S311 - made-up times
    journal = SqliteJournal(path)
    try:
        batch = _begin(journal, items, chance)
        pks = [item.pk for item in journal.due(batch, 1e12, items)]
        server = _Server(chance=chance)
        held = pks[5::197][:HELD]
        waiting = [item for item in reversed(pks) if item not in held]
        done = 0
        while waiting:
            item = waiting.pop()
            status = _live(journal, item, server, chance)
            if status is Status.QUEUED:
                waiting.insert(max(0, len(waiting) - 40), item)
            done += 1
            if done == items * 2 // 3:
                server.pause(PAUSE)
        _hold(journal, held, max(server.client))
        _find_second_run(journal, pks[9], max(server.client))
        asyncio.run(journal.commit())
    finally:
        journal.close()


def _begin(journal: SqliteJournal, items: int, chance: random.Random) -> int:
    journal.reader.staged.load(_specs(items, chance), identity.FINGERPRINT_VERSION)
    journal.reader.staged.compare(None)
    new = NewBatch(
        name=NAME,
        period=PERIOD,
        number=1,
        base_url="https://agent.tinyfish.ai",
        manifest={
            "format": 1,
            "name": NAME,
            "description": "Prices of the autumn catalogue, read every night",
            "period": "day",
            "rules": to_builtins(RULES),
            "defaults": {"goal": GOAL},
        },
        manifest_path="shop-prices.yaml",
        markers=True,
    )
    return journal.begin(new, now=BEGAN, chance=b"abcd")


def _specs(items: int, chance: random.Random) -> Iterator[ItemSpec]:
    for row in range(1, items + 1):
        shelf = chance.choice(SHELVES)
        url = f"https://shop.example/catalogue/{shelf}/{row}"
        yield ItemSpec(row=row, line=row + 1, id=f"{shelf}-{row:05}", url=url, goal=GOAL)


def _record(journal: SqliteJournal, item: int, k: int | None, event: Event, now: float) -> Status:
    attempt, others = journal.attempts(item, k)
    circumstances = Circumstances(now=now, rules=RULES, chance=lambda: 0.5, others=others)
    change = advance(journal.item(item), attempt, event, circumstances)
    journal.write(change, now)
    return change.item.status


def _intend(journal: SqliteJournal, item: int, at: float) -> int:
    known = journal.item(item)
    k = known.k + 1
    marker = identity.make_marker(journal.batch(known.batch).batch8, known.key, k)
    event = Intended(
        k=k, marker=marker, key_id=KEY_ID, body_sha256="0" * 64, boot_at=at, boot_id=BOOT, server_date=at
    )
    _record(journal, item, None, event, at)
    return k


def _live(journal: SqliteJournal, item: int, server: _Server, chance: random.Random) -> Status:
    """Make one attempt of an item, and return the item's status after it."""
    created, started, finished = server.run()
    k = _intend(journal, item, created)
    run_id = f"run-{item}-{k}"
    _record(journal, item, k, SubmitAccepted(run_id=run_id, server_date=created), created)
    drawn = chance.random()
    fails = drawn < (FAILED_TEA if "tea" in journal.item(item).id else FAILED)
    error = None
    if fails:
        code, category, message = chance.choices(FAILURES, (3, 5, 1))[0]
        error = RunError(code=code, category=category, message=message)
    run = RunSnapshot(
        run_id=run_id,
        status="FAILED" if fails else "COMPLETED",
        created_at=created,
        started_at=started,
        finished_at=finished,
        steps=max(2, round(chance.lognormvariate(math.log((finished - started) / 4), 0.3))),
        error=error,
        result=None if fails else b'{"title": "A title", "price": 12.5}',
    )
    verdict = REACHED
    if not fails and drawn > 1 - NO_PRICE:
        verdict = Verdict(reason="no_price", message="check failed: result.price > 0")
    event = RunEnded(run=run, verdict=verdict)
    return _record(journal, item, k, event, finished)


def _hold(journal: SqliteJournal, items: list[int], at: float) -> None:
    """Send creates whose answers are lost, and hold them."""
    for item in items:
        k = _intend(journal, item, at)
        lost = SubmitUnanswered(message="connection reset", given_up_at=at + 60, boot_id=BOOT)
        _record(journal, item, k, lost, at + 60)
        _record(journal, item, k, CannotTell(message="the listing has been down for 30m"), at + 1860)


def _find_second_run(journal: SqliteJournal, item: int, at: float) -> None:
    """Find a second run of an item that has ended, which costs more than it should."""
    known = journal.item(item)
    k = known.k + 1
    marker = identity.make_marker(journal.batch(known.batch).batch8, known.key, k)
    run = Adopted(run_id=f"run-{item}-late", k=k, marker=marker, key_id=KEY_ID, created_at=at - 40, steps=11)
    _record(journal, item, None, run, at)
    ended = RunSnapshot(
        run_id=run.run_id,
        status="CANCELLED",
        created_at=at - 40,
        started_at=at - 20,
        finished_at=at,
        steps=11,
    )
    _record(journal, item, k, RunEnded(run=ended), at)
