"""The three ways to have one page worked on, each as one call: wait for it, queue it, watch it."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

from tenacity import AsyncRetrying, retry_if_exception_type, retry_if_result, stop_after_attempt

from batchfish.core.events import SubmitAccepted
from batchfish.core.runs import RunSnapshot
from batchfish.errors import WebAgentUnavailable, WrongInput
from batchfish.webagent import wire
from batchfish.webagent.answers import is_run_id
from batchfish.webagent.creates import accepted_run, explain_create, prove
from batchfish.webagent.http import HttpAnswer, call
from batchfish.webagent.redaction import hide_in_run
from batchfish.webagent.rows import read_run
from batchfish.webagent.sse import Complete
from batchfish.webagent.stream import NotAccepted, StreamCut, read_stream

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    import httpx
    from tenacity import RetryCallState

    from batchfish.core.events import CreateAnswer
    from batchfish.webagent.base import PreparedCreate
    from batchfish.webagent.cancels import Cancellation, RunCanceller
    from batchfish.webagent.polls import RunReader
    from batchfish.webagent.sse import StreamEvent

RUN_SECONDS = 900.0
LOOKS_WITHOUT_ANSWER = 10
FIRST_WAIT, LONGEST_WAIT = 0.5, 5.0
_RUN_STATUSES = frozenset({200, 500})


class Roads:
    """Runs one page over `/run`, `/run-async` or `/run-sse`; every create is sent once.

    `sleep` takes seconds; it is what passes between two looks.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        reader: RunReader,
        canceller: RunCanceller,
        hide: Callable[[str], str],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        """Take connections that may be held for minutes, and what looks and cancels go by."""
        self._http = http
        self._reader = reader
        self._canceller = canceller
        self._hide = hide
        self._sleep = sleep
        self._made_by_run: set[str] = set()

    async def run(self, create: PreparedCreate, within: float) -> RunSnapshot:
        """Send a create over `/run` and wait for its end, which may be a failure of the run itself."""
        answer = await self.send_run(create, within)
        if isinstance(answer, RunSnapshot):
            return answer if answer.is_final else await self.wait(answer.run_id)
        return await self.wait(accepted_run(answer))

    async def send_run(self, create: PreparedCreate, within: float) -> RunSnapshot | CreateAnswer:
        """Send a create over `/run`; give the run where the answer holds it, else what the answer proves.

        A failed run may come with status 500: a body that names a run tells more than the status.
        """
        answer = await call(self._http, "POST", wire.RUN, body=create.body, within=within)
        run = None
        if isinstance(answer, HttpAnswer) and answer.status in _RUN_STATUSES:
            run = read_run(answer.body)
            run = None if run is None else hide_in_run(run, self._hide)
        proof = prove(answer, self._hide) if run is None else SubmitAccepted(run_id=run.run_id)
        if isinstance(proof, SubmitAccepted):
            self._made_by_run.add(proof.run_id)
        return proof if run is None else run

    async def queue(self, create: PreparedCreate) -> str:
        """Send a create over `/run-async`, and return the id of its run."""
        answer = await call(self._http, "POST", wire.RUN_ASYNC, body=create.body)
        return accepted_run(prove(answer, self._hide))

    async def get(self, run_id: str) -> RunSnapshot:
        """Look at one run; WrongInput where the API does not know it."""
        if not is_run_id(run_id):
            raise WrongInput(f"{run_id!r} is no run id")
        look = await self._reader.look([run_id])
        if run_id in look.not_found:
            raise WrongInput(f"the API knows no run {run_id}, or it belongs to another account")
        if run_id not in look.runs:
            raise WebAgentUnavailable(f"no word of run {run_id}", retry_after=look.retry_after)
        return look.runs[run_id]

    async def wait(self, run_id: str) -> RunSnapshot:
        """Look at a run until it is over; WebAgentUnavailable after ten looks in a row without an answer."""
        patiently = AsyncRetrying(
            retry=retry_if_exception_type(WebAgentUnavailable),
            stop=stop_after_attempt(LOOKS_WITHOUT_ANSWER),
            wait=_wait,
            sleep=self._sleep,
            reraise=True,
        )
        to_the_end = AsyncRetrying(retry=retry_if_result(_is_alive), wait=_wait, sleep=self._sleep)
        over: RunSnapshot = await to_the_end(patiently, self._see, run_id)
        return over

    async def _see(self, run_id: str) -> RunSnapshot:
        """Look at a run that surely exists: one that the API does not know yet will show."""
        look = await self._reader.look([run_id])
        if run_id not in look.runs:
            raise WebAgentUnavailable(f"the API does not show run {run_id}", retry_after=look.retry_after)
        return look.runs[run_id]

    async def cancel(self, run_id: str) -> Cancellation:
        """Cancel one run; WrongInput, in words, for one that cannot be."""
        if not is_run_id(run_id):
            raise WrongInput(f"{run_id!r} is no run id")
        if run_id in self._made_by_run:
            raise WrongInput(f"run {run_id} was made by /run: it cannot be cancelled, it ends by itself")
        return await self._canceller.cancel_one(run_id)

    async def stream(self, create: PreparedCreate) -> AsyncGenerator[StreamEvent, None]:
        """Send a create over `/run-sse` and yield its events; one that is cut is followed up by looks."""
        try:
            async with aclosing(self.read_stream(create)) as events:
                async for event in events:
                    yield event
        except StreamCut as cut:
            yield Complete(run=await self.wait(cut.run_id))
        except NotAccepted as refused:
            raise explain_create(refused.proof) from None

    def read_stream(self, create: PreparedCreate) -> AsyncGenerator[StreamEvent, None]:
        """Send a create over `/run-sse` and yield its events; StreamCut or NotAccepted where that fails."""
        return read_stream(self._http, create, self._hide)


def _is_alive(run: RunSnapshot) -> bool:
    return not run.is_final


def _wait(state: RetryCallState) -> float:
    """Wait longer each time, and at least as long as the API asked for."""
    error = state.outcome.exception() if state.outcome is not None else None
    asked = error.retry_after if isinstance(error, WebAgentUnavailable) else None
    return max(asked or 0.0, min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(state.attempt_number - 1, 10)))
