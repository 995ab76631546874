"""Creates over `/run-sse`: the stream of server-sent events, and the events of a run as types."""

from __future__ import annotations

import asyncio
import logging
import re
from contextlib import aclosing
from typing import TYPE_CHECKING, TypeAlias

import httpx
from msgspec import Struct
from msgspec.structs import replace

from batchfish.core.events import SubmitAccepted, SubmitUnanswered
from batchfish.webagent import wire
from batchfish.webagent.api_errors import shorten
from batchfish.webagent.creates import read_create, read_failed_create
from batchfish.webagent.http import (
    ANSWER_SECONDS,
    MAX_BODY_BYTES,
    NETWORK_FAILURES,
    NoAnswer,
    SendTrace,
    describe,
    read_answer,
)
from batchfish.webagent.http_dates import read_iso_time
from batchfish.webagent.redaction import redact_run
from batchfish.webagent.run_parsing import Members, read_members, read_run_members, read_value
from batchfish.webagent.wire import EventType, is_run_id

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from batchfish.core.events import SubmitDeferred, SubmitRejected
    from batchfish.core.runs import RunSnapshot
    from batchfish.webagent.base import PreparedCreate
    from batchfish.webagent.http import HttpClient
    from batchfish.webagent.redaction import Redact

SILENCE_SECONDS = 120.0
"""A stream that brings no byte for this long has ended: heartbeats come more often."""

_LINE_END = re.compile(rb"\r\n|\n|\r")
_BOM = b"\xef\xbb\xbf"
_RESULT_NAMES = ("result", "result_json", "resultJson")
_logger = logging.getLogger(__name__)


class Started(Struct, frozen=True, kw_only=True):
    """The run exists. `at` is the server's time of an event in epoch seconds."""

    run_id: str
    at: float | None = None


class StreamingUrl(Struct, frozen=True, kw_only=True):
    """A page where the run can be watched."""

    url: str
    run_id: str | None = None
    at: float | None = None


class Progress(Struct, frozen=True, kw_only=True):
    """The next step of the agent, in its own words."""

    purpose: str
    run_id: str | None = None
    at: float | None = None


class Heartbeat(Struct, frozen=True, kw_only=True):
    """The stream is alive, and there is no news."""

    at: float | None = None


class Complete(Struct, frozen=True, kw_only=True):
    """The run has ended. `help_url` and `help_message` come with some errors."""

    run: RunSnapshot
    help_url: str | None = None
    help_message: str | None = None
    at: float | None = None


StreamEvent: TypeAlias = Started | StreamingUrl | Progress | Heartbeat | Complete


class StreamCut(Exception):
    """The stream ended early; the run `run_id` goes on."""

    def __init__(self, run_id: str) -> None:
        """Keep the id."""
        super().__init__(run_id)
        self.run_id = run_id


class NotAccepted(Exception):
    """No run is known to have been made; `proof` is what the answer to the create proves."""

    def __init__(self, proof: SubmitDeferred | SubmitRejected | SubmitUnanswered) -> None:
        """Keep what the answer proves."""
        super().__init__(proof.message)
        self.proof = proof


async def read_stream(
    http: HttpClient, create: PreparedCreate, redact: Redact
) -> AsyncGenerator[StreamEvent, None]:
    """Send one create, once, and yield the events of its run up to Complete.

    Raises StreamCut if the stream ends early and its run is known, NotAccepted if it is not.
    """
    trace = SendTrace()
    request = http.build_request(
        "POST",
        wire.RUN_SSE,
        body=create.body,
        read_seconds=SILENCE_SECONDS,
        accept="text/event-stream",
    )
    request.extensions["trace"] = trace
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            response = await http.send(request)
    except NETWORK_FAILURES as failure:
        answer = NoAnswer(message=describe(failure), may_have_been_sent=trace.may_have_been_sent(failure))
        raise NotAccepted(read_failed_create(answer, redact)) from None
    try:
        if not _is_event_stream(response):
            await _raise_without_stream(response, redact)
        async with aclosing(_read_events(response, redact)) as events:
            async for event in events:
                yield event
    finally:
        await response.aclose()


class FrameTooLarge(Exception):
    """One frame of the stream exceeds the size limit of an answer."""


class FrameReader:
    """Cuts a stream of server-sent events into the data of its frames.

    `event:`, `id:`, `retry:` and comments are ignored: the API puts the type of an event into its data.
    """

    def __init__(self, max_bytes: int = MAX_BODY_BYTES) -> None:
        """Refuse frames of more than `max_bytes`."""
        self._max_bytes = max_bytes
        self._rest = bytearray()
        self._data: list[bytes] = []
        self._size = 0
        self._is_at_start = True

    def feed(self, chunk: bytes) -> list[bytes]:
        """Add bytes and return the data of the frames they complete; FrameTooLarge past the limit."""
        frames: list[bytes] = []
        start, unseen = 0, max(len(self._rest) - 1, 0)  # its last byte may be the first half of a line end
        self._rest += chunk
        for end in _LINE_END.finditer(self._rest, unseen):
            if end[0] == b"\r" and end.end() == len(self._rest):
                break  # a line feed may follow in the next chunk
            frames += self._take_line(bytes(self._rest[start : end.start()]))
            start = end.end()
        del self._rest[:start]
        if self._size + len(self._rest) > self._max_bytes:
            raise FrameTooLarge
        return frames

    def finish(self) -> list[bytes]:
        """Return the data of a last frame without a blank line after it, which some servers leave out."""
        return [*self._take_line(bytes(self._rest).rstrip(b"\r")), *self._take_line(b"")]

    def _take_line(self, line: bytes) -> list[bytes]:
        if self._is_at_start:
            line = line.removeprefix(_BOM)
            self._is_at_start = False
        if not line:
            frame, self._data, self._size = self._data, [], 0
            return [b"\n".join(frame)] if frame else []
        name, _, value = line.partition(b":")
        if name == b"data":
            value = value.removeprefix(b" ")
            self._data.append(value)
            self._size += len(value) + 1
        return []


def read_event(data: bytes, run_id: str | None) -> StreamEvent | None:
    """Read one event; None for an unknown or malformed one, or one of a run other than `run_id`.

    `run_id` is None before the stream has named its run. Earlier servers spelled runId, streamingUrl and
    resultJson; both spellings are read.
    """
    members = read_members(data)
    if members is None:
        return None
    sender = _read_text(members, "run_id", "runId")
    if sender is not None and (not is_run_id(sender) or run_id not in {None, sender}):
        _logger.debug("dropped an event of run %r", sender)
        return None
    known, at = sender or run_id, read_iso_time(_read_text(members, "timestamp"))
    match _read_text(members, "type"):
        case EventType.STARTED if known is not None:
            return Started(run_id=known, at=at)
        case EventType.STREAMING_URL if url := _read_text(members, "streaming_url", "streamingUrl"):
            return StreamingUrl(url=url, run_id=known, at=at)
        case EventType.PROGRESS:
            return Progress(purpose=shorten(_read_text(members, "purpose") or ""), run_id=known, at=at)
        case EventType.HEARTBEAT:
            return Heartbeat(at=at)
        case EventType.COMPLETE if known is not None:
            return _read_complete(members, known, at)
    return None


def _read_complete(members: Members, run_id: str, at: float | None) -> Complete | None:
    """Read a Complete event; None if it shows no final status, which a poll then has to find out."""
    named = {name: bytes(members[name]) for name in ("status", "error", "num_of_steps") if name in members}
    results = [bytes(members[name]) for name in _RESULT_NAMES if name in members]
    result = next((result for result in results if result != b"null"), b"null")
    run = read_run_members({**named, "run_id": b'"%s"' % run_id.encode(), "result": result})
    if run is None or not run.is_final:
        return None
    return Complete(
        run=run,
        help_url=_read_text(members, "help_url"),
        help_message=_read_text(members, "help_message"),
        at=at,
    )


def _read_text(members: Members, *names: str) -> str | None:
    """Return the first of these members that is a text."""
    values = (read_value(members[name]) for name in names if name in members)
    return next((value.encode(errors="replace").decode() for value in values if isinstance(value, str)), None)


def _is_event_stream(response: httpx.Response) -> bool:
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    return response.status_code == httpx.codes.OK and media_type == "text/event-stream"


async def _raise_without_stream(response: httpx.Response, redact: Redact) -> None:
    """Raise StreamCut if an answer that is not a stream names a run all the same, else NotAccepted."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            answer = await read_answer(response)
    except NETWORK_FAILURES as failure:
        answer = NoAnswer(message=describe(failure))
    proof = read_create(answer, redact)
    raise StreamCut(proof.run_id) if isinstance(proof, SubmitAccepted) else NotAccepted(proof)


async def _read_events(response: httpx.Response, redact: Redact) -> AsyncGenerator[StreamEvent, None]:
    run_id: str | None = None
    message = "the stream ended before it named its run"
    try:
        async with aclosing(_read_frames(response)) as frames:
            async for frame in frames:
                event = read_event(frame, run_id)
                if event is None:
                    continue
                if run_id is None and not isinstance(event, Heartbeat):
                    run_id = event.run.run_id if isinstance(event, Complete) else event.run_id
                yield _redact_event(event, redact)
                if isinstance(event, Complete):
                    return
    except (*NETWORK_FAILURES, FrameTooLarge) as failure:
        message = f"the stream broke before it named its run: {redact(describe(failure))}"
    raise NotAccepted(SubmitUnanswered(message=message)) if run_id is None else StreamCut(run_id)


def _redact_event(event: StreamEvent, redact: Redact) -> StreamEvent:
    match event:
        case Progress(purpose=purpose):
            return replace(event, purpose=redact(purpose))
        case Complete(run=run, help_message=help_message):
            message = None if help_message is None else redact(help_message)
            return replace(event, run=redact_run(run, redact), help_message=message)
        case _:
            return event


async def _read_frames(response: httpx.Response) -> AsyncGenerator[bytes, None]:
    """Yield frames; two minutes without a byte end the stream, since heartbeats come more often."""
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
