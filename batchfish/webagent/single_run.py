"""Single runs over `/run`, `/run-async` or `/run-sse`, followed to their end.

`SingleRuns` is for scripts. The senders are for a batch of one item whose events or end a person waits for.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

from tenacity import AsyncRetrying, retry_if_exception_type, retry_if_result, stop_after_attempt

from batchfish.core.backoff import exponential
from batchfish.core.events import SubmitAccepted, SubmitUnanswered
from batchfish.core.runs import RunSnapshot
from batchfish.errors import WebAgentUnavailable, WrongInput
from batchfish.webagent import wire
from batchfish.webagent.creates import QueueingSender, create_error, read_create, require_run
from batchfish.webagent.http import ANSWER_SECONDS, HttpAnswer, call
from batchfish.webagent.redaction import redact_run
from batchfish.webagent.run_parsing import read_run
from batchfish.webagent.streaming import Complete, Heartbeat, NotAccepted, StreamCut, read_stream

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from tenacity import RetryCallState

    from batchfish.core.events import CreateAnswer
    from batchfish.webagent.base import PreparedCreate
    from batchfish.webagent.cancels import Cancellation, RunCanceller
    from batchfish.webagent.http import HttpClient, HttpClients
    from batchfish.webagent.polls import RunPoller
    from batchfish.webagent.redaction import Redact
    from batchfish.webagent.streaming import StreamEvent

RUN_SECONDS = 900.0
"""The time limit of a create whose answer is that of its run."""

POLLS_WITHOUT_ANSWER = 10
"""The number of polls in a row without an answer after which a run is given up."""

FIRST_WAIT, LONGEST_WAIT = 0.5, 5.0
"""Bounds of the wait between two polls of one run, in seconds; it doubles."""

_RUN_STATUSES = frozenset({200, 500})


class SingleRuns:
    """Runs one page per call. Each create is sent once, and failures are raised as exceptions."""

    def __init__(
        self,
        clients: HttpClients,
        poller: RunPoller,
        canceller: RunCanceller,
        redact: Redact,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        """Send over `clients`; `sleep` is called with the seconds to wait between two polls."""
        self._http = clients.runs
        self._queueing = QueueingSender(clients, redact)
        self._poller = poller
        self._canceller = canceller
        self._redact = redact
        self._sleep = sleep
        self._made_by_run: set[str] = set()

    async def run(self, create: PreparedCreate, within: float) -> RunSnapshot:
        """Send a create over `/run` and return the ended run, which may have failed."""
        answer = await send_run(self._http, create, self._redact, within)
        run_id = answer.run_id if isinstance(answer, RunSnapshot) else require_run(answer)
        self._made_by_run.add(run_id)
        if isinstance(answer, RunSnapshot) and answer.is_final:
            return answer
        return await self.wait(run_id)

    async def queue(self, create: PreparedCreate) -> str:
        """Send a create over `/run-async` and return the id of its run."""
        return require_run(await self._queueing.send(create))

    async def get(self, run_id: str) -> RunSnapshot:
        """Poll one run once; WrongInput if the API does not know it."""
        if not wire.is_run_id(run_id):
            raise WrongInput(f"{run_id!r} is not a run id")
        result = await self._poller.poll([run_id])
        if run_id in result.not_found:
            raise WrongInput(f"the API knows no run {run_id}, or it belongs to another account")
        if run_id not in result.runs:
            raise WebAgentUnavailable(f"no answer about run {run_id}", retry_after=result.retry_after)
        return result.runs[run_id]

    async def wait(self, run_id: str) -> RunSnapshot:
        """Poll a run until it has ended; WebAgentUnavailable after ten polls in a row without an answer."""
        until_answered = AsyncRetrying(
            retry=retry_if_exception_type(WebAgentUnavailable),
            stop=stop_after_attempt(POLLS_WITHOUT_ANSWER),
            wait=_backoff,
            sleep=self._sleep,
            reraise=True,
        )
        until_ended = AsyncRetrying(retry=retry_if_result(_is_alive), wait=_backoff, sleep=self._sleep)
        ended: RunSnapshot = await until_ended(until_answered, self._poll_existing, run_id)
        return ended

    async def _poll_existing(self, run_id: str) -> RunSnapshot:
        """Poll a run that is known to exist; WebAgentUnavailable while the API does not show it."""
        result = await self._poller.poll([run_id])
        if run_id not in result.runs:
            raise WebAgentUnavailable(f"the API does not show run {run_id}", retry_after=result.retry_after)
        return result.runs[run_id]

    async def cancel(self, run_id: str) -> Cancellation:
        """Cancel one run; WrongInput, with the reason, if it cannot be cancelled."""
        if not wire.is_run_id(run_id):
            raise WrongInput(f"{run_id!r} is not a run id")
        if run_id in self._made_by_run:
            raise WrongInput(f"run {run_id} was made by /run: it cannot be cancelled, it ends by itself")
        return await self._canceller.cancel_one(run_id)

    async def stream(self, create: PreparedCreate) -> AsyncGenerator[StreamEvent, None]:
        """Send a create over `/run-sse` and yield its events; if it breaks, poll the run to its end."""
        try:
            async with aclosing(read_stream(self._http, create, self._redact)) as events:
                async for event in events:
                    yield event
        except StreamCut as cut:
            yield Complete(run=await self.wait(cut.run_id))
        except NotAccepted as refused:
            raise create_error(refused.proof) from None


class WaitingSender:
    """Sends creates to `/run`, which answers when the run has ended; such a run cannot be cancelled."""

    def __init__(self, clients: HttpClients, redact: Redact) -> None:
        """Send over `clients.runs`."""
        self._http = clients.runs
        self._redact = redact

    async def send(self, create: PreparedCreate) -> CreateAnswer:
        """Send one create, once, and wait up to 15 minutes for the end of its run."""
        answer = await send_run(self._http, create, self._redact, RUN_SECONDS)
        return SubmitAccepted(run_id=answer.run_id) if isinstance(answer, RunSnapshot) else answer

    async def aclose(self) -> None:
        """Do nothing: nothing stays open after `send`."""


class StreamingSender:
    """Sends creates to `/run-sse`, and calls `on_event` with each event of their runs."""

    def __init__(
        self, clients: HttpClients, redact: Redact, *, on_event: Callable[[StreamEvent], None]
    ) -> None:
        """Send over `clients.runs`."""
        self._http = clients.runs
        self._redact = redact
        self._on_event = on_event
        self._streams: set[asyncio.Task[None]] = set()

    async def send(self, create: PreparedCreate) -> CreateAnswer:
        """Send one create, once; it is accepted as soon as its stream names the run."""
        answer: asyncio.Future[CreateAnswer] = asyncio.get_running_loop().create_future()
        stream = asyncio.create_task(self._follow(create, answer))
        self._streams.add(stream)
        stream.add_done_callback(self._streams.discard)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await asyncio.shield(answer)
        except TimeoutError:
            stream.cancel()
            return SubmitUnanswered(message=f"the stream named no run for {ANSWER_SECONDS:.0f} s")

    async def _follow(self, create: PreparedCreate, answer: asyncio.Future[CreateAnswer]) -> None:
        proof: CreateAnswer = SubmitUnanswered(message="the stream was closed before it named its run")
        try:
            async with aclosing(read_stream(self._http, create, self._redact)) as events:
                async for event in events:
                    run_id = _run_named_by(event)
                    if run_id is not None and not answer.done():
                        answer.set_result(SubmitAccepted(run_id=run_id))
                    self._on_event(event)
        except StreamCut as cut:
            proof = SubmitAccepted(run_id=cut.run_id)  # from here on it is polled
        except NotAccepted as refused:
            proof = refused.proof
        finally:
            if not answer.done():
                answer.set_result(proof)

    async def aclose(self) -> None:
        """Close the streams; their runs go on."""
        for stream in self._streams:
            stream.cancel()
        await asyncio.gather(*self._streams, return_exceptions=True)


async def send_run(
    http: HttpClient, create: PreparedCreate, redact: Redact, within: float
) -> RunSnapshot | CreateAnswer:
    """Send one create, once, over `/run`; return the run if the answer holds one, else what it proves.

    A failed run may come with status 500: a body that names a run says more than the status.
    """
    answer = await call(http, "POST", wire.RUN, body=create.body, within=within)
    if isinstance(answer, HttpAnswer) and answer.status in _RUN_STATUSES:
        run = read_run(answer.body)
        if run is not None:
            return redact_run(run, redact)
    return read_create(answer, redact)


def _run_named_by(event: StreamEvent) -> str | None:
    match event:
        case Complete(run=run):
            return run.run_id
        case Heartbeat():
            return None
        case _:
            return event.run_id


def _is_alive(run: RunSnapshot) -> bool:
    return not run.is_final


def _backoff(state: RetryCallState) -> float:
    """Return the seconds before the next attempt: doubled each time, and at least what the API asked for."""
    error = state.outcome.exception() if state.outcome is not None else None
    asked = error.retry_after if isinstance(error, WebAgentUnavailable) else None
    return max(asked or 0.0, exponential(state.attempt_number, first=FIRST_WAIT, longest=LONGEST_WAIT))
