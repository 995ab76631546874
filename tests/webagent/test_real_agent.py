"""The client against the local agent over real sockets: every endpoint, at every stage of a run."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING

import pytest

from batchfish import WebAgentClient
from batchfish.core.runs import RunError
from batchfish.errors import NotPermitted, RunMayExist, TryLater, WrongInput
from batchfish.localagent.engines.base import RunFailure, RunOutcome, Step
from batchfish.localagent.runs.queue import RunQueue
from batchfish.localagent.runs.records import RunFilter
from batchfish.localagent.runs.store import RunStore
from batchfish.localagent.serve_settings import ServeSettings
from batchfish.webagent.streaming import Complete, Heartbeat, Progress, Started, StreamEvent, StreamingUrl
from tests.localagent.doubles import TOKEN, ManualEngine, served_app
from tests.loopback import nobody_listening

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

URL, GOAL = "http://a.example/", "Read the price"
NOW = 1_800_000_000.0
NO_PRICE = RunFailure(code="LOCAL_NOT_FOUND", message="No price.")
PRICE = {"type": "object", "properties": {"price": {"type": "number"}}}


@pytest.fixture
def engine() -> ManualEngine:
    return ManualEngine()


@pytest.fixture
async def queue(engine: ManualEngine) -> AsyncIterator[RunQueue]:
    """Return a queue that works on one run at a time."""
    book = RunStore(":memory:")
    async with RunQueue(book, engine, cap=1, clock=lambda: NOW) as queue:
        yield queue
    book.close()


@pytest.fixture
async def address(queue: RunQueue) -> AsyncIterator[str]:
    async with served_app(queue, lambda: NOW, ServeSettings(heartbeat_every=0.05)) as address:
        yield address


@pytest.fixture
async def client(address: str) -> AsyncIterator[WebAgentClient]:
    async with WebAgentClient(api_key=TOKEN, base_url=address, sleep=quickly) as client:
        yield client


async def quickly(seconds: float) -> None:
    """Wait a fiftieth of the time."""
    await asyncio.sleep(seconds / 50)


def made(queue: RunQueue) -> list[str]:
    """Return the statuses of all runs, oldest first."""
    page = queue.page(RunFilter(), limit=100, direction="asc", after=None)
    return [str(run.status) for run in page.runs]


class TestRun:
    async def test_it_waits_for_the_end(
        self, client: WebAgentClient, engine: ManualEngine, queue: RunQueue
    ) -> None:
        running = asyncio.create_task(client.run(URL, GOAL, {"output_schema": PRICE}))
        await engine.begun(URL)
        await engine.end(URL, RunOutcome(result={"price": 9.99}))
        run = await running
        assert (run.status, run.steps, run.error) == ("COMPLETED", 1, None)
        assert json.loads(run.result or b"") == {"price": 9.99}
        assert (run.started_at, run.finished_at) == (NOW, NOW)
        assert run.streaming_url is not None
        assert made(queue) == ["COMPLETED"]
        with pytest.raises(WrongInput, match="made by /run"):
            await client.cancel_run(run.run_id)

    async def test_a_failure_keeps_its_words_and_is_not_repeated(
        self, client: WebAgentClient, engine: ManualEngine, queue: RunQueue
    ) -> None:
        running = asyncio.create_task(client.run(URL, GOAL))
        await engine.begun(URL)
        await engine.end(URL, RunOutcome(failure=NO_PRICE))
        assert (await running).error == RunError(
            message="No price.", code="LOCAL_NOT_FOUND", category="AGENT_FAILURE", never_retry=True
        )
        assert made(queue) == ["FAILED"]

    async def test_who_does_not_wait_long_enough_hears_that_a_run_may_exist(
        self, client: WebAgentClient, engine: ManualEngine, queue: RunQueue
    ) -> None:
        with pytest.raises(RunMayExist):
            await client.run(URL, GOAL, within=1.0)
        await engine.begun(URL)
        assert made(queue) == ["RUNNING"]

    async def test_its_run_goes_on_when_another_client_cancels_it(
        self, client: WebAgentClient, engine: ManualEngine, queue: RunQueue
    ) -> None:
        running = asyncio.create_task(client.run(URL, GOAL))
        await engine.begun(URL)
        page = queue.page(RunFilter(), limit=1, direction="asc", after=None)
        with pytest.raises(WrongInput, match="it cannot be cancelled"):
            await client.cancel_run(page.runs[0].run_id)  # the client does not know that /run created it
        await engine.end(URL, RunOutcome(result={}))
        assert (await running).status == "COMPLETED"


class TestQueue:
    async def test_a_run_is_polled_while_it_waits_works_and_has_ended(
        self, client: WebAgentClient, engine: ManualEngine, queue: RunQueue
    ) -> None:
        first, second = [await client.queue(f"{URL}{n}", GOAL) for n in range(2)]
        await engine.begun(f"{URL}0")
        seen = [await client.get(run_id) for run_id in (first, second)]
        assert [(run.status, run.started_at is None) for run in seen] == [
            ("RUNNING", False),
            ("PENDING", True),
        ]
        assert [run.goal for run in seen] == [GOAL, GOAL]
        waiting = asyncio.create_task(client.wait(second))
        await engine.end(f"{URL}0", RunOutcome(result={"n": 0}))
        await engine.begun(f"{URL}1")
        await engine.end(f"{URL}1", RunOutcome(result={"n": 1}))
        assert json.loads((await waiting).result or b"") == {"n": 1}
        assert json.loads((await client.get(first)).result or b"") == {"n": 0}
        assert made(queue) == ["COMPLETED", "COMPLETED"]

    async def test_a_run_is_cancelled_at_every_stage_and_again(
        self, client: WebAgentClient, engine: ManualEngine
    ) -> None:
        running, pending = [await client.queue(f"{URL}{n}", GOAL) for n in range(2)]
        await engine.begun(f"{URL}0")
        for run_id in (pending, running):
            answers = [await client.cancel_run(run_id) for _ in range(2)]
            assert [answer.status for answer in answers] == ["CANCELLED", "CANCELLED"]
            assert [answer.message for answer in answers] == [None, "Run already cancelled"]
            assert (await client.wait(run_id)).status == "CANCELLED"
        assert engine.order == [f"{URL}0"]
        assert engine.stopped == [f"{URL}0"]

    async def test_a_cancel_of_an_ended_run_returns_its_status(
        self, client: WebAgentClient, engine: ManualEngine
    ) -> None:
        run_id = await client.queue(URL, GOAL)
        await engine.begun(URL)
        await engine.end(URL, RunOutcome(failure=NO_PRICE))
        answer = await client.cancel_run(run_id)
        assert (answer.status, answer.message) == ("FAILED", "Run already finished")

    async def test_a_run_that_is_not_there_is_said_so(self, client: WebAgentClient) -> None:
        for ask in (client.get, client.cancel_run):
            with pytest.raises(WrongInput, match="no-such-run"):
                await ask("no-such-run")


class TestStream:
    async def test_every_event_comes_typed_with_heartbeats_while_nothing_happens(
        self, client: WebAgentClient, engine: ManualEngine, queue: RunQueue
    ) -> None:
        beats: list[Heartbeat] = []

        async def go_on(beat: Heartbeat) -> None:
            beats.append(beat)
            if len(beats) == 1:
                await engine.tell(URL, Step(action="clicked “Load more”"))
                await engine.end(URL, RunOutcome(result={"price": 3}))

        stream = client.stream(URL, GOAL, {"output_schema": PRICE}, on_heartbeat=go_on)
        events = [event async for event in stream]
        assert beats
        news = [event for event in events if not isinstance(event, Heartbeat)]
        assert [type(event) for event in news] == [
            Started,
            StreamingUrl,
            Progress,
            Progress,
            Complete,
        ]
        started, streaming, opened, clicked, end = news
        assert isinstance(started, Started)
        assert isinstance(streaming, StreamingUrl)
        assert streaming.url == (await client.get(started.run_id)).streaming_url
        assert isinstance(opened, Progress)
        assert isinstance(clicked, Progress)
        assert (opened.purpose, clicked.purpose) == (f"opened {URL}", "clicked “Load more”")
        assert isinstance(end, Complete)
        assert (end.run.status, end.run.result) == ("COMPLETED", b'{"price":3}')
        assert made(queue) == ["COMPLETED"]

    async def test_a_run_cancelled_from_within_its_stream_ends_it(
        self, client: WebAgentClient, engine: ManualEngine
    ) -> None:
        run_id, ends = "", []
        async for event in client.stream(URL, GOAL):
            if isinstance(event, Started):
                run_id = event.run_id
            if isinstance(event, Progress):
                await client.cancel_run(run_id)
            if isinstance(event, Complete):
                ends.append(event.run.status)
        assert ends == ["CANCELLED"]
        assert engine.stopped == [URL]

    async def test_a_cut_stream_is_followed_by_polls_and_no_second_run(
        self, address: str, engine: ManualEngine, queue: RunQueue
    ) -> None:
        async with (
            cutting_relay(address, b'"PROGRESS"') as (relay, cut),
            WebAgentClient(api_key=TOKEN, base_url=relay, sleep=quickly) as client,
        ):

            async def streaming() -> list[StreamEvent]:
                return [event async for event in client.stream(URL, GOAL)]

            task = asyncio.create_task(streaming())
            async with asyncio.timeout(60):
                await cut.wait()
                await engine.end(URL, RunOutcome(result={"price": 3}))
                events = await task
        end = events[-1]
        assert isinstance(end, Complete)
        assert (end.run.status, end.run.result) == ("COMPLETED", b'{"price":3}')
        assert [type(event) for event in events[:2]] == [Started, StreamingUrl]
        assert made(queue) == ["COMPLETED"]

    async def test_leaving_a_stream_early_leaves_the_run_to_be_found_and_cancelled(
        self, client: WebAgentClient, engine: ManualEngine
    ) -> None:
        run_id = ""
        stream = client.stream(URL, GOAL)
        async with contextlib.aclosing(stream):
            async for event in stream:
                if isinstance(event, Started):
                    run_id = event.run_id
                    break
        await engine.begun(URL)
        assert (await client.get(run_id)).status == "RUNNING"
        assert (await client.cancel_run(run_id)).status == "CANCELLED"


@contextlib.asynccontextmanager
async def cutting_relay(address: str, at: bytes) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """Relay bytes to an agent and back, and cut the first connection whose answer holds `at`, once."""
    port = int(address.rpartition(":")[2])
    cut = asyncio.Event()
    relaying: set[asyncio.Task[None]] = set()

    async def back(answers: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        while chunk := await answers.read(65_536):
            before, found, _ = chunk.partition(at)
            is_cut = bool(found) and not cut.is_set()
            client.write(before if is_cut else chunk)
            await client.drain()
            if is_cut:
                cut.set()
                client.close()
                return

    async def relay(requests: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        answers, agent = await asyncio.open_connection("127.0.0.1", port)
        relaying.add(answering := asyncio.ensure_future(back(answers, client)))
        with contextlib.suppress(OSError):
            while chunk := await requests.read(65_536):
                agent.write(chunk)
        answering.cancel()
        agent.close()
        client.close()

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", cut
    await asyncio.gather(*relaying, return_exceptions=True)


class TestRefusals:
    async def test_a_refused_schema_names_its_place_over_every_endpoint(
        self, client: WebAgentClient, queue: RunQueue
    ) -> None:
        request = {"output_schema": {"type": "object", "properties": {"a": {"oneOf": []}}}}
        calls = (
            client.run(URL, GOAL, request),
            client.queue(URL, GOAL, request),
            anext(client.stream(URL, GOAL, request)),
        )
        for call in calls:
            with pytest.raises(WrongInput, match="#/properties/a/oneOf"):
                await call
        assert made(queue) == []

    async def test_a_wrong_key_is_not_permitted_and_never_shown(self, queue: RunQueue) -> None:
        async with (
            served_app(queue, lambda: NOW) as address,
            WebAgentClient(api_key="sk-wrong-key", base_url=address) as client,
        ):
            for call in (
                client.run(URL, GOAL),
                client.queue(URL, GOAL),
                client.get("x"),
                client.cancel_run("x"),
            ):
                with pytest.raises(NotPermitted) as caught:
                    await call
                assert "sk-wrong-key" not in str(caught.value)
        assert made(queue) == []

    async def test_an_agent_that_is_not_there_made_no_run(self) -> None:
        with nobody_listening() as port:
            async with WebAgentClient(api_key="sk-any", base_url=f"http://127.0.0.1:{port}") as client:
                for call in (client.run(URL, GOAL), client.queue(URL, GOAL)):
                    with pytest.raises(TryLater):  # not RunMayExist: nothing was sent
                        await call
