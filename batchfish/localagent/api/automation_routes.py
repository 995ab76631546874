"""The routes under /v1/automation: four ways to create runs."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response, StreamingResponse

from batchfish.localagent.api import sse
from batchfish.localagent.api.answers import (
    AsyncRunAnswer,
    BatchAnswer,
    Json,
    SyncRunAnswer,
    show_outcome,
)
from batchfish.localagent.api.refusals import ANY, BODY, CREATE, answers, refused
from batchfish.localagent.api.request_bodies import BatchBody, RunBody
from batchfish.localagent.egress.addresses import Origin
from batchfish.localagent.engines.base import RunRequest
from batchfish.localagent.runs.queue import RunQueue
from batchfish.webagent import wire

REFUSALS = (*ANY, *BODY, *CREATE)
EVENT: dict[str, Any] = {
    "type": "object",
    "required": ["data"],
    "properties": {
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": {"$ref": "#/components/schemas/RunEvent"},
        }
    },
}
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
) -> APIRouter:
    """Return the routes; a client that disconnects leaves its run running.

    `watch_url` returns the address of a run's live view. `allowed_origins` may get webhooks over plain http.
    """
    router = APIRouter(tags=["Automation"])

    async def create_all(requests: Sequence[RunRequest], origin: str) -> list[str]:
        """Create runs and return their ids, once the store has committed them, in the next turn."""
        run_ids = queue.create(requests, origin=origin)
        await asyncio.sleep(0)
        return run_ids

    async def create(body: RunBody, origin: str) -> str | Response:
        """Create the one run of a body and return its id, or the refusal of what it asks for."""
        problems = body.issues(allowed_origins)
        if problems:
            return _refusal(problems)
        (run_id,) = await create_all([body.to_request(body.output_schema)], origin)
        return run_id

    @router.post(wire.RUN, operation_id="run", responses=answers(SyncRunAnswer, *REFUSALS))
    async def run(body: RunBody) -> Response:
        """Create one run and answer when it has ended, whichever way."""
        run_id = await create(body, wire.RUN)
        if isinstance(run_id, Response):
            return run_id
        ended = await queue.end_of(run_id)
        steps = queue.trail(ended).steps
        return Json(show_outcome(ended, steps=len(steps), watch_url=watch_url(run_id)))

    @router.post(wire.RUN_ASYNC, operation_id="runAsync", responses=answers(AsyncRunAnswer, *REFUSALS))
    async def run_async(body: RunBody) -> Response:
        """Create one run and answer at once with its id."""
        run_id = await create(body, wire.RUN_ASYNC)
        return run_id if isinstance(run_id, Response) else Json({"run_id": run_id, "error": None})

    @router.post(
        wire.RUN_SSE,
        operation_id="runSse",
        responses=answers(EVENTS, *REFUSALS),
        response_class=StreamingResponse,
    )
    async def run_sse(body: RunBody) -> Response:
        """Create one run and send its events as they happen."""
        run_id = await create(body, wire.RUN_SSE)
        if isinstance(run_id, Response):
            return run_id
        created = queue.get([run_id])[run_id]
        events = sse.run_events(
            queue, created, watch_url=watch_url(run_id), clock=clock, every=heartbeat_every
        )
        return StreamingResponse(events, media_type=sse.MEDIA_TYPE, headers=sse.HEADERS)

    @router.post(wire.RUN_BATCH, operation_id="runBatch", responses=answers(BatchAnswer, *REFUSALS))
    async def run_batch(body: BatchBody) -> Response:
        """Create 1 to 100 runs, all or none, and answer with their ids in order."""
        problems = body.issues(allowed_origins)
        if problems:
            return _refusal(problems)
        return Json({"run_ids": await create_all(body.to_requests(), wire.RUN_BATCH), "error": None})

    return router


def _refusal(problems: Sequence[dict[str, Any]]) -> Response:
    return refused(400, "INVALID_INPUT", problems[0]["message"], problems)
