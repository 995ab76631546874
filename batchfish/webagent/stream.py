"""One create over run-sse, and its events as they come."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

import httpx

from batchfish.core.events import SubmitAccepted, SubmitUnanswered
from batchfish.webagent import wire
from batchfish.webagent.creates import prove, prove_without_answer
from batchfish.webagent.http import (
    ANSWER_SECONDS,
    NETWORK_FAILURES,
    NoAnswer,
    Sending,
    build_request,
    describe,
    read_answer,
)
from batchfish.webagent.redaction import hide_in_run
from batchfish.webagent.sse import Complete, FrameReader, FrameTooLarge, Heartbeat, Progress, read_event

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from batchfish.core.events import SubmitDeferred, SubmitRejected
    from batchfish.webagent.base import PreparedCreate
    from batchfish.webagent.sse import StreamEvent

SILENCE_SECONDS = 120.0


class StreamCut(Exception):
    """The stream ended before its run did, which goes on."""

    def __init__(self, run_id: str) -> None:
        """Keep the run that is to be followed up."""
        super().__init__(run_id)
        self.run_id = run_id


class NotAccepted(Exception):
    """No run is known to have been made; `proof` tells what is known of the create."""

    def __init__(self, proof: SubmitDeferred | SubmitRejected | SubmitUnanswered) -> None:
        """Keep what the answer proves, or the lack of one."""
        super().__init__(proof.message)
        self.proof = proof


async def read_stream(
    http: httpx.AsyncClient, create: PreparedCreate, hide: Callable[[str], str]
) -> AsyncGenerator[StreamEvent, None]:
    """Send one create, once, and yield the events of its run up to Complete.

    Raises StreamCut where the run is known to exist and the stream says no more, else NotAccepted.
    """
    sending = Sending()
    request = build_request(http, "POST", wire.RUN_SSE, body=create.body, read_seconds=SILENCE_SECONDS)
    request.headers["Accept"] = "text/event-stream"
    request.extensions["trace"] = sending
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            response = await http.send(request, stream=True)
    except NETWORK_FAILURES as failure:
        answer = NoAnswer(message=describe(failure), may_have_left=sending.may_have_left(failure))
        raise NotAccepted(prove_without_answer(answer, hide)) from None
    try:
        if not _is_event_stream(response):
            await _explain_other(response, hide)
        async with aclosing(_read_events(response, hide)) as events:
            async for event in events:
                yield event
    finally:
        await response.aclose()


def _is_event_stream(response: httpx.Response) -> bool:
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    return response.status_code == httpx.codes.OK and media_type == "text/event-stream"


async def _explain_other(response: httpx.Response, hide: Callable[[str], str]) -> None:
    """Raise what an answer that is no stream means; one with a run_id made a run all the same."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            answer = await read_answer(response)
    except NETWORK_FAILURES as failure:
        answer = NoAnswer(message=describe(failure))
    proof = prove(answer, hide)
    raise StreamCut(proof.run_id) if isinstance(proof, SubmitAccepted) else NotAccepted(proof)


async def _read_events(
    response: httpx.Response, hide: Callable[[str], str]
) -> AsyncGenerator[StreamEvent, None]:
    run_id: str | None = None
    message = "the stream ended before its run was named"
    try:
        async with aclosing(_read_frames(response)) as frames:
            async for frame in frames:
                event = read_event(frame, run_id)
                if event is None:
                    continue
                if run_id is None and not isinstance(event, Heartbeat):
                    run_id = event.run.run_id if isinstance(event, Complete) else event.run_id
                yield _hide_in_event(event, hide)
                if isinstance(event, Complete):
                    return
    except (*NETWORK_FAILURES, FrameTooLarge) as failure:
        message = f"the stream was cut before its run was named: {hide(describe(failure))}"
    raise NotAccepted(SubmitUnanswered(message=message)) if run_id is None else StreamCut(run_id)


def _hide_in_event(event: StreamEvent, hide: Callable[[str], str]) -> StreamEvent:
    match event:
        case Progress(purpose=purpose):
            return replace(event, purpose=hide(purpose))
        case Complete(run=run, help_message=help_message):
            told = None if help_message is None else hide(help_message)
            return replace(event, run=hide_in_run(run, hide), help_message=told)
        case _:
            return event


async def _read_frames(response: httpx.Response) -> AsyncGenerator[bytes, None]:
    """Yield frames; two minutes without a byte are a cut, since heartbeats come more often."""
    reader = FrameReader()
    chunks = aiter(response.aiter_bytes())
    while True:
        async with asyncio.timeout(SILENCE_SECONDS):
            chunk = await anext(chunks, None)
        if chunk is None:
            break
        for frame in reader.feed(chunk):
            yield frame
    for frame in reader.finish():
        yield frame
