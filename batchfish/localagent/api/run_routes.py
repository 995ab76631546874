"""The routes under /v1/runs: runs by id, the listing, cancels, screenshots."""

import base64
from collections.abc import Callable, Collection, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from batchfish.localagent.api.answers import (
    CancelAnswer,
    CancelsAnswer,
    RunAnswer,
    RunPageAnswer,
    RunsAnswer,
    reply,
    show_cancel,
    show_run,
    show_summary,
)
from batchfish.localagent.api.operations import Operation
from batchfish.localagent.api.refusals import no_such_run, refused
from batchfish.localagent.api.request_bodies import ListQuery, RunIds, RunQuery
from batchfish.localagent.runs.queue import RunQueue
from batchfish.localagent.runs.records import RunFilter, StoredRun
from batchfish.localagent.runs.steps import step_number
from batchfish.webagent import wire


def run_routes(queue: RunQueue, watch_url: Callable[[str], str]) -> list[Operation]:
    """Return the operations, those of many runs before those of one, whose paths match theirs, too.

    `watch_url` returns the address of a run's live view.
    """
    return [*_reads(queue, watch_url), *_cancels(queue), *_captures(queue)]


def _reads(queue: RunQueue, watch_url: Callable[[str], str]) -> list[Operation]:
    def show(run: StoredRun, screenshot: Callable[[int], str | None] = lambda _: None) -> dict[str, Any]:
        steps = queue.trail(run).steps
        return show_run(run, steps, watch_url=watch_url(run.run_id), screenshot=screenshot)

    async def list_runs(_: Request, query: ListQuery) -> Response:
        """List runs, newest first by default."""
        wanted = RunFilter(
            goal=query.goal,
            status=query.status,
            created_after=query.created_after,
            created_before=query.created_before,
        )
        after = None if query.cursor is None else int(query.cursor, 16)
        page = queue.page(wanted, limit=query.limit, direction=query.sort_direction, after=after)
        cursor = f"{page.runs[-1].seq:016x}" if page.has_more else None
        note = {"total": page.total, "next_cursor": cursor, "has_more": page.has_more}
        rows = [
            show_summary(run, steps=len(queue.trail(run).steps), watch_url=watch_url(run.run_id))
            for run in page.runs
        ]
        return reply({"data": rows, "pagination": note})

    async def get_runs(_: Request, body: RunIds) -> Response:
        """Return up to 100 runs by id."""
        runs = queue.get(body.run_ids)
        return reply({"data": list(map(show, runs.values())), "not_found": _not_found(body.run_ids, runs)})

    async def get_run(request: Request, query: RunQuery) -> Response:
        """Return one run."""
        run_id: str = request.path_params["id"]
        run = queue.get([run_id]).get(run_id)
        if run is None:
            return no_such_run(run_id)
        match query.screenshots:
            case "none":
                return reply(show(run))
            case "url":
                return reply(show(run, lambda number: wire.STEP_SCREENSHOT.format(id=run_id, stepId=number)))
            case "base64":
                return reply(show(run, lambda number: _base64(queue.screenshot(run, number))))

    return [
        Operation("GET", wire.RUNS, "listRuns", list_runs, ListQuery, RunPageAnswer),
        Operation("POST", wire.RUNS_BATCH, "batchGetRuns", get_runs, RunIds, RunsAnswer),
        Operation("GET", wire.RUN_BY_ID, "getRunById", get_run, RunQuery, RunAnswer),
    ]


def _cancels(queue: RunQueue) -> list[Operation]:
    """Return the cancels: idempotent, and without effect on a run that has ended."""

    async def cancel_runs(_: Request, body: RunIds) -> Response:
        """Cancel up to 100 runs; `not_found` names unknown ids, and runs of `run` that have not ended."""
        found = queue.cancel(body.run_ids)
        results = [show_cancel(cancellation) for cancellation in found.values()]
        return reply({"results": results, "not_found": _not_found(body.run_ids, found)})

    async def cancel_run(request: Request) -> Response:
        """Cancel a run; 404 for an unknown id, and for a run of `run` that has not ended."""
        run_id: str = request.path_params["id"]
        found = queue.cancel([run_id]).get(run_id)
        if found is not None:
            return reply(show_cancel(found))
        if run_id in queue.get([run_id]):
            message = f"Run {run_id!r} was created by {wire.RUN}: it cannot be cancelled."
            return refused(404, "NOT_FOUND", message)
        return no_such_run(run_id)

    return [
        Operation("POST", wire.CANCEL_RUNS, "batchCancelRuns", cancel_runs, RunIds, CancelsAnswer),
        Operation("POST", wire.CANCEL_RUN, "cancelRunById", cancel_run, None, CancelAnswer),
    ]


def _captures(queue: RunQueue) -> list[Operation]:
    async def get_screenshot(request: Request) -> Response:
        """Return a picture of the page after a step."""
        run_id, step_id = request.path_params["id"], request.path_params["stepId"]
        run = queue.get([run_id]).get(run_id)
        if run is None:
            return no_such_run(run_id)
        number = step_number(step_id)
        body = None if number is None else queue.screenshot(run, number)
        if body is None:
            return refused(404, "NOT_FOUND", f"There is no screenshot of step {step_id!r} of run {run_id!r}.")
        return Response(body, media_type="image/jpeg", headers={"X-Content-Type-Options": "nosniff"})

    async def get_html(request: Request) -> Response:
        """Refuse: this agent keeps no page sources, whatever `capture_config` asks for."""
        run_id, step_id = request.path_params["id"], request.path_params["stepId"]
        return refused(404, "NOT_FOUND", f"The source of step {step_id!r} of run {run_id!r} is not kept.")

    picture, html = (
        {"description": "What was captured.", "content": {kind: {}}} for kind in ("image/jpeg", "text/html")
    )
    return [
        Operation("GET", wire.STEP_SCREENSHOT, "getStepScreenshot", get_screenshot, None, picture),
        Operation("GET", wire.STEP_HTML, "getStepHtml", get_html, None, html),
    ]


def _not_found(asked: Sequence[str], found: Collection[str]) -> list[str] | None:
    """Return the ids that were not found; None, as the API does, if all were."""
    return [run_id for run_id in dict.fromkeys(asked) if run_id not in found] or None


def _base64(body: bytes | None) -> str | None:
    return None if body is None else base64.b64encode(body).decode()
