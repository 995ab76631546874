"""Server-sent events: their framing, and the events of a run as run-sse sends them."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from batchfish.localagent.api.answers import iso
from batchfish.webagent.wire import EventType

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from batchfish.localagent.runs.queue import RunQueue
    from batchfish.localagent.runs.records import StoredRun
    from batchfish.localagent.runs.steps import Trail

MEDIA_TYPE = "text/event-stream"
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def frame(document: Mapping[str, Any], *, name: str | None = None, number: int | None = None) -> bytes:
    """Return one event; a browser that reconnects sends the last `number` that it received.

    The JSON is ASCII: clients that split a stream into lines as Python does would split at a raw U+2028, too.
    """
    head = "" if name is None else f"event: {name}\n"
    head += "" if number is None else f"id: {number}\n"
    return f"{head}data: {json.dumps(document, separators=(',', ':'))}\n\n".encode()


async def run_events(
    queue: RunQueue, run: StoredRun, *, watch_url: str, clock: Callable[[], float], every: float
) -> AsyncIterator[bytes]:
    """Yield the events of a run to its end, with a heartbeat at every multiple of `every` seconds."""

    def event(kind: EventType, at: float, **members: object) -> bytes:
        return frame({"type": kind, **members, "timestamp": iso(at)})

    run_id, trail, sent = run.run_id, queue.trail(run), 0
    heartbeats = Schedule(every)
    yield event(EventType.STARTED, clock(), run_id=run_id)
    yield event(EventType.STREAMING_URL, clock(), run_id=run_id, streaming_url=watch_url)
    while sent < len(trail.steps) or not trail.is_over:
        seen = trail.changes
        for timed in trail.steps[sent:]:
            yield event(EventType.PROGRESS, timed.at, run_id=run_id, purpose=timed.step.action)
            sent += 1
        if await heartbeats.is_due_before(trail, seen):
            yield event(EventType.HEARTBEAT, clock())
    end = await queue.end_of(run_id)
    yield event(
        EventType.COMPLETE,
        clock() if end.finished_at is None else end.finished_at,
        run_id=run_id,
        status=end.status,
        result=None if end.result is None else json.loads(end.result),
        error=None if end.error is None else json.loads(end.error),
    )


class Schedule:
    """Moments `every` seconds apart from now on, by the event loop's clock; missed ones are skipped."""

    def __init__(self, every: float) -> None:
        self._every = every
        self._next = asyncio.get_running_loop().time() + every

    async def is_due_before(self, trail: Trail, seen: int) -> bool:
        """Wait for the next moment (True) or for more than `seen` changes of a trail (False)."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout_at(self._next):
                await trail.changed(seen)
        except TimeoutError:
            pass
        now = loop.time()
        if now < self._next:
            return False
        self._next += self._every * (1 + (now - self._next) // self._every)
        return True
