"""The routes under /v1/automation: four ways to create runs."""

import asyncio
from collections.abc import Callable, Collection
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from batchfish.localagent.api import sse
from batchfish.localagent.api.answers import (
    AsyncRunAnswer,
    BatchAnswer,
    SyncRunAnswer,
    reply,
    show_outcome,
)
from batchfish.localagent.api.operations import Operation
from batchfish.localagent.api.request_bodies import BatchBody, RunBody
from batchfish.localagent.egress.addresses import Origin
from batchfish.localagent.runs.queue import RunQueue
from batchfish.webagent import wire

RUN_EVENT = {"$ref": "#/components/schemas/RunEvent"}
DATA = {"type": "string", "contentMediaType": "application/json", "contentSchema": RUN_EVENT}
EVENT = {"type": "object", "required": ["data"], "properties": {"data": DATA}}
EVENTS: dict[str, Any] = {
    "description": "Events, each one line of JSON after `data: `; COMPLETE is the last.",
    "content": {sse.MEDIA_TYPE: {"itemSchema": EVENT}},
}


def automation_routes(
    queue: RunQueue,
    watch_url: Callable[[str], str],
    *,
    clock: Callable[[], float],
    heartbeat_every: float,
    allowed_origins: Collection[Origin],
) -> list[Operation]:
    """Return the operations; a client that disconnects leaves its run running.

    `watch_url` returns the address of a run's live view. `allowed_origins` may get webhooks over plain http.
    """

    async def create(body: RunBody | BatchBody, origin: str) -> list[str]:
        """Create runs and return their ids, once the store has committed them, in the next turn."""
        run_ids = queue.create(body.requests(allowed_origins), origin=origin)
        await asyncio.sleep(0)
        return run_ids

    async def run(_: Request, body: RunBody) -> Response:
        """Create one run and answer when it has ended, whichever way."""
        (run_id,) = await create(body, wire.RUN)
        ended = await queue.end_of(run_id)
        steps = queue.trail(ended).steps
        return reply(show_outcome(ended, steps=len(steps), watch_url=watch_url(run_id)))

    async def run_async(_: Request, body: RunBody) -> Response:
        """Create one run and answer at once with its id."""
        (run_id,) = await create(body, wire.RUN_ASYNC)
        return reply({"run_id": run_id, "error": None})

    async def run_sse(_: Request, body: RunBody) -> Response:
        """Create one run and send its events as they happen."""
        (run_id,) = await create(body, wire.RUN_SSE)
        created = queue.get([run_id])[run_id]
        events = sse.run_events(
            queue, created, watch_url=watch_url(run_id), clock=clock, every=heartbeat_every
        )
        return StreamingResponse(events, media_type=sse.MEDIA_TYPE, headers=sse.HEADERS)

    async def run_batch(_: Request, body: BatchBody) -> Response:
        """Create 1 to 100 runs, all or none, and answer with their ids in order."""
        return reply({"run_ids": await create(body, wire.RUN_BATCH), "error": None})

    return [
        Operation("POST", wire.RUN, "run", run, RunBody, SyncRunAnswer),
        Operation("POST", wire.RUN_ASYNC, "runAsync", run_async, RunBody, AsyncRunAnswer),
        Operation("POST", wire.RUN_SSE, "runSse", run_sse, RunBody, EVENTS),
        Operation("POST", wire.RUN_BATCH, "runBatch", run_batch, BatchBody, BatchAnswer),
    ]
