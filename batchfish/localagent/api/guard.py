"""Who may speak to the agent: this machine's own clients, with a key, in JSON of a bounded size."""

import json
import re
import secrets
from collections.abc import Callable
from email.utils import formatdate
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from batchfish.webagent.wire import API_KEY_HEADER, error_envelope

LOCAL_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
LARGEST_BODY = 16 * 1024 * 1024
LENGTH = re.compile(r"[0-9]{1,12}")


class Guard:
    """ASGI middleware that refuses what this machine's own clients would not send, and dates every answer.

    Any page open in a browser here can send requests to a local port. The Host check stops names that were
    rebound to this machine, the Origin check other pages, and a header and a content type that no form can
    send make browsers ask first; no answer ever allows them.
    """

    def __init__(self, app: ASGIApp, *, token: str | None, clock: Callable[[], float]) -> None:
        """`token` is the only key accepted; None accepts any."""
        self._app = app
        self._token = token
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)

        async def dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                date = (b"date", formatdate(self._clock(), usegmt=True).encode())
                message["headers"] = [*message.get("headers", ()), date]
            await send(message)

        if refusal is None:
            await self._app(scope, receive, dated)
        else:
            await _answer(dated, *refusal)

    def _refusal(self, scope: Scope) -> tuple[int, str, str] | None:
        headers = Headers(scope=scope)
        if _host_of(f"//{headers.get('host', '')}") not in LOCAL_NAMES:
            return 403, "FORBIDDEN", "This agent answers to names of this machine only."
        origin = headers.get("origin")
        if origin is not None and origin != f"http://{headers['host']}":
            return 403, "FORBIDDEN", "This agent does not answer pages of other origins."
        if not scope["path"].startswith("/v1/"):
            return None
        key = headers.get(API_KEY_HEADER, "").strip()
        if not key:
            return 401, "MISSING_API_KEY", f"Send any key in the header {API_KEY_HEADER}."
        if self._token is not None and not secrets.compare_digest(key.encode(), self._token.encode()):
            return 401, "INVALID_API_KEY", "This agent was started to accept its own token only."
        if "transfer-encoding" in headers:
            return 411, "INVALID_INPUT", "Send the body in one piece, with its Content-Length."
        length = headers.get("content-length", "0")
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if length != "0" and kind != "application/json":
            return 415, "INVALID_INPUT", "Send the body as application/json."
        if not LENGTH.fullmatch(length) or int(length) > LARGEST_BODY:
            return 413, "INVALID_INPUT", f"The body is larger than {LARGEST_BODY} bytes."
        return None


def _host_of(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:  # brackets that hold no address
        return None


async def _answer(send: Send, status: int, code: str, message: str) -> None:
    body = json.dumps(error_envelope(code, message)).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
