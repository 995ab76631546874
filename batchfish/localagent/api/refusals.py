"""Answers that are not 2xx."""

import json
from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from batchfish.localagent.api.request_bodies import InvalidInput
from batchfish.webagent import wire


def refused(
    status: int, code: str, message: str, details: object = None, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a refusal in the API's envelope, in ASCII: what it repeats of a request may be no Unicode."""
    body = json.dumps(wire.error_envelope(code, message, details), separators=(",", ":"))
    return Response(body, status, headers, "application/json")


def no_such_run(run_id: str) -> Response:
    """Return the 404 of an unknown run."""
    return refused(404, "NOT_FOUND", f"There is no run {run_id!r}.")


async def _refuse_input(_: Request, refusal: InvalidInput) -> Response:
    return refused(400, "INVALID_INPUT", str(refusal), refusal.issues)


async def _refuse_route(_: Request, refusal: HTTPException) -> Response:
    code = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}.get(refusal.status_code, "INVALID_INPUT")
    return refused(refusal.status_code, code, str(refusal.detail), headers=refusal.headers)


async def _admit_bug(_: Request, bug: Exception) -> Response:
    return refused(500, "INTERNAL_ERROR", f"The local agent has a bug: {type(bug).__name__}.")


# What answers the exceptions of routes.
HANDLERS: dict[Any, Any] = {InvalidInput: _refuse_input, HTTPException: _refuse_route, Exception: _admit_bug}
