"""Looks at runs: one, many, a list, and what their steps captured."""

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from batchfish.localagent.api.answer_models import RunAnswer, RunPageAnswer, RunsAnswer
from batchfish.localagent.api.answers import next_cursor, read_cursor, summary, whole
from batchfish.localagent.api.ascii_json import Json
from batchfish.localagent.api.refusals import ANY, BODY, LOOK, answers, no_such_run, refused
from batchfish.localagent.api.request_bodies import ListQuery, RunIds
from batchfish.localagent.liveview.links import WatchLinks
from batchfish.localagent.runs.captures import HTML, SCREENSHOT
from batchfish.localagent.runs.queue import RunQueue
from batchfish.localagent.runs.records import RunFilter, StoredRun
from batchfish.localagent.runs.trail import step_number
from batchfish.webagent import wire

RunId = Annotated[str, Path(alias="id", json_schema_extra={"pattern": "^[A-Za-z0-9_-]+$"})]
StepId = Annotated[str, Path(alias="stepId", min_length=1)]
# The source of a page is hostile: should a browser ever show it, it runs no script and has no origin.
CAPTURE_HEADERS = {"Content-Security-Policy": "sandbox", "X-Content-Type-Options": "nosniff"}


def looks(queue: RunQueue, links: WatchLinks) -> APIRouter:
    """Answer looks; none of them changes anything."""
    router = APIRouter(tags=["Runs"])

    def show(run: StoredRun, picture: Callable[[int], str | None] = lambda _: None) -> dict[str, Any]:
        return whole(run, queue.trail(run).steps, watch_url=links.url(run.run_id), picture=picture)

    @router.get(wire.RUNS, operation_id="listRuns", responses=answers(RunPageAnswer, *ANY, *LOOK, 400))
    async def list_runs(query: Annotated[ListQuery, Query()]) -> Response:
        """List runs, newest first unless asked otherwise."""
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
            summary(run, steps=len(queue.trail(run).steps), watch_url=links.url(run.run_id))
            for run in page.runs
        ]
        return Json({"data": rows, "pagination": note})

    # Before the route of one run, whose pattern it would match.
    @router.post(
        wire.RUNS_BATCH, operation_id="batchGetRuns", responses=answers(RunsAnswer, *ANY, *BODY, *LOOK)
    )
    async def get_runs(body: RunIds) -> Response:
        """Give up to 100 runs by id."""
        runs = queue.get(body.run_ids)
        return Json({"data": list(map(show, runs.values())), "not_found": missing(body.run_ids, runs)})

    @router.get(
        wire.RUN_BY_ID, operation_id="getRunById", responses=answers(RunAnswer, *ANY, *LOOK, 400, 404)
    )
    async def get_run(
        run_id: RunId, screenshots: Annotated[Literal["none", "base64", "url"], Query()] = "none"
    ) -> Response:
        """Give one run."""
        run = queue.get([run_id]).get(run_id)
        if run is None:
            return no_such_run(run_id)
        match screenshots:
            case "none":
                return Json(show(run))
            case "url":
                return Json(show(run, lambda number: wire.STEP_SCREENSHOT.format(id=run_id, stepId=number)))
            case "base64":
                return Json(show(run, lambda number: _base64(queue.capture(run, number, SCREENSHOT))))

    _add_captures(router, queue)
    return router


def missing(asked: Sequence[str], found: Mapping[str, object]) -> list[str] | None:
    """Give the ids that were asked for and not found; None where there are none, as the API does."""
    return [run_id for run_id in dict.fromkeys(asked) if run_id not in found] or None


def _add_captures(router: APIRouter, queue: RunQueue) -> None:
    def answer(run_id: str, step_id: str, kind: str, media_type: str) -> Response:
        run = queue.get([run_id]).get(run_id)
        if run is None:
            return no_such_run(run_id)
        number = step_number(step_id)
        body = None if number is None else queue.capture(run, number, kind)
        if body is None:
            return refused(404, "NOT_FOUND", f"There is no {kind} of step {step_id!r} of run {run_id!r}.")
        return Response(body, media_type=media_type, headers=CAPTURE_HEADERS)

    @router.get(
        wire.STEP_SCREENSHOT,
        operation_id="getStepScreenshot",
        responses=_capture_answers("image/jpeg"),
        response_class=Response,
    )
    async def get_screenshot(run_id: RunId, step_id: StepId) -> Response:
        """Give the picture of the page after a step."""
        return answer(run_id, step_id, SCREENSHOT, "image/jpeg")

    @router.get(
        wire.STEP_HTML,
        operation_id="getStepHtml",
        responses=_capture_answers("text/html"),
        response_class=Response,
    )
    async def get_html(run_id: RunId, step_id: StepId) -> Response:
        """Give the source of the page after a step."""
        return answer(run_id, step_id, HTML, "text/html; charset=utf-8")


def _capture_answers(media_type: str) -> dict[int | str, dict[str, Any]]:
    success = {"description": "What was captured.", "content": {media_type: {}}}
    return answers(success, *ANY, *LOOK, 404)


def _base64(body: bytes | None) -> str | None:
    return None if body is None else base64.b64encode(body).decode()
