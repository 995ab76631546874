"""The stream of run-sse: frames out of bytes, typed events out of frames."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from batchfish.webagent.answers import is_run_id, shorten
from batchfish.webagent.http import MAX_BODY_BYTES
from batchfish.webagent.http_dates import read_iso_time
from batchfish.webagent.rows import Members, read_members, read_run_members, read_value
from batchfish.webagent.wire import EventType

if TYPE_CHECKING:
    from batchfish.core.runs import RunSnapshot

_LINE_END = re.compile(rb"\r\n|\n|\r")
_BOM = b"\xef\xbb\xbf"
_RESULT_NAMES = ("result", "result_json", "resultJson")
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Started:
    """The run exists; `at` is the server's time of the event, epoch seconds."""

    run_id: str
    at: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamingUrl:
    """Where the run can be watched."""

    url: str
    run_id: str | None = None
    at: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """What the agent does now, in its own words."""

    purpose: str
    run_id: str | None = None
    at: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Heartbeat:
    """Nothing new; the stream is alive."""

    at: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Complete:
    """The run is over. `help_url` and `help_message` come with some errors."""

    run: RunSnapshot
    help_url: str | None = None
    help_message: str | None = None
    at: float | None = None


StreamEvent: TypeAlias = Started | StreamingUrl | Progress | Heartbeat | Complete


class FrameTooLarge(Exception):
    """One frame of the stream is larger than any answer may be."""


class FrameReader:
    """Cuts a stream into the data of its frames, by the rules of server-sent events.

    `event:`, `id:`, `retry:` and comments are ignored: the API tells an event's type in its data.
    """

    def __init__(self, max_bytes: int = MAX_BODY_BYTES) -> None:
        """Take the size at which a frame is given up."""
        self._max_bytes = max_bytes
        self._rest = bytearray()
        self._data: list[bytes] = []
        self._size = 0
        self._is_at_start = True

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take the next bytes, return the data of the frames they complete; FrameTooLarge past the limit."""
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
        """Return the data of a last frame that no blank line ended: some servers leave it out."""
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
    """Read one event of the run `run_id`, where that is known; None for an unknown, odd or foreign one.

    Earlier servers spelled runId, streamingUrl and resultJson; both spellings are read.
    """
    members = read_members(data)
    if members is None:
        return None
    told = _read_text(members, "run_id", "runId")
    if told is not None and (not is_run_id(told) or run_id not in {None, told}):
        _logger.debug("dropped an event of run %r", told)
        return None
    known, at = told or run_id, read_iso_time(_read_text(members, "timestamp"))
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
    """Read the end of a run; None where it names no final status: then a look has to tell."""
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
    """Read the first of these members that is a text."""
    values = (read_value(members[name]) for name in names if name in members)
    return next((value.encode(errors="replace").decode() for value in values if isinstance(value, str)), None)
