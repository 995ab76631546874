"""How often runs are polled, how many in one request, and what that reads of the journal."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from batchfish.core.rules import Limits
from batchfish.core.window import Bounds
from batchfish.journal.sqlite import SqliteJournal
from batchfish.pipeline.context import RunOptions
from batchfish.pipeline.watches import Watches
from tests.journal.building import connection_of
from tests.pipeline.history import living
from tests.pipeline.model_server import Faults, ModelServer
from tests.pipeline.seeds import seeds
from tests.pipeline.simulation import Simulation, settle_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import httpx

    from batchfish.webagent.base import PollResult, WebAgent

LOSSY = Faults(acts_then_resets=0.05, resets_without_acting=0.05, reads_fail=0.1, latest_act=3.0, slots=4)
POLL = "/v1/runs/batch"


class Polls:
    """The polls that reach a server: when, and of how many runs."""

    def __init__(self, server: ModelServer) -> None:
        self.seen: list[tuple[float, int]] = []
        self._server, self._answer = server, server.answer
        server.answer = self.answer  # type: ignore[method-assign]

    async def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == POLL:
            number = len(json.loads(request.content)["run_ids"])
            self.seen.append((self._server.loop.now, number))
        return await self._answer(request)


def needless_polls(folder: Path, seed: int) -> list[str]:
    """Return the runs that a process has polled although a poll had shown it that they were over."""
    needless: list[str] = []

    class Remembering:
        def __init__(self, agent: WebAgent) -> None:
            self._agent = agent
            self._over: set[str] = set()

        def __getattr__(self, name: str) -> object:
            return getattr(self._agent, name)

        async def poll(self, run_ids: Sequence[str]) -> PollResult:
            needless.extend(self._over.intersection(run_ids))
            result = await self._agent.poll(run_ids)
            self._over.update(run_id for run_id, run in result.runs.items() if run.is_final)
            return result

    simulation = Simulation(
        folder=folder,
        seed=seed,
        items=30,
        faults=LOSSY,
        kills=3,
        rules=replace(settle_of(10.0), limits=Limits(concurrency=Bounds(least=1, start=3, most=12))),
        wrap=Remembering,  # type: ignore[arg-type]
    )
    simulation.run()
    assert simulation.server.violations == []
    return needless


@pytest.mark.parametrize("seed", seeds(2, of=20))
def test_no_run_is_polled_that_is_known_to_be_over(tmp_path: Path, seed: int) -> None:
    assert needless_polls(tmp_path, seed) == []


def test_a_poller_that_forgets_no_run_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Watches, "forget_all_but", lambda *_: None)
    assert needless_polls(tmp_path, 0)


def polls_of(
    folder: Path, concurrency: int, durations: tuple[float, float], faults: Faults | None = None
) -> Polls:
    """Run a batch whose runs take so many seconds; return its polls."""
    simulation = Simulation(
        folder=folder,
        seed=1,
        items=max(40, concurrency),
        faults=faults or Faults(),
        rules=settle_of(10.0, concurrency=concurrency),
        options=RunOptions(poll_interval=1.0),
    )
    simulation.server.durations = durations
    polls = Polls(simulation.server)
    assert simulation.run().stop is None
    return polls


def test_all_runs_share_a_poll_whenever_they_were_created(tmp_path: Path) -> None:
    polls = polls_of(tmp_path, 10, (5.0, 15.0))
    pauses = [later - earlier for (earlier, _), (later, _) in pairwise(polls.seen)]
    assert min(pauses) >= 0.9
    assert max(number for _, number in polls.seen) == 10


def test_the_next_poll_does_not_wait_for_an_answer_that_takes_long(tmp_path: Path) -> None:
    """The interval lies between two requests."""
    polls = polls_of(tmp_path, 10, (5.0, 15.0), Faults(travel=(0.4, 0.4)))
    pauses = sorted(later - earlier for (earlier, _), (later, _) in pairwise(polls.seen))
    assert pauses[len(pauses) // 2] == pytest.approx(1.0, abs=0.05)


def test_a_poll_of_many_runs_is_as_few_requests_as_possible(tmp_path: Path) -> None:
    polls = polls_of(tmp_path, 250, (30.0, 30.0))
    assert max(number for _, number in polls.seen) == 100
    assert sum(5.0 <= at <= 25.0 for at, _ in polls.seen) <= 3 * (20 + 1)


@pytest.mark.parametrize(
    ("base_url", "shortest", "longest"),
    [("https://agent.example", 1.0, 1.5), ("http://127.0.0.1:1", 0.05, 0.5)],
    ids=["elsewhere", "on this machine"],
)
def test_an_api_elsewhere_is_polled_once_a_second_at_most(
    tmp_path: Path, base_url: str, shortest: float, longest: float
) -> None:
    with living(tmp_path, seed=1, durations=(20.0, 20.0)) as history:
        shop = history.folder("shop", items=1, unanswered={"settle": "30s"})
        polls = Polls(history.server)
        outcome = history.call("run", shop.file, "--progress", "none", "--base-url", base_url)
        assert outcome.code == 0, outcome.said
        pauses = [later - earlier for (earlier, _), (later, _) in pairwise(polls.seen)]
        assert min(pauses) >= shortest - 0.03  # a request travels for up to 0.03 s
        assert sorted(pauses)[len(pauses) // 2] <= longest


def test_an_interval_of_the_command_line_holds_however_long_runs_take(tmp_path: Path) -> None:
    with living(tmp_path, seed=1, durations=(200.0, 200.0)) as history:
        shop = history.folder("shop", items=2, limits={"concurrency": 1})
        polls = Polls(history.server)
        assert shop.run("--poll-interval", "2s").code == 0
        second = max(run.created_at for run in history.server.runs.values())
        young = [at for at, _ in polls.seen if second < at < second + 30.0]
        assert 10 <= len(young) <= 15


def reads_of_journal(folder: Path, interval: float) -> tuple[int, Counter[str]]:
    """Run a batch of 40 items; return the number of its polls, and that of its reads of each table."""
    folder.mkdir()
    reads: Counter[str] = Counter()

    def note(statement: str) -> None:
        if statement.startswith("SELECT"):
            reads[statement.partition(" FROM ")[2].split()[0]] += 1

    def open_journal(path: Path) -> SqliteJournal:
        journal = SqliteJournal(path)
        connection_of(journal).set_trace_callback(note)
        return journal

    simulation = Simulation(
        folder=folder,
        seed=1,
        items=40,
        rules=settle_of(10.0, concurrency=10),
        options=RunOptions(poll_interval=interval),
        open_journal=open_journal,
    )
    simulation.server.durations = (5.0, 15.0)
    polls = Polls(simulation.server)
    assert simulation.run().stop is None
    del reads["meta"]  # each transaction asks whether this process still owns the journal
    return len(polls.seen), reads


def test_ten_times_as_many_polls_read_no_more_of_the_journal(tmp_path: Path) -> None:
    """What is alive is in memory: the file is read once for each item, and once for each new run."""
    few, least = reads_of_journal(tmp_path / "few", 1.0)
    many, most = reads_of_journal(tmp_path / "many", 0.1)
    assert many > 8 * few
    assert most == least
    assert 40 <= max(least.values()) <= 50
