"""A whole batch in virtual time: real stages and journal against the model server; one seed, one history."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

from batchfish.core.items import ItemSpec
from batchfish.core.pacing import Pacing
from batchfish.core.rules import Limits, RetryRules, Rules, UnansweredRules
from batchfish.core.window import AUTO, Bounds
from batchfish.journal.records import NewBatch
from batchfish.journal.sqlite import SqliteJournal
from batchfish.pipeline.context import Context, RunOptions, SessionState
from batchfish.pipeline.policy import BatchPolicy
from batchfish.pipeline.run import RunReport, run_batch
from batchfish.webagent.client import WebAgentClient
from tests.journal.building import connection_of
from tests.pipeline.model_server import Faults, ModelServer, Wire
from tests.pipeline.virtual_time import VirtualClock, VirtualTimeLoop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence
    from pathlib import Path

    from batchfish.webagent.base import Listing, WebAgent


@dataclass(kw_only=True)
class Simulation:
    """One history: a batch, the server it meets, and the deaths its process dies."""

    folder: Path
    seed: int
    items: int = 20
    faults: Faults = field(default_factory=Faults)
    rules: Rules = field(
        default_factory=lambda: Rules(
            limits=Limits(concurrency=Bounds.fixed(5)), unanswered=UnansweredRules(settle=10.0)
        )
    )
    kills: int = 0
    kill_within: float = 30.0
    options: RunOptions = field(default_factory=lambda: RunOptions(poll_interval=0.5))
    wrap: Callable[[WebAgent], WebAgent] = lambda agent: agent
    open_journal: Callable[[Path], SqliteJournal] = SqliteJournal
    companions: Sequence[Callable[[Context], Coroutine[None, None, None]]] = ()
    notices: list[str] = field(default_factory=list)
    site: str = "shop"
    loop: VirtualTimeLoop = field(default_factory=VirtualTimeLoop)

    def __post_init__(self) -> None:
        self.chance = Random(self.seed)
        self.clock = VirtualClock(self.loop)
        self.server = ModelServer(
            loop=self.loop,
            chance=self.chance,
            faults=self.faults,
            concurrency=(self.rules.limits.concurrency or AUTO).most,
        )
        self.path = self.folder / f"{self.seed}.db"
        self.batch = self._begin()

    def run(self) -> RunReport:
        """Run processes, of which some are killed, until one ends by itself."""
        try:
            for _ in range(self.kills):
                report = self.live(self.chance.uniform(0.01, self.kill_within))
                if report is not None:
                    return report
            report = self.live(None)
            assert report is not None
            return report
        finally:
            self.loop.close()

    def statuses(self) -> dict[str, int]:
        """Count the items by status, as the journal has them at the end."""
        journal = SqliteJournal(self.path)
        counts = journal.reader.counts(self.batch)
        journal.close()
        return dict(counts)

    def states(self) -> Counter[str]:
        """Count the attempts by state, as the journal has them at the end."""
        journal = SqliteJournal(self.path)
        rows = connection_of(journal).execute("SELECT state FROM attempts").fetchall()
        journal.close()
        return Counter(state for (state,) in rows)

    def results(self) -> list[bytes]:
        """Return the results in the order of the items, as the journal has them at the end."""
        journal = SqliteJournal(self.path)
        rows = connection_of(journal).execute("SELECT raw FROM results ORDER BY item, k").fetchall()
        journal.close()
        return [raw for (raw,) in rows]

    def _begin(self) -> int:
        journal = SqliteJournal(self.path)
        specs = [
            ItemSpec(
                row=row, line=None, id=None, url=f"https://{self.site}.example/{row}", goal="Read the price"
            )
            for row in range(1, self.items + 1)
        ]
        journal.reader.staged.load(specs, version=1)
        journal.reader.staged.compare(None)
        new = NewBatch(
            name="simulated",
            period=None,
            number=1,
            base_url="http://127.0.0.1:1",
            manifest={},
            manifest_path="simulated.yaml",
            markers=self.rules.unanswered.marker,
        )
        batch = journal.begin(new, now=self.clock.now(), chance=self.chance.randbytes(4))
        journal.close()
        return batch

    def live(self, lifetime: float | None) -> RunReport | None:
        """Start a process; return its report, or None where it was killed after `lifetime` seconds."""
        life, end = self.start()
        death = None if lifetime is None else self.loop.call_later(lifetime, self.loop.stop)
        life.add_done_callback(self._ended)
        self.loop.run_forever()
        life.remove_done_callback(self._ended)
        if death is not None:
            death.cancel()
        is_done = life.done()
        end()
        return life.result() if is_done else None

    def start(self) -> tuple[asyncio.Task[RunReport], Callable[[], None]]:
        """Start a process in the loop; return its life, and a function that kills it if it has not ended."""
        journal = self.open_journal(self.path)
        connection_of(journal).execute("PRAGMA synchronous = OFF")  # the death of a process loses no page
        wire = Wire(self.server)
        agent = WebAgentClient(api_key="simulated", base_url="http://127.0.0.1:1", transport=wire)
        ctx = Context(
            journal=journal,
            agent=self.wrap(agent),
            clock=self.clock,
            chance=self.chance.random,
            batch=journal.batch(self.batch),
            policies={self.batch: BatchPolicy(rules=self.rules)},
            options=self.options,
            session=SessionState(
                began_at=self.clock.boottime(),
                markers=journal.batch(self.batch).markers,
                pacing=Pacing.within(self.rules.limits.concurrency),
            ),
            notice=self.notices.append,
            remark=self.notices.append,
        )
        life = self.loop.create_task(run_batch(ctx, *self.companions))

        def end() -> None:
            wire.is_cut = True
            journal.close()  # what is not committed is lost
            if not life.done():
                self.loop.run_until_complete(self._bury())

        return life, end

    def _ended(self, _life: asyncio.Task[RunReport]) -> None:
        self.loop.stop()

    async def _bury(self) -> None:
        """Clear a killed process away: its tasks can reach neither the disk nor the network any more."""
        tasks = asyncio.all_tasks(self.loop) - {asyncio.current_task(self.loop)}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def settle_of(seconds: float, *, concurrency: int = 5, attempts: int = 2) -> Rules:
    """Rules that differ from the defaults in what the histories are about."""
    return Rules(
        limits=Limits(concurrency=Bounds.fixed(concurrency)),
        retry=RetryRules(attempts=attempts),
        unanswered=UnansweredRules(settle=seconds),
    )


def searching_slowly(slow: list[str], wait: Callable[[], Awaitable[None]]) -> Callable[[WebAgent], WebAgent]:
    """Return a wrapper for agents: the next search for `slow[0]` waits, and empties `slow`."""

    class Slow:
        def __init__(self, agent: WebAgent) -> None:
            self._agent = agent

        def __getattr__(self, name: str) -> object:
            return getattr(self._agent, name)

        async def find_by_marker(self, text: str, **how: Any) -> Listing:  # noqa: ANN401 - handed on
            listing = await self._agent.find_by_marker(text, **how)
            if slow and slow[0] in text:
                slow.clear()
                await wait()
            return listing

    return Slow  # type: ignore[return-value]
