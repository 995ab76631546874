"""Cancels: of one run, of many."""

from fastapi import APIRouter
from fastapi.responses import Response

from batchfish.localagent.api.answer_models import CancelAnswer, CancelsAnswer
from batchfish.localagent.api.answers import cancelled
from batchfish.localagent.api.ascii_json import Json
from batchfish.localagent.api.refusals import ANY, BODY, LOOK, answers, no_such_run
from batchfish.localagent.api.request_bodies import RunIds
from batchfish.localagent.api.run_routes import RunId, missing
from batchfish.localagent.runs.queue import RunQueue
from batchfish.webagent import wire


def cancels(queue: RunQueue) -> APIRouter:
    """Answer cancels: they may be repeated, and leave a run that has ended as it is."""
    router = APIRouter(tags=["Runs"])

    # Before the route of one run, whose pattern it would match.
    @router.post(
        wire.CANCEL_RUNS, operation_id="batchCancelRuns", responses=answers(CancelsAnswer, *ANY, *BODY, *LOOK)
    )
    async def cancel_runs(body: RunIds) -> Response:
        """End up to 100 runs."""
        found = queue.cancel(body.run_ids)
        results = [cancelled(cancellation) for cancellation in found.values()]
        return Json({"results": results, "not_found": missing(body.run_ids, found)})

    @router.post(
        wire.CANCEL_RUN, operation_id="cancelRunById", responses=answers(CancelAnswer, *ANY, *LOOK, 404)
    )
    async def cancel_run(run_id: RunId) -> Response:
        """End a run that has not ended."""
        found = queue.cancel([run_id]).get(run_id)
        return Json(cancelled(found)) if found else no_such_run(run_id)

    return router
