"""Clients for one run that a person watches: their creates go over `/run-sse` or `/run`.

Whatever the road, a create is answered with what it proves, so that the run is journalled like any other.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from batchfish.core.events import SubmitAccepted, SubmitUnanswered
from batchfish.core.runs import RunSnapshot
from batchfish.webagent.client import WebAgentClient
from batchfish.webagent.http import ANSWER_SECONDS
from batchfish.webagent.single_run import RUN_SECONDS
from batchfish.webagent.sse import Complete, Heartbeat
from batchfish.webagent.stream import NotAccepted, StreamCut

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from batchfish.core.events import CreateAnswer
    from batchfish.webagent.base import PreparedCreate
    from batchfish.webagent.sse import StreamEvent


class StreamingClient(WebAgentClient):
    """Creates runs over `/run-sse`, and tells their events as they come."""

    def __init__(self, *, tell: Callable[[StreamEvent], None], **options: Any) -> None:  # noqa: ANN401 - of WebAgentClient
        """Take who is told of events, and the options of WebAgentClient."""
        super().__init__(**options)
        self._tell = tell
        self._streams: set[asyncio.Task[None]] = set()

    async def submit(self, create: PreparedCreate) -> CreateAnswer:
        """Send one create, once; it is accepted when its stream names the run, which is told from then on."""
        named: asyncio.Future[CreateAnswer] = asyncio.get_running_loop().create_future()
        stream = asyncio.create_task(self._follow(self._roads.read_stream(create), named))
        self._streams.add(stream)
        stream.add_done_callback(self._streams.discard)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await asyncio.shield(named)
        except TimeoutError:
            stream.cancel()
            return SubmitUnanswered(message=f"the stream named no run for {ANSWER_SECONDS:.0f} s")

    async def _follow(
        self, events: AsyncGenerator[StreamEvent, None], named: asyncio.Future[CreateAnswer]
    ) -> None:
        proof: CreateAnswer = SubmitUnanswered(message="the stream was left before its run was named")
        try:
            async with aclosing(events):
                async for event in events:
                    run_id = _run_named_by(event)
                    if run_id is not None and not named.done():
                        named.set_result(SubmitAccepted(run_id=run_id))
                    self._tell(event)
        except StreamCut as cut:
            proof = SubmitAccepted(run_id=cut.run_id)  # it is followed by looks from here on
        except NotAccepted as refused:
            proof = refused.proof
        finally:
            if not named.done():
                named.set_result(proof)

    async def aclose(self) -> None:
        """Leave the streams and close the connections; what runs remotely goes on."""
        for stream in self._streams:
            stream.cancel()
        await asyncio.gather(*self._streams, return_exceptions=True)
        await super().aclose()


class WaitingClient(WebAgentClient):
    """Creates runs over `/run`: the answer comes when the run is over, and nothing can cancel it."""

    async def submit(self, create: PreparedCreate) -> CreateAnswer:
        """Send one create, once, and wait up to 15 minutes for the end of its run."""
        answer = await self._roads.send_run(create, RUN_SECONDS)
        return SubmitAccepted(run_id=answer.run_id) if isinstance(answer, RunSnapshot) else answer


def _run_named_by(event: StreamEvent) -> str | None:
    match event:
        case Complete(run=run):
            return run.run_id
        case Heartbeat():
            return None
        case _:
            return event.run_id
