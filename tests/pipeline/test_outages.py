"""Outages: requests are repeated with pauses, for at most `max_outage`, and the outage is reported."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from itertools import count, pairwise
from typing import TYPE_CHECKING

import httpx
import pytest

from batchfish.core.events import CancelRequested
from batchfish.errors import WebAgentUnavailable
from batchfish.journal.sqlite import SqliteJournal
from batchfish.pipeline.backoff import within_outage
from batchfish.pipeline.context import RunOptions, StopKind
from tests.journal.building import connection_of
from tests.pipeline.model_server import Faults, ModelServer
from tests.pipeline.simulation import Simulation
from tests.pipeline.virtual_time import VirtualClock, VirtualTimeLoop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from pathlib import Path

    from batchfish.pipeline.context import Context

    Answer = Callable[[httpx.Request], Awaitable[httpx.Response | None]]

CREATE, LISTING, POLL, CANCEL = (
    "/v1/automation/run-async",
    "/v1/runs",
    "/v1/runs/batch",
    "/v1/runs/batch/cancel",
)
MAX_OUTAGE = 60.0
PAGE = "<!DOCTYPE html><title>Welcome to Hotel Wi-Fi</title>"


@dataclass(kw_only=True)
class TroubledServer(ModelServer):
    """Answers as `trouble` says, and as usual where that says nothing; notes when what was asked."""

    trouble: Answer
    asked: list[tuple[float, str]] = field(default_factory=list)

    async def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append((self.loop.now, request.url.path))
        return await self.trouble(request) or await super().answer(request)

    def times(self, *paths: str) -> list[float]:
        return [at for at, path in self.asked if path in paths]


def simulate(folder: Path, trouble: Answer, *, items: int = 6, **options: object) -> Simulation:
    """Make a batch whose server is in trouble; `simulation.server` is a TroubledServer."""
    simulation = Simulation(
        folder=folder,
        seed=5,
        items=items,
        options=RunOptions(max_outage=MAX_OUTAGE),
        **options,  # type: ignore[arg-type]
    )
    simulation.server = TroubledServer(
        loop=simulation.loop, chance=simulation.chance, faults=Faults(), concurrency=5, trouble=trouble
    )
    return simulation


def refusal(retry_after: str) -> httpx.Response:
    body = {"error": {"code": "RATE_LIMIT_EXCEEDED", "message": "slower"}}
    return httpx.Response(429, json=body, headers={"Retry-After": retry_after})


class TestCaptivePortal:
    """From the tenth second on every read is answered with 200 and a page."""

    @staticmethod
    def portal(simulation_of: list[Simulation], until: float = 1e9) -> Answer:
        async def trouble(request: httpx.Request) -> httpx.Response | None:
            is_closed = 10.0 <= simulation_of[0].loop.now < until
            return httpx.Response(200, html=PAGE) if is_closed and request.url.path != CREATE else None

        return trouble

    def test_it_is_asked_ever_more_slowly_and_then_given_up(self, tmp_path: Path) -> None:
        made: list[Simulation] = []
        made.append(simulation := simulate(tmp_path, self.portal(made)))
        simulation.server.durations = (1e6, 1e6)
        report = simulation.run()
        assert report.stop is not None
        assert (report.stop.kind, report.stop.detaches) == (StopKind.UNREACHABLE, True)
        assert 10.0 + MAX_OUTAGE <= simulation.loop.now <= 13.0 + MAX_OUTAGE
        assert isinstance(simulation.server, TroubledServer)
        assert sum(at >= 10.0 for at in simulation.server.times(POLL, LISTING)) < 25
        assert sum("no usable answer" in notice for notice in simulation.notices) == 2  # begins, ends
        assert "not JSON" in report.stop.message

    def test_what_it_has_hidden_is_seen_once_it_opens(self, tmp_path: Path) -> None:
        made: list[Simulation] = []
        made.append(simulation := simulate(tmp_path, self.portal(made, until=40.0)))
        simulation.server.durations = (20.0, 20.0)
        assert simulation.run().stop is None
        assert simulation.statuses() == {"succeeded": 6}
        assert "the API answers again" in simulation.notices


@pytest.mark.parametrize("path", [LISTING, POLL, CANCEL])
@pytest.mark.parametrize("status", [404, 405])
def test_one_missing_endpoint_answered_by_a_page_stops_nothing(
    tmp_path: Path, path: str, status: int
) -> None:
    asked = count(1)

    async def trouble(request: httpx.Request) -> httpx.Response | None:
        is_chosen = request.url.path.startswith(path) if path == CANCEL else request.url.path == path
        return httpx.Response(status, html=PAGE) if is_chosen and next(asked) == 2 else None

    async def cancel_last(ctx: Context) -> None:
        while (item := ctx.journal.item(6)).status != "running":
            await ctx.clock.sleep(0.1)
        ctx.record(item.pk, None, CancelRequested())
        ctx.wakeup.wake()

    simulation = simulate(tmp_path, trouble, companions=(cancel_last,))
    simulation.server.durations = (5.0, 5.0)
    assert simulation.run().stop is None
    assert simulation.statuses() == {"succeeded": 5, "cancelled": 1}


class TestRetryAfter:
    """What an API may ask for, and what is made of it."""

    @pytest.mark.parametrize(
        ("retry_after", "least", "most"),
        [
            ("9e999", 900.0, 930.0),
            ("Thu, 31 Dec 2099 23:59:59 GMT", 900.0, 930.0),
            ("Fri, 31 Dec 9999 23:59:59 GMT", 900.0, 930.0),
            ("1" * 400, 900.0, 930.0),
            ("-5", 0.0, 60.0),
            ("nan", 0.0, 60.0),
            ("soon", 0.0, 60.0),
            ("", 0.0, 60.0),
            ("0", 0.0, 60.0),
        ],
    )
    def test_one_refusal_delays_a_batch_by_a_quarter_of_an_hour_at_most(
        self, tmp_path: Path, retry_after: str, least: float, most: float
    ) -> None:
        creates = count(1)

        async def trouble(request: httpx.Request) -> httpx.Response | None:
            is_third = request.url.path == CREATE and next(creates) == 3
            date = {"Date": "Mon, 30 Nov 2026 08:00:00 GMT"}
            return httpx.Response(429, headers={"Retry-After": retry_after, **date}) if is_third else None

        simulation = simulate(tmp_path, trouble)
        simulation.options = RunOptions()
        assert simulation.run().stop is None
        assert simulation.statuses() == {"succeeded": 6}
        assert least <= simulation.loop.now <= most
        reported = [notice for notice in simulation.notices if "asks for a wait" in notice]
        assert len(reported) == (1 if least else 0)
        assert all("15m" in notice and "cut to 15 min" in notice for notice in reported)

    @pytest.mark.parametrize("retry_after", ["9e999", "900", "61", "0"])
    def test_an_api_that_takes_nothing_is_given_up_though_its_wait_is_not_over(
        self, tmp_path: Path, retry_after: str
    ) -> None:
        async def trouble(request: httpx.Request) -> httpx.Response | None:
            return refusal(retry_after) if request.url.path == CREATE else None

        simulation = simulate(tmp_path, trouble)
        report = simulation.run()
        assert report.stop is not None
        assert report.stop.kind is StopKind.UNREACHABLE
        assert MAX_OUTAGE <= simulation.loop.now <= MAX_OUTAGE + 20.0
        assert simulation.statuses() == {"queued": 6}
        assert isinstance(simulation.server, TroubledServer)
        times = simulation.server.times(CREATE)
        assert all(later - earlier >= float(retry_after) for earlier, later in pairwise(times))

    @pytest.mark.parametrize("path", [LISTING, POLL, CANCEL])
    def test_nothing_is_sent_before_the_wait_that_a_read_was_asked_for(
        self, tmp_path: Path, path: str
    ) -> None:
        """Other reads, cancels and creates are due meanwhile."""
        limited_at: list[float] = []

        async def trouble(request: httpx.Request) -> httpx.Response | None:
            if request.url.path != path or limited_at or simulation.loop.now < 2.0:
                return None
            limited_at.append(simulation.loop.now)
            return refusal("20")

        async def cancel_one(ctx: Context) -> None:
            await ctx.clock.sleep(2.0)
            running = ctx.journal.open_attempts()[0]
            ctx.record(running.item.pk, None, CancelRequested())
            ctx.wakeup.wake()

        simulation = simulate(tmp_path, trouble, items=12, companions=(cancel_one,))
        server = simulation.server
        assert isinstance(server, TroubledServer)
        server.durations = (3.0, 4.0)

        def lose_one() -> None:  # so that the listing is asked in the middle
            server.faults = Faults(resets_without_acting=1.0 if server.creates == 5 else 0.0)

        server.on_create.append(lose_one)
        assert simulation.run().stop is None
        (since,) = limited_at
        assert [at for at, _ in server.asked if since < at < since + 20.0] == []


async def _never(_: httpx.Request) -> httpx.Response:
    await asyncio.get_running_loop().create_future()
    raise AssertionError


async def _endless(request: httpx.Request) -> httpx.Response:
    await asyncio.sleep(0.5)
    cursor = int(request.url.params.get("cursor", "0")) + 1
    pagination = {"total": None, "has_more": True, "next_cursor": str(cursor)}
    return httpx.Response(200, json={"data": [], "pagination": pagination})


async def _cut(_: httpx.Request) -> httpx.Response:
    pagination = {"total": 5, "has_more": False, "next_cursor": None}
    return httpx.Response(200, json={"data": [], "pagination": pagination})


async def _limited(_: httpx.Request) -> httpx.Response:
    return refusal("9e999")


class TestStart:
    """The listing that comes before the first create never completes."""

    @pytest.mark.parametrize(
        "listing",
        [
            pytest.param(_never, id="no answer"),
            pytest.param(_endless, id="page after page"),
            pytest.param(_cut, id="cut"),
            pytest.param(_limited, id="a wait without end"),
        ],
    )
    def test_it_is_reported_soon_and_given_up_after_max_outage(self, tmp_path: Path, listing: Answer) -> None:
        async def trouble(request: httpx.Request) -> httpx.Response | None:
            return await listing(request) if request.url.path == LISTING else None

        reported_at: list[float] = []

        class Notices(list[str]):
            def append(self, notice: str) -> None:
                reported_at.append(simulation.loop.now)
                super().append(notice)

        simulation = simulate(tmp_path, trouble)
        simulation.notices = Notices()
        report = simulation.run()
        assert report.stop is not None
        assert report.stop.kind is StopKind.UNREACHABLE
        assert MAX_OUTAGE <= simulation.loop.now <= MAX_OUTAGE + 20.0
        assert min(reported_at) <= 7.0
        assert "no usable answer" in simulation.notices[-2]
        assert simulation.server.creates == 0

    def test_a_start_that_was_slow_is_no_outage_later(self, tmp_path: Path) -> None:
        """All that is left waits for its time, and nothing is asked for longer than an outage may last."""

        async def trouble(_: httpx.Request) -> httpx.Response | None:
            return None

        simulation = simulate(tmp_path, trouble, items=1)
        with_wait = SqliteJournal(simulation.path)
        due_at = simulation.clock.now() + 10 * MAX_OUTAGE
        connection_of(with_wait).execute("UPDATE items SET due_at = ?", (due_at,))
        with_wait.close()
        assert simulation.run().stop is None
        assert simulation.loop.now >= 10 * MAX_OUTAGE


class TestInTime:
    """A read before the stages start."""

    @staticmethod
    def run(
        read: Callable[[VirtualClock], Coroutine[None, None, str]],
    ) -> tuple[str | None, float, list[str]]:
        loop, notices = VirtualTimeLoop(), list[str]()
        clock = VirtualClock(loop)
        try:
            found = loop.run_until_complete(
                within_outage(read(clock), clock, max_outage=MAX_OUTAGE, notice=notices.append)
            )
        except WebAgentUnavailable:
            return None, loop.now, notices
        finally:
            loop.close()
        return found, loop.now, notices

    def test_one_that_ends_soon_is_not_spoken_of(self) -> None:
        async def read(clock: VirtualClock) -> str:
            await clock.sleep(4.0)
            return "found"

        assert self.run(read) == ("found", 4.0, [])

    def test_one_that_takes_long_is_reported(self) -> None:
        async def read(clock: VirtualClock) -> str:
            await clock.sleep(MAX_OUTAGE)
            return "found"

        found, ended_at, (notice,) = self.run(read)
        assert (found, ended_at) == ("found", MAX_OUTAGE)
        assert "for up to 1m" in notice

    def test_one_that_does_not_end_is_given_up(self) -> None:
        async def read(clock: VirtualClock) -> str:
            while True:
                await clock.sleep(900.0)

        found, ended_at, notices = self.run(read)
        assert (found, ended_at, len(notices)) == (None, MAX_OUTAGE + 1.0, 1)
