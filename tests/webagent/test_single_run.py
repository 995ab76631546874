"""Single runs over each endpoint: one create each, and the result or the error that follows."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING

import httpx
import pytest

from batchfish import WebAgentClient
from batchfish.core.runs import RunError, RunSnapshot
from batchfish.errors import (
    BatchfishError,
    NotPermitted,
    RunMayExist,
    TryLater,
    WebAgentUnavailable,
    WrongInput,
)
from batchfish.webagent.streaming import Complete, Heartbeat, Progress, Started, StreamEvent, StreamingUrl
from tests.webagent.fakes import BASE_URL, KEY, Chunks, refusal, row, runs_body

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping

URL, GOAL = "https://shop.example", "find the price"
DONE = RunSnapshot(run_id="r-1", status="COMPLETED", goal="g", result=b"[1]")


class Api:
    """An API of one run, r-1: its answer to a create, and its answers to polls, one after the other."""

    def __init__(
        self,
        create: Callable[[], httpx.Response],
        polls: Iterable[httpx.Response | Exception] = (),
        cancel: httpx.Response | None = None,
    ) -> None:
        self.create, self.polls, self.cancel = create, iter(polls), cancel
        self.requests: list[httpx.Request] = []
        self.waits: list[float] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        self.requests.append(request)
        if request.url.path.startswith("/v1/automation/"):
            return self.create()
        if request.url.path == "/v1/runs/r-1/cancel" and self.cancel is not None:
            return self.cancel
        shown = next(self.polls)
        if isinstance(shown, Exception):
            raise shown
        return shown

    async def sleep(self, seconds: float) -> None:
        """Return at once, and keep the seconds."""
        self.waits.append(seconds)

    def client(self) -> WebAgentClient:
        """Open a client of this API."""
        return WebAgentClient(
            api_key=KEY, base_url=BASE_URL, transport=httpx.MockTransport(self.answer), sleep=self.sleep
        )

    @property
    def creates(self) -> list[str]:
        """The paths of the creates that arrived."""
        return [request.url.path for request in self.requests if "automation" in request.url.path]


def shown(status: str = "COMPLETED", result: bytes = b"[1]") -> httpx.Response:
    return httpx.Response(200, content=runs_body([row("r-1", result, status)]))


def missing() -> httpx.Response:
    return httpx.Response(200, content=runs_body([], ["r-1"]))


def raising(failure: Exception) -> Callable[[], httpx.Response]:
    def create() -> httpx.Response:
        raise failure

    return create


def events_of(*events: Mapping[str, object], cut: Exception | None = None) -> Callable[[], httpx.Response]:
    """Answer with a stream of these events, which ends or breaks."""

    async def body() -> AsyncIterator[bytes]:
        for event in events:
            yield f"data: {json.dumps(event)}\n\n".encode()
        if cut is not None:
            raise cut

    class Body(httpx.AsyncByteStream):
        def __aiter__(self) -> AsyncIterator[bytes]:
            return body()

    return lambda: httpx.Response(
        200, stream=Body(), headers={"Content-Type": "text/event-stream; charset=utf-8"}
    )


STARTED: dict[str, object] = {"type": "STARTED", "run_id": "r-1"}
PROGRESS: dict[str, object] = {"type": "PROGRESS", "run_id": "r-1", "purpose": "reading"}
COMPLETE: dict[str, object] = {"type": "COMPLETE", "run_id": "r-1", "status": "COMPLETED", "result": [1]}


async def stream_events(api: Api) -> list[StreamEvent]:
    return [event async for event in api.client().stream(URL, GOAL)]


class TestRun:
    async def test_it_returns_the_run_that_is_over(self) -> None:
        api = Api(lambda: httpx.Response(200, content=row("r-1", b"[1]")))
        assert await api.client().run(URL, GOAL, {"browser_profile": "stealth"}) == DONE
        assert api.creates == ["/v1/automation/run"]
        assert json.loads(api.requests[0].content)["browser_profile"] == "stealth"

    async def test_a_failed_run_with_status_500_is_a_run_and_not_repeated(self) -> None:
        body = {"run_id": "r-1", "status": "FAILED", "error": {"message": "broke"}, "result": None}
        api = Api(lambda: httpx.Response(500, json=body))
        run = await api.client().run(URL, GOAL)
        assert run == RunSnapshot(run_id="r-1", status="FAILED", error=RunError(message="broke"))
        assert len(api.creates) == 1

    @pytest.mark.parametrize(
        "early",
        [
            httpx.Response(200, content=row("r-1", b"null", "RUNNING")),
            httpx.Response(200, json={"run_id": "r-1", "error": None}),
        ],
    )
    async def test_an_answer_that_comes_early_is_followed_by_polls(self, early: httpx.Response) -> None:
        api = Api(lambda: early, [shown("RUNNING", b"null"), shown()])
        assert await api.client().run(URL, GOAL) == DONE
        assert len(api.creates) == 1

    @pytest.mark.parametrize(
        ("create", "error"),
        [
            (lambda: refusal(400, "INVALID_INPUT"), WrongInput),
            (lambda: refusal(401, "INVALID_API_KEY"), NotPermitted),
            (lambda: refusal(403, "FORBIDDEN"), NotPermitted),
            (lambda: refusal(402, "INSUFFICIENT_CREDITS"), TryLater),
            (lambda: refusal(429), TryLater),
            (lambda: refusal(404), WrongInput),
            (lambda: refusal(500), RunMayExist),
            (
                lambda: httpx.Response(500, json={"run_id": None, "status": "FAILED", "error": {}}),
                RunMayExist,
            ),
            (lambda: httpx.Response(200, text="{"), RunMayExist),
            (raising(httpx.ConnectError("x")), TryLater),
            (raising(httpx.ReadTimeout("x")), RunMayExist),
        ],
    )
    @pytest.mark.parametrize("endpoint", ["run", "queue", "stream"])
    async def test_no_endpoint_gets_a_create_twice_and_each_failure_has_its_error(
        self, endpoint: str, create: Callable[[], httpx.Response], error: type[BatchfishError]
    ) -> None:
        api = Api(create)
        client = api.client()
        calls: dict[str, Callable[[], Awaitable[object]]] = {
            "run": lambda: client.run(URL, GOAL),
            "queue": lambda: client.queue(URL, GOAL),
            "stream": lambda: stream_events(api),
        }
        with pytest.raises(error) as caught:
            await calls[endpoint]()
        assert len(api.creates) == 1
        assert ("A run may exist" in str(caught.value)) == (error is RunMayExist)


class TestQueue:
    async def test_a_run_is_queued_polled_and_waited_for(self) -> None:
        api = Api(
            lambda: httpx.Response(200, json={"run_id": "r-1", "error": None}),
            [shown("PENDING", b"null"), shown("RUNNING", b"null"), shown()],
        )
        client = api.client()
        run_id = await client.queue(URL, GOAL)
        assert (await client.get(run_id)).status == "PENDING"
        assert await client.wait(run_id) == DONE

    async def test_waiting_takes_longer_each_time_up_to_a_bound(self) -> None:
        api = Api(refusal, [shown("RUNNING", b"null")] * 7 + [shown()])  # type: ignore[arg-type]
        assert await api.client().wait("r-1") == DONE
        assert api.waits == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0, 5.0]

    async def test_polls_without_an_answer_are_repeated_as_the_api_asks(self) -> None:
        api = Api(
            lambda: refusal(500),
            [refusal(429, retry_after="40"), refusal(503), httpx.ReadError("x"), missing(), shown()],
        )
        assert await api.client().wait("r-1") == DONE
        assert api.waits == [40.0, 1.0, 2.0, 4.0]

    async def test_waiting_ends_after_ten_polls_without_an_answer(self) -> None:
        api = Api(lambda: refusal(500), itertools.repeat(refusal(503)))
        with pytest.raises(WebAgentUnavailable):
            await api.client().wait("r-1")
        assert len(api.requests) == 10

    async def test_a_refused_key_ends_waiting_at_once(self) -> None:
        api = Api(lambda: refusal(500), [refusal(401)])
        with pytest.raises(NotPermitted):
            await api.client().wait("r-1")

    @pytest.mark.parametrize("run_id", ["", "../x", "r 1"])
    async def test_a_malformed_run_id_is_never_sent(self, run_id: str) -> None:
        client = Api(lambda: refusal(500)).client()
        for ask in (client.get, client.cancel_run):
            with pytest.raises(WrongInput, match="not a run id"):
                await ask(run_id)

    async def test_a_run_that_the_api_does_not_know_is_an_error(self) -> None:
        with pytest.raises(WrongInput, match="r-1"):
            await Api(lambda: refusal(500), [missing()]).client().get("r-1")

    async def test_a_run_that_the_api_leaves_out_is_an_outage(self) -> None:
        api = Api(lambda: refusal(500), [httpx.Response(200, content=runs_body([]))])
        with pytest.raises(WebAgentUnavailable):
            await api.client().get("r-1")


class TestCancel:
    async def test_a_run_is_cancelled_and_its_status_returned(self) -> None:
        body = {
            "run_id": "r-1",
            "status": "COMPLETED",
            "cancelled_at": None,
            "message": "Run already finished",
        }
        answer = (
            await Api(lambda: refusal(500), cancel=httpx.Response(200, json=body)).client().cancel_run("r-1")
        )
        assert (answer.run_id, answer.status, answer.message) == ("r-1", "COMPLETED", "Run already finished")

    @pytest.mark.parametrize("status", [400, 404, 409, 422])
    async def test_a_cancel_that_the_api_refuses_is_an_error_with_its_message(self, status: int) -> None:
        api = Api(lambda: refusal(500), cancel=refusal(status))
        with pytest.raises(WrongInput, match="said the API"):
            await api.client().cancel_run("r-1")

    @pytest.mark.parametrize(
        "answer", [httpx.Response(200, text="?"), httpx.Response(200, json=[]), refusal(503)]
    )
    async def test_a_cancel_without_an_answer_is_an_outage(self, answer: httpx.Response) -> None:
        with pytest.raises(WebAgentUnavailable):
            await Api(lambda: refusal(500), cancel=answer).client().cancel_run("r-1")

    async def test_cancelling_a_run_made_by_run_is_refused_and_not_sent(self) -> None:
        api = Api(lambda: httpx.Response(200, content=row("r-1", b"[1]")), cancel=refusal(500))
        client = api.client()
        await client.run(URL, GOAL)
        with pytest.raises(WrongInput, match="made by /run"):
            await client.cancel_run("r-1")
        assert len(api.requests) == 1


class TestStream:
    async def test_events_come_typed_and_in_order(self) -> None:
        url = {"type": "STREAMING_URL", "run_id": "r-1", "streaming_url": "https://watch"}
        api = Api(events_of(STARTED, {"type": "HEARTBEAT"}, url, PROGRESS, {"type": "NEW"}, COMPLETE))
        assert await stream_events(api) == [
            Started(run_id="r-1"),
            Heartbeat(),
            StreamingUrl(url="https://watch", run_id="r-1"),
            Progress(purpose="reading", run_id="r-1"),
            Complete(run=RunSnapshot(run_id="r-1", status="COMPLETED", result=b"[1]")),
        ]
        assert api.creates == ["/v1/automation/run-sse"]
        assert api.requests[0].headers["Accept"] == "text/event-stream"

    async def test_callbacks_may_be_functions_or_coroutines(self) -> None:
        seen: list[StreamEvent] = []

        async def note(event: StreamEvent) -> None:
            seen.append(event)

        url = {"type": "STREAMING_URL", "streaming_url": "https://watch"}
        api = Api(events_of(STARTED, url, {"type": "HEARTBEAT"}, PROGRESS, COMPLETE))
        yielded = [
            event
            async for event in api.client().stream(
                URL,
                GOAL,
                on_started=seen.append,
                on_streaming_url=note,
                on_progress=note,
                on_heartbeat=seen.append,
                on_complete=note,
            )
        ]
        assert seen == yielded
        assert len(seen) == 5

    async def test_nothing_after_the_end_is_read(self) -> None:
        api = Api(events_of(STARTED, COMPLETE, PROGRESS, cut=httpx.ReadError("x")))
        assert [type(event) for event in await stream_events(api)] == [Started, Complete]

    @pytest.mark.parametrize(
        "cut", [None, httpx.ReadError("x"), httpx.ReadTimeout("x"), ConnectionResetError()]
    )
    @pytest.mark.parametrize("events", [[STARTED], [STARTED, PROGRESS], [PROGRESS]])
    async def test_a_cut_stream_is_followed_by_polls_and_no_second_create(
        self, events: list[dict[str, object]], cut: Exception | None
    ) -> None:
        api = Api(events_of(*events, cut=cut), [missing(), shown("RUNNING", b"null"), refusal(503), shown()])
        assert (await stream_events(api))[-1] == Complete(run=DONE)
        assert api.creates == ["/v1/automation/run-sse"]

    @pytest.mark.parametrize("cut", [None, httpx.ReadError("x")])
    @pytest.mark.parametrize("events", [[], [{"type": "HEARTBEAT"}], [{"type": "STARTED", "run_id": "../x"}]])
    async def test_a_stream_cut_before_the_run_is_named_warns_of_paying_twice(
        self, events: list[dict[str, object]], cut: Exception | None
    ) -> None:
        api = Api(events_of(*events, cut=cut))
        with pytest.raises(RunMayExist, match="A run may exist"):
            await stream_events(api)
        assert len(api.requests) == 1

    async def test_after_an_end_without_a_status_the_run_is_polled(self) -> None:
        api = Api(events_of(STARTED, {"type": "COMPLETE", "run_id": "r-1"}), [shown()])
        assert (await stream_events(api))[-1] == Complete(run=DONE)

    async def test_a_last_event_without_a_blank_line_counts(self) -> None:
        body = f"data: {json.dumps(STARTED)}\r\n\r\ndata:{json.dumps(COMPLETE)}".encode()
        pieces = [body[start : start + 7] for start in range(0, len(body), 7)]
        api = Api(
            lambda: httpx.Response(200, stream=Chunks(pieces), headers={"Content-Type": "text/event-stream"})
        )
        assert [type(event) for event in await stream_events(api)] == [Started, Complete]

    async def test_a_silent_stream_counts_as_cut(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("batchfish.webagent.streaming.SILENCE_SECONDS", 0.0)

        class Silence(httpx.AsyncByteStream):
            async def __aiter__(self) -> AsyncIterator[bytes]:
                import asyncio

                await asyncio.Event().wait()
                yield b""

        api = Api(
            lambda: httpx.Response(200, stream=Silence(), headers={"Content-Type": "text/event-stream"})
        )
        with pytest.raises(RunMayExist):
            await stream_events(api)

    async def test_a_run_that_comes_without_a_stream_is_polled(self) -> None:
        api = Api(lambda: httpx.Response(200, json={"run_id": "r-1", "error": None}), [shown()])
        assert await stream_events(api) == [Complete(run=DONE)]

    async def test_leaving_early_closes_the_stream_and_cancels_nothing(self) -> None:
        closed: list[bool] = []

        class Body(httpx.AsyncByteStream):
            async def __aiter__(self) -> AsyncIterator[bytes]:
                while True:
                    yield f"data: {json.dumps(STARTED)}\n\n".encode()

            async def aclose(self) -> None:
                closed.append(True)

        api = Api(lambda: httpx.Response(200, stream=Body(), headers={"Content-Type": "text/event-stream"}))
        events = api.client().stream(URL, GOAL)
        assert await anext(events) == Started(run_id="r-1")
        await events.aclose()
        assert closed == [True]
        assert len(api.requests) == 1

    async def test_an_error_in_a_callback_is_the_callers(self) -> None:
        def fail(_: StreamEvent) -> None:
            raise ValueError("mine")

        api = Api(events_of(STARTED, COMPLETE))
        with pytest.raises(ValueError, match="mine"):
            [event async for event in api.client().stream(URL, GOAL, on_started=fail)]
