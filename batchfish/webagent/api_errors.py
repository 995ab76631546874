"""The API's errors: its error envelope, and the exception for an answer that cannot be used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from batchfish.core.json_text import read_unambiguous
from batchfish.errors import BatchfishError, NotPermitted, WebAgentUnavailable, WrongInput
from batchfish.webagent.http import HttpAnswer, NoAnswer
from batchfish.webagent.http_dates import note_retry_after, read_retry_after

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchfish.webagent.redaction import Redact

MESSAGE_LENGTH = 500
ENDPOINT_MISSING = frozenset({404, 405})
_UNAUTHORIZED = 401


class ApiError(Struct, frozen=True, kw_only=True):
    """An error in the API's words; `code` is upper case."""

    code: str
    message: str

    def __str__(self) -> str:
        """Return `CODE: message`."""
        return f"{self.code}: {self.message}" if self.message else self.code


class ErrorReader:
    """Turns the answers of one API that cannot be used into exceptions.

    `api_has_answered` is set once the API has given a usable answer in this process. From then on, a 404 or
    405 that is not JSON comes from something in between (a gateway, a captive portal) and is worth a retry.
    """

    def __init__(self, redact: Redact) -> None:
        """Redact all messages with `redact`."""
        self.redact = redact
        self.api_has_answered = False

    def read(self, answer: HttpAnswer | NoAnswer) -> BatchfishError:
        """Return the exception for an answer other than 200, or for a call without an answer."""
        if isinstance(answer, NoAnswer):
            return WebAgentUnavailable(self.redact(answer.message))
        envelope = read_envelope(read_unambiguous(answer.body))
        text = self.redact(f"{answer.status} {envelope or 'without the error envelope of the API'}")
        if answer.status == _UNAUTHORIZED:
            return NotPermitted(
                f"the API key is refused: {text}", remedy="Set the right key; `batchfish doctor` checks it."
            )
        if answer.status in ENDPOINT_MISSING:
            return self._read_missing(answer, text)
        return WebAgentUnavailable(
            text + self.redact(note_retry_after(answer.headers)),
            retry_after=read_retry_after(answer.headers),
        )

    def _read_missing(self, answer: HttpAnswer, text: str) -> BatchfishError:
        message = f"this is not the Web Agent API, or not at this base URL: {text}"
        if self.api_has_answered and is_page(answer):
            return WebAgentUnavailable(f"{message}, but the API has answered there before")
        return WrongInput(message)


def is_page(answer: HttpAnswer) -> bool:
    """Whether an answer is not JSON, which any API would have sent."""
    return read_unambiguous(answer.body) is None


def is_from_api(answer: HttpAnswer) -> bool:
    """Whether a refusal has the API's error envelope: then a 404 means that the run does not exist."""
    return read_envelope(read_unambiguous(answer.body)) is not None


def read_envelope(content: object) -> ApiError | None:
    """Read the API's error envelope, `{"error": {"code", "message", "details"?}}`; None if it is not one."""
    error = content.get("error") if isinstance(content, dict) else None
    if not isinstance(error, dict) or not isinstance(error.get("code"), str) or not error["code"].strip():
        return None
    return read_error(error)


def read_error(error: object) -> ApiError | None:
    """Read the `error` member of an answer, also of one with status 200: an object or a text."""
    if isinstance(error, str) and error.strip():
        return ApiError(code="UNKNOWN", message=shorten(error))
    if not isinstance(error, dict):
        return None
    code, message = error.get("code"), error.get("message")
    has_code, has_message = isinstance(code, str) and code.strip(), isinstance(message, str)
    if not has_code and not has_message:
        return None
    text = shorten(str(message)) if has_message else ""
    return ApiError(code=shorten(str(code)).upper() if has_code else "UNKNOWN", message=text + _places(error))


def shorten(text: str) -> str:
    """Return a text of the API as one short line that every store can hold."""
    line = " ".join(text.encode(errors="replace").decode().split())
    return line if len(line) <= MESSAGE_LENGTH else line[: MESSAGE_LENGTH - 1] + "…"


def _places(error: Mapping[str, Any]) -> str:
    """Return the names of the request fields that the error's details are about, as part of a message."""
    details = error.get("details")
    paths = [d.get("path") for d in details if isinstance(d, dict)] if isinstance(details, list) else []
    names = [".".join(map(str, path)) for path in paths if isinstance(path, list) and path]
    return f" (at {shorten(', '.join(names[:5]))})" if names else ""
