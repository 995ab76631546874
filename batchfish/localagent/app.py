"""The routes of the Web Agent API as this machine answers them."""

# FastAPI reads the annotations of the routes at run time.
import os
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from batchfish.localagent import answers
from batchfish.localagent.attach import HEALTH
from batchfish.localagent.bodies import (
    AsyncRunAnswer,
    CancelAnswer,
    CancelsAnswer,
    ErrorEnvelope,
    ListQuery,
    RunAnswer,
    RunBody,
    RunIds,
    RunPageAnswer,
    RunsAnswer,
    issues,
    schema_issues,
)
from batchfish.localagent.book import RunFilter, StoredRun
from batchfish.localagent.faults import Faults, FaultyRequests
from batchfish.localagent.guard import Guard
from batchfish.localagent.runs import RunQueue
from batchfish.webagent import wire

Answers = dict[int | str, dict[str, Any]]


def _answers(model: type[Any], *refusals: int) -> Answers:
    answers: Answers = {200: {"model": model}}
    answers.update({status: {"model": ErrorEnvelope} for status in refusals})
    return answers


def create_app(
    queue: RunQueue,
    *,
    token: str = "",
    require_token: bool = False,
    clock: Callable[[], float] = time.time,
    faults: Faults | None = None,
) -> FastAPI:
    """Make the application over a queue that the caller has entered.

    `token` is what the agent is known by; any key is accepted unless `require_token`. `faults` is what
    requests meet in a simulation.
    """
    app = FastAPI(title="Local web agent", version="1", docs_url=None, redoc_url=None)
    if faults is not None:
        app.add_middleware(FaultyRequests, faults=faults)
    app.add_middleware(Guard, token=token if require_token else None, clock=clock)
    _answer_refusals(app)
    _answer_health(app, token)
    _answer_creates(app, queue)
    _answer_looks(app, queue)
    _answer_cancels(app, queue)
    return app


def _answer_creates(app: FastAPI, queue: RunQueue) -> None:
    @app.post(wire.RUN_ASYNC, operation_id="runAsync", responses=_answers(AsyncRunAnswer, 400, 401, 403))
    async def run_async(body: RunBody) -> Response:
        """Make one run and answer at once with its id."""
        if problems := schema_issues(body.output_schema):
            return _refused(400, "INVALID_INPUT", problems[0]["message"], problems)
        (run_id,) = queue.create([body.to_request(body.output_schema)], origin=wire.RUN_ASYNC)
        return JSONResponse({"run_id": run_id, "error": None})


def _answer_looks(app: FastAPI, queue: RunQueue) -> None:
    def whole(run: StoredRun) -> dict[str, Any]:
        return answers.whole(run, queue.steps(run))

    @app.get(wire.RUNS, operation_id="listRuns", responses=_answers(RunPageAnswer, 400, 401, 403))
    async def list_runs(query: Annotated[ListQuery, Query()]) -> Response:
        """List runs, newest first unless asked otherwise."""
        try:
            after = None if query.cursor is None else answers.read_cursor(query.cursor)
        except ValueError as problem:
            raise RequestValidationError(
                [{"type": "value_error", "loc": ("query", "cursor"), "msg": "", "ctx": {"error": problem}}]
            ) from problem
        wanted = RunFilter(
            goal=query.goal,
            status=query.status,
            created_after=_epoch(query.created_after),
            created_before=_epoch(query.created_before),
        )
        page = queue.page(wanted, limit=query.limit, direction=query.sort_direction, after=after)
        note = {"total": page.total, "next_cursor": answers.next_cursor(page), "has_more": page.has_more}
        rows = [answers.summary(run, steps=len(queue.steps(run))) for run in page.runs]
        return JSONResponse({"data": rows, "pagination": note})

    @app.get(wire.RUN_BY_ID, operation_id="getRunById", responses=_answers(RunAnswer, 401, 403, 404))
    async def get_run(id: str) -> Response:  # noqa: A002 - the path's own name for it
        """Give one run."""
        run = queue.get([id]).get(id)
        return JSONResponse(whole(run)) if run else _no_such_run(id)

    @app.post(wire.RUNS_BATCH, operation_id="batchGetRuns", responses=_answers(RunsAnswer, 400, 401, 403))
    async def get_runs(body: RunIds) -> Response:
        """Give up to 100 runs by id."""
        runs = queue.get(body.run_ids)
        missing = _missing(body.run_ids, runs)
        return JSONResponse({"data": [whole(run) for run in runs.values()], "not_found": missing})


def _answer_cancels(app: FastAPI, queue: RunQueue) -> None:
    # Before the route of one run, whose pattern it would match.
    @app.post(
        wire.CANCEL_RUNS, operation_id="batchCancelRuns", responses=_answers(CancelsAnswer, 400, 401, 403)
    )
    async def cancel_runs(body: RunIds) -> Response:
        """End up to 100 runs."""
        found = queue.cancel(body.run_ids)
        results = [answers.cancelled(cancellation) for cancellation in found.values()]
        return JSONResponse({"results": results, "not_found": _missing(body.run_ids, found)})

    @app.post(wire.CANCEL_RUN, operation_id="cancelRunById", responses=_answers(CancelAnswer, 401, 403, 404))
    async def cancel_run(id: str) -> Response:  # noqa: A002 - the path's own name for it
        """End a run that has not ended."""
        found = queue.cancel([id]).get(id)
        return JSONResponse(answers.cancelled(found)) if found else _no_such_run(id)


def _answer_health(app: FastAPI, token: str) -> None:
    @app.get(HEALTH, include_in_schema=False)
    async def tell_health(request: Request) -> Response:
        """Prove to whoever read the port file that this is the agent that wrote it."""
        if not secrets.compare_digest(request.headers[wire.API_KEY_HEADER].encode(), token.encode()):
            return _refused(401, "INVALID_API_KEY", "That is another agent's token.")
        return JSONResponse({"pid": os.getpid()})


def _answer_refusals(app: FastAPI) -> None:
    @app.exception_handler(RequestValidationError)
    async def refuse_input(_: Request, refusal: RequestValidationError) -> Response:
        return _refused(400, "INVALID_INPUT", "Invalid input", issues(refusal.errors()))

    @app.exception_handler(HTTPException)
    async def refuse_route(_: Request, refusal: HTTPException) -> Response:
        code = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}.get(refusal.status_code, "INVALID_INPUT")
        return _refused(refusal.status_code, code, str(refusal.detail), headers=refusal.headers)

    @app.exception_handler(Exception)
    async def admit_bug(_: Request, bug: Exception) -> Response:
        return _refused(500, "INTERNAL_ERROR", f"The local agent met a bug of its own: {type(bug).__name__}.")


def _refused(
    status: int, code: str, message: str, details: object = None, headers: Mapping[str, str] | None = None
) -> Response:
    return JSONResponse(wire.error_envelope(code, message, details), status, headers)


def _no_such_run(run_id: str) -> Response:
    return _refused(404, "NOT_FOUND", f"There is no run {run_id!r}.")


def _missing(asked: Sequence[str], found: Mapping[str, object]) -> list[str] | None:
    return [run_id for run_id in dict.fromkeys(asked) if run_id not in found] or None


def _epoch(time: datetime | None) -> float | None:
    if time is None:
        return None
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
