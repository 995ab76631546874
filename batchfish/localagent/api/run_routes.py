"""The routes under /v1/runs: runs by id, the listing, cancels, screenshots."""

import base64
from collections.abc import Callable, Collection, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from batchfish.localagent.api.answers import (
    CancelAnswer,
    CancelsAnswer,
    Json,
    RunAnswer,
    RunPageAnswer,
    RunsAnswer,
    next_cursor,
    read_cursor,
    show_cancel,
    show_run,
    show_summary,
)
from batchfish.localagent.api.refusals import ANY, BODY, READ, answers, no_such_run, refused
from batchfish.localagent.api.request_bodies import ListQuery, RunIds
from batchfish.localagent.runs.queue import RunQueue
from batchfish.localagent.runs.records import RunFilter, StoredRun
from batchfish.localagent.runs.steps import step_number
from batchfish.webagent import wire

RunId = Annotated[str, Path(alias="id", json_schema_extra={"pattern": "^[A-Za-z0-9_-]+$"})]
StepId = Annotated[str, Path(alias="stepId", min_length=1)]


def run_routes(queue: RunQueue, watch_url: Callable[[str], str]) -> APIRouter:
    """Return the routes; `watch_url` returns the address of a run's live view."""
    router = APIRouter(tags=["Runs"])
    _add_reads(router, queue, watch_url)
    _add_cancels(router, queue)
    _add_captures(router, queue)
    return router


def _add_reads(router: APIRouter, queue: RunQueue, watch_url: Callable[[str], str]) -> None:
    def show(run: StoredRun, screenshot: Callable[[int], str | None] = lambda _: None) -> dict[str, Any]:
        steps = queue.trail(run).steps
        return show_run(run, steps, watch_url=watch_url(run.run_id), screenshot=screenshot)

    @router.get(wire.RUNS, operation_id="listRuns", responses=answers(RunPageAnswer, *ANY, *READ, 400))
    async def list_runs(query: Annotated[ListQuery, Query()]) -> Response:
        """List runs, newest first by default."""
        wanted = RunFilter(
            goal=query.goal,
            status=query.status,
            created_after=query.created_after,
            created_before=query.created_before,
        )
        after = read_cursor(query.cursor)
        page = queue.page(wanted, limit=query.limit, direction=query.sort_direction, after=after)
        note = {"total": page.total, "next_cursor": next_cursor(page), "has_more": page.has_more}
        rows = [
            show_summary(run, steps=len(queue.trail(run).steps), watch_url=watch_url(run.run_id))
            for run in page.runs
        ]
        return Json({"data": rows, "pagination": note})

    # Routes of many runs come before those of one, whose pattern they would match.
    @router.post(
        wire.RUNS_BATCH, operation_id="batchGetRuns", responses=answers(RunsAnswer, *ANY, *BODY, *READ)
    )
    async def get_runs(body: RunIds) -> Response:
        """Return up to 100 runs by id."""
        runs = queue.get(body.run_ids)
        return Json({"data": list(map(show, runs.values())), "not_found": _not_found(body.run_ids, runs)})

    @router.get(
        wire.RUN_BY_ID, operation_id="getRunById", responses=answers(RunAnswer, *ANY, *READ, 400, 404)
    )
    async def get_run(
        run_id: RunId, screenshots: Annotated[Literal["none", "base64", "url"], Query()] = "none"
    ) -> Response:
        """Return one run."""
        run = queue.get([run_id]).get(run_id)
        if run is None:
            return no_such_run(run_id)
        match screenshots:
            case "none":
                return Json(show(run))
            case "url":
                return Json(show(run, lambda number: wire.STEP_SCREENSHOT.format(id=run_id, stepId=number)))
            case "base64":
                return Json(show(run, lambda number: _base64(queue.screenshot(run, number))))


def _add_cancels(router: APIRouter, queue: RunQueue) -> None:
    """Add the cancels: idempotent, and without effect on a run that has ended."""

    @router.post(
        wire.CANCEL_RUNS, operation_id="batchCancelRuns", responses=answers(CancelsAnswer, *ANY, *BODY, *READ)
    )
    async def cancel_runs(body: RunIds) -> Response:
        """Cancel up to 100 runs; `not_found` names unknown ids, and runs of `run` that have not ended."""
        found = queue.cancel(body.run_ids)
        results = [show_cancel(cancellation) for cancellation in found.values()]
        return Json({"results": results, "not_found": _not_found(body.run_ids, found)})

    @router.post(
        wire.CANCEL_RUN, operation_id="cancelRunById", responses=answers(CancelAnswer, *ANY, *READ, 404)
    )
    async def cancel_run(run_id: RunId) -> Response:
        """Cancel a run; 404 for an unknown id, and for a run of `run` that has not ended."""
        found = queue.cancel([run_id]).get(run_id)
        if found is not None:
            return Json(show_cancel(found))
        if run_id in queue.get([run_id]):
            message = f"Run {run_id!r} was created by {wire.RUN}: it cannot be cancelled."
            return refused(404, "NOT_FOUND", message)
        return no_such_run(run_id)


def _add_captures(router: APIRouter, queue: RunQueue) -> None:
    @router.get(
        wire.STEP_SCREENSHOT,
        operation_id="getStepScreenshot",
        responses=_capture_answers("image/jpeg"),
        response_class=Response,
    )
    async def get_screenshot(run_id: RunId, step_id: StepId) -> Response:
        """Return a picture of the page after a step."""
        run = queue.get([run_id]).get(run_id)
        if run is None:
            return no_such_run(run_id)
        number = step_number(step_id)
        body = None if number is None else queue.screenshot(run, number)
        if body is None:
            return refused(404, "NOT_FOUND", f"There is no screenshot of step {step_id!r} of run {run_id!r}.")
        return Response(body, media_type="image/jpeg", headers={"X-Content-Type-Options": "nosniff"})

    @router.get(
        wire.STEP_HTML,
        operation_id="getStepHtml",
        responses=_capture_answers("text/html"),
        response_class=Response,
    )
    async def get_html(run_id: RunId, step_id: StepId) -> Response:
        """Refuse: this agent keeps no page sources, whatever `capture_config` asks for."""
        return refused(404, "NOT_FOUND", f"The source of step {step_id!r} of run {run_id!r} is not kept.")


def _not_found(asked: Sequence[str], found: Collection[str]) -> list[str] | None:
    """Return the ids that were not found; None, as the API does, if all were."""
    return [run_id for run_id in dict.fromkeys(asked) if run_id not in found] or None


def _capture_answers(media_type: str) -> dict[int | str, dict[str, Any]]:
    success = {"description": "What was captured.", "content": {media_type: {}}}
    return answers(success, *ANY, *READ, 404)


def _base64(body: bytes | None) -> str | None:
    return None if body is None else base64.b64encode(body).decode()
