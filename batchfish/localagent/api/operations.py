"""Operations of the API: what each takes and answers, for its requests and for the OpenAPI document."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.requests import ClientDisconnect, Request

from batchfish.localagent.api.request_bodies import InvalidInput, check

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pydantic import BaseModel
    from starlette.responses import Response
    from starlette.types import Receive, Scope, Send


@dataclass(frozen=True, slots=True)
class Operation:
    """The ASGI application of one operation.

    The handler is called with the request and, unless `takes` is None, with what was sent as this model: the
    body, or the query of a GET. `answers` is the model of a 200, or describes it.
    """

    method: str
    path: str
    operation_id: str
    handler: Callable[..., Awaitable[Response]]
    takes: type[BaseModel] | None
    answers: type[BaseModel] | dict[str, Any]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; InvalidInput if it is not one that the operation takes."""
        request = Request(scope, receive)
        if self.takes is None:
            answer = await self.handler(request)
        else:
            given = dict(request.query_params) if self.method == "GET" else await _document(request)
            answer = await self.handler(request, check(self.takes, given))
        await answer(scope, receive, send)


async def _document(request: Request) -> Any:  # noqa: ANN401 - any JSON
    try:
        return json.loads(await request.body())
    except (ValueError, RecursionError, ClientDisconnect):
        issue = {"code": "invalid_json", "path": [], "message": "The body is not JSON"}
        raise InvalidInput("Invalid input: The body is not JSON", [issue]) from None
