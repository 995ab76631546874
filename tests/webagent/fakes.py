"""A client whose network is a function, and answers as the API writes them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import httpx

from batchfish.webagent.client import WebAgentClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping

KEY = "sk-canary-1234567890"
BASE_URL = "http://127.0.0.1:9"


def client_of(
    handler: Callable[[httpx.Request], httpx.Response]
    | Callable[[httpx.Request], Coroutine[None, None, httpx.Response]],
    *,
    secrets: Mapping[str, str] | None = None,
    salt: bytes = b"salt",
) -> WebAgentClient:
    """Return a client whose requests a function answers; it need not be closed."""
    return WebAgentClient(
        api_key=KEY, base_url=BASE_URL, salt=salt, secrets=secrets, transport=httpx.MockTransport(handler)
    )


def refusal(status: int, code: str = "SOME_CODE", **headers: str) -> httpx.Response:
    """Return a refusal with the error envelope; `retry_after="7"` becomes a header."""
    return httpx.Response(
        status,
        json={"error": {"code": code, "message": "said the API"}},
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


def asked_ids(request: httpx.Request) -> list[str]:
    """Return the ids that a request about many runs names."""
    ids: list[str] = json.loads(request.content)["run_ids"]
    return ids


def row(run_id: str, result: bytes = b"null", status: str = "COMPLETED") -> bytes:
    """Return a run as the API sends it, with exactly these bytes as its result."""
    return f'{{"run_id": "{run_id}", "status": "{status}", "goal": "g", "result": '.encode() + result + b"}"


def runs_body(rows: Iterable[bytes], not_found: Iterable[str] = ()) -> bytes:
    """Return the body of an answer about many runs."""
    return (
        b'{"data": [' + b", ".join(rows) + b'], "not_found": ' + json.dumps(list(not_found)).encode() + b"}"
    )


class Chunks(httpx.AsyncByteStream):
    """A body that arrives in pieces and is not yet decoded, as from a network."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the pieces."""
        for piece in self._pieces:
            yield piece
