"""Answers that are not 2xx, and what the OpenAPI document says of each."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from batchfish.localagent.api.answers import ErrorEnvelope, Json
from batchfish.localagent.api.request_bodies import issues
from batchfish.webagent import wire

REFUSALS = {
    400: "INVALID_INPUT: `details` names each place that is wrong. Nothing was created.",
    401: "MISSING_API_KEY or INVALID_API_KEY.",
    402: "INSUFFICIENT_CREDITS. Never sent here: this agent has no credits.",
    403: "FORBIDDEN: the Host is not this machine, or the Origin is another page's.",
    404: "NOT_FOUND: there is no such run, step or screenshot, or the run cannot be cancelled.",
    413: "The body is too large.",
    415: "The body is not application/json.",
    429: "RATE_LIMIT_EXCEEDED, in a simulation.",
    500: "INTERNAL_ERROR: a bug, or a simulation.",
    502: "INTERNAL_ERROR after the run was created, in a simulation.",
    503: "SERVICE_BUSY, in a simulation.",
}
# The statuses of every route, of those with a body, of those that create runs, of all others.
ANY = (401, 403, 429, 500)
BODY = (400, 413, 415)
CREATE = (402, 502)
READ = (503,)


def answers(document: type[Any] | dict[str, Any], *refusals: int) -> dict[int | str, dict[str, Any]]:
    """Describe the answers of a route: the 200 by its model or its own description, the others by status."""
    success = document if isinstance(document, dict) else {"model": document}
    # By reference: the framework would build the model anew for each status of each route, at every start.
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{ErrorEnvelope.__name__}"}}}
    described: dict[int | str, dict[str, Any]] = {
        status: {"content": content, "description": REFUSALS[status]} for status in sorted(refusals)
    }
    return {200: success, **described}


def refused(
    status: int, code: str, message: str, details: object = None, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a refusal in the API's envelope."""
    return Json(wire.error_envelope(code, message, details), status, headers)


def no_such_run(run_id: str) -> Response:
    """Return the 404 of an unknown run."""
    return refused(404, "NOT_FOUND", f"There is no run {run_id!r}.")


def answer_refusals(app: FastAPI) -> None:
    """Answer what the framework refuses in the API's envelope."""

    @app.exception_handler(RequestValidationError)
    async def refuse_input(_: Request, refusal: RequestValidationError) -> Response:
        found = issues(refusal.errors())
        where = ".".join(map(str, found[0]["path"])) if found else ""
        message = f"Invalid input: {where + ': ' if where else ''}{found[0]['message'] if found else ''}"
        return refused(400, "INVALID_INPUT", message, found)

    @app.exception_handler(HTTPException)
    async def refuse_route(_: Request, refusal: HTTPException) -> Response:
        code = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}.get(refusal.status_code, "INVALID_INPUT")
        return refused(refusal.status_code, code, str(refusal.detail), headers=refusal.headers)

    @app.exception_handler(Exception)
    async def admit_bug(_: Request, bug: Exception) -> Response:
        return refused(500, "INTERNAL_ERROR", f"The local agent has a bug: {type(bug).__name__}.")
