"""The four ways to make runs: wait for it, come back for it, watch it, many at once."""

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response, StreamingResponse

from batchfish.localagent.api import sse
from batchfish.localagent.api.answer_models import AsyncRunAnswer, BatchAnswer, SyncRunAnswer
from batchfish.localagent.api.answers import outcome
from batchfish.localagent.api.ascii_json import Json
from batchfish.localagent.api.refusals import ANY, BODY, CREATE, answers, refused
from batchfish.localagent.api.request_bodies import BatchBody, RunBody, schema_issues
from batchfish.localagent.liveview.links import WatchLinks
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


def creates(
    queue: RunQueue, links: WatchLinks, *, clock: Callable[[], float], heartbeat_every: float
) -> APIRouter:
    """Answer creates; a client that goes away leaves its run running."""
    router = APIRouter(tags=["Automation"])

    @router.post(wire.RUN, operation_id="run", responses=answers(SyncRunAnswer, *REFUSALS))
    async def run(body: RunBody) -> Response:
        """Make one run and answer when it has ended, whichever way."""
        if refusal := _refusal(body.output_schema):
            return refusal
        (run_id,) = queue.create([body.to_request(body.output_schema)], origin=wire.RUN)
        ended = await queue.end_of(run_id)
        steps = queue.trail(ended).steps
        return Json(outcome(ended, steps=len(steps), watch_url=links.url(run_id)))

    @router.post(wire.RUN_ASYNC, operation_id="runAsync", responses=answers(AsyncRunAnswer, *REFUSALS))
    async def run_async(body: RunBody) -> Response:
        """Make one run and answer at once with its id."""
        if refusal := _refusal(body.output_schema):
            return refusal
        (run_id,) = queue.create([body.to_request(body.output_schema)], origin=wire.RUN_ASYNC)
        return Json({"run_id": run_id, "error": None})

    @router.post(
        wire.RUN_SSE,
        operation_id="runSse",
        responses=answers(EVENTS, *REFUSALS),
        response_class=StreamingResponse,
    )
    async def run_sse(body: RunBody) -> Response:
        """Make one run and tell its events as they happen."""
        if refusal := _refusal(body.output_schema):
            return refusal
        (run_id,) = queue.create([body.to_request(body.output_schema)], origin=wire.RUN_SSE)
        made = queue.get([run_id])[run_id]
        events = sse.run_events(queue, made, watch_url=links.url(run_id), clock=clock, every=heartbeat_every)
        return StreamingResponse(events, media_type=sse.MEDIA_TYPE, headers=sse.HEADERS)

    @router.post(wire.RUN_BATCH, operation_id="runBatch", responses=answers(BatchAnswer, *REFUSALS))
    async def run_batch(body: BatchBody) -> Response:
        """Make 1 to 100 runs, all or none, and answer with their ids in order."""
        if refusal := _refusal(body.output_schema):
            return refusal
        return Json({"run_ids": queue.create(body.to_requests(), origin=wire.RUN_BATCH), "error": None})

    return router


def _refusal(schema: Mapping[str, Any] | None) -> Response | None:
    problems = schema_issues(schema)
    return refused(400, "INVALID_INPUT", problems[0]["message"], problems) if problems else None
