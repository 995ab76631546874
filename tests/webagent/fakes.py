"""An API that is a function, and a client whose network it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import httpx

from batchfish.webagent.client import WebAgentClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping

KEY = "sk-canary-1234567890"
BASE_URL = "http://127.0.0.1:9"


def client_of(
    handler: Callable[[httpx.Request], httpx.Response],
    *,
    secrets: Mapping[str, str] | None = None,
    salt: bytes = b"salt",
) -> WebAgentClient:
    """Open a client over a function; nothing needs closing."""
    return WebAgentClient(
        api_key=KEY, base_url=BASE_URL, salt=salt, secrets=secrets, transport=httpx.MockTransport(handler)
    )


def refusal(status: int, code: str = "SOME_CODE", **headers: str) -> httpx.Response:
    """Refuse in the API's own words; `retry_after="7"` becomes a header."""
    return httpx.Response(
        status,
        json={"error": {"code": code, "message": "said the API"}},
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


def asked_ids(request: httpx.Request) -> list[str]:
    """Read the ids that a call for many runs asks about."""
    ids: list[str] = json.loads(request.content)["run_ids"]
    return ids


def row(run_id: str, result: bytes = b"null", status: str = "COMPLETED") -> bytes:
    """Write a run as the API sends it, with exactly these bytes as its result."""
    return f'{{"run_id": "{run_id}", "status": "{status}", "goal": "g", "result": '.encode() + result + b"}"


def runs_body(rows: Iterable[bytes], not_found: Iterable[str] = ()) -> bytes:
    """Write an answer about many runs."""
    return (
        b'{"data": [' + b", ".join(rows) + b'], "not_found": ' + json.dumps(list(not_found)).encode() + b"}"
    )


class Chunks(httpx.AsyncByteStream):
    """A body that comes in pieces, as from a network, and not yet decoded."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Give the pieces one by one."""
        for piece in self._pieces:
            yield piece
