"""The guard before the routes: it admits requests of this machine's clients with the key, bounded in size."""

import re
import secrets
from collections.abc import Callable, Mapping
from email.utils import formatdate
from functools import lru_cache
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from batchfish.localagent.api.refusals import refused
from batchfish.webagent.wire import API_KEY_HEADER

LOCAL_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
LARGEST_BODY = 16 * 1024 * 1024
LENGTH = re.compile(rb"[0-9]{1,12}")
KEY_HEADER = API_KEY_HEADER.lower().encode()
TOO_LARGE = (413, "INVALID_INPUT", f"The body is larger than {LARGEST_BODY} bytes.")


class BodyTooLarge(Exception):
    """A request body is larger than it may be."""


class Guard:
    """ASGI middleware that refuses all but requests of this machine's own clients, and dates answers.

    Every user of this machine, and every page open in a browser here, can send requests to a local port. The
    key stops other users. The Host check stops names that were rebound to this machine, the Origin check
    other pages; a header and a content type that no form can send make browsers ask first, and no answer ever
    allows them.
    """

    def __init__(self, app: ASGIApp, *, key: str, clock: Callable[[], float]) -> None:
        """`key` is the only API key accepted; `clock` returns epoch seconds."""
        self._app = app
        self._key = key.encode()
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""

        async def dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (b"date", _date(int(self._clock())))]
            await send(message)

        headers: dict[bytes, bytes] = dict(reversed(scope["headers"]))  # the first of each name
        refusal = self._refusal(scope["path"], headers)
        if refusal is None and b"transfer-encoding" in headers:
            # The length of a chunked body is known once it has been read.
            try:
                receive = replay(await read_body(receive, most=LARGEST_BODY), receive)
            except BodyTooLarge:
                refusal = TOO_LARGE
        if refusal is None:
            await self._app(scope, receive, dated)
        else:
            await refused(*refusal)(scope, receive, dated)

    def _refusal(self, path: str, headers: Mapping[bytes, bytes]) -> tuple[int, str, str] | None:
        if not _is_local(headers.get(b"host", b"")):
            return 403, "FORBIDDEN", "This agent answers to names of this machine only."
        origin = headers.get(b"origin")
        if origin is not None and origin != b"http://" + headers[b"host"]:
            return 403, "FORBIDDEN", "This agent does not answer pages of other origins."
        if not path.startswith("/v1/"):
            return None
        key = headers.get(KEY_HEADER, b"").strip()
        if not key:
            return 401, "MISSING_API_KEY", f"Send the agent's key in the header {API_KEY_HEADER}."
        if not secrets.compare_digest(key, self._key):
            message = "This agent accepts its own key only; `batchfish serve` says which file holds it."
            return 401, "INVALID_API_KEY", message
        length = headers.get(b"content-length", b"0")
        kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if (length != b"0" or b"transfer-encoding" in headers) and kind != b"application/json":
            return 415, "INVALID_INPUT", "Send the body as application/json."
        if not LENGTH.fullmatch(length) or int(length) > LARGEST_BODY:
            return TOO_LARGE
        return None


async def read_body(receive: Receive, *, most: int | None = None) -> bytes:
    """Return the body of a request; BodyTooLarge if it has more than `most` bytes."""
    body, is_whole = bytearray(), False
    while not is_whole:
        message = await receive()
        body += message.get("body", b"")
        is_whole = not message.get("more_body", False)
        if most is not None and len(body) > most:
            raise BodyTooLarge
    return bytes(body)


def replay(body: bytes, after: Receive) -> Receive:
    """Return a `receive` that delivers a body that was read, then what `after` delivers."""
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return pending.pop() if pending else await after()

    return receive


@lru_cache(maxsize=16)
def _is_local(host: bytes) -> bool:
    try:
        return urlsplit(f"//{host.decode('latin-1')}").hostname in LOCAL_NAMES
    except ValueError:  # brackets without an address
        return False


@lru_cache(maxsize=1)
def _date(second: int) -> bytes:
    return formatdate(second, usegmt=True).encode()
