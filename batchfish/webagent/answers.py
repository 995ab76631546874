"""What an answer to a create proves: a closed table, outside of which nothing is known."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeGuard

from batchfish.core.events import (
    CreateAnswer,
    SubmitAccepted,
    SubmitDeferred,
    SubmitRejected,
    SubmitUnanswered,
)
from batchfish.core.json_text import read_unambiguous
from batchfish.webagent.http_dates import note_retry_after, read_date_header, read_retry_after
from batchfish.webagent.wire import RUN_ID_PATTERN

if TYPE_CHECKING:
    from collections.abc import Mapping

MESSAGE_LENGTH = 500
_OK, _FORBIDDEN, _TOO_MANY = 200, 403, 429
_REJECTED = frozenset({400, 413, 422})
_WRONG_API = frozenset({404, 405, 415})
_ACCOUNT_REASONS = {401: "key_refused", 402: "no_credits", 403: "forbidden"}
_REASONS_BY_CODE = {
    "INSUFFICIENT_CREDITS": "no_credits",
    "RATE_LIMIT_EXCEEDED": "rate_limited",
    "DAILY_LIMIT_EXCEEDED": "daily_limit",
}
_REJECTED_CODES = {"INVALID_INPUT": "invalid_request", "CONTENT_POLICY_VIOLATION": "content_policy_violation"}


@dataclass(frozen=True, kw_only=True, slots=True)
class ApiError:
    """The API's own words for an error; `code` is upper case."""

    code: str
    message: str

    def __str__(self) -> str:
        """Spell it as `CODE: message`."""
        return f"{self.code}: {self.message}" if self.message else self.code


def read_create_answer(status: int, headers: Mapping[str, str], body: bytes) -> CreateAnswer:
    """Say what the answer to a create proves; `headers` by lower-case name.

    Whether an accepted run_id is new to the journal is for the journal to say.
    """
    content = read_unambiguous(body)
    error = read_envelope(content)
    if status == _OK:
        return _read_ok(content, headers)
    if status == _TOO_MANY:
        daily = error is not None and error.code == "DAILY_LIMIT_EXCEEDED"
        return SubmitDeferred(
            reason="daily_limit" if daily else "rate_limited",
            message=f"429 {error or 'too many requests'}{note_retry_after(headers)}",
            retry_after=read_retry_after(headers),
        )
    if status == _FORBIDDEN and error is None and _is_html(headers):
        return _defer("forbidden", "403 with a page of HTML: something before the API refused us", headers)
    if error is None:
        return _leave_open(f"{status} without the API's error envelope", headers)
    if status in _ACCOUNT_REASONS:
        has_no_credits = error.code == "INSUFFICIENT_CREDITS" and status == _FORBIDDEN
        reason = "no_credits" if has_no_credits else _ACCOUNT_REASONS[status]
        return _defer(reason, f"{status} {error}", headers)
    if status in _REJECTED:
        return SubmitRejected(reason="invalid_request", message=f"{status} {error}")
    if status in _WRONG_API:
        return _defer("wrong_api", f"{status} {error}", headers)
    return _leave_open(f"{status} {error}", headers)


def _read_ok(content: object, headers: Mapping[str, str]) -> CreateAnswer:
    """Read a 200: a run_id, or an error and no run_id; both or neither prove nothing."""
    if not isinstance(content, dict):
        return SubmitUnanswered(message="200 with a body that is not a JSON object")
    run_id, error = content.get("run_id"), content.get("error")
    if is_run_id(run_id) and error is None:
        return SubmitAccepted(run_id=run_id, server_date=read_date_header(headers))
    refusal = _read_error(error)
    if "run_id" not in content or run_id is not None or refusal is None:
        return SubmitUnanswered(message="200 with neither a clear run_id nor a clear error")
    if refusal.code in _REJECTED_CODES:
        return SubmitRejected(reason=_REJECTED_CODES[refusal.code], message=f"200 {refusal}")
    return _defer(_REASONS_BY_CODE.get(refusal.code, "create_error"), f"200 {refusal}", headers)


def _defer(reason: str, message: str, headers: Mapping[str, str]) -> SubmitDeferred:
    return SubmitDeferred(
        reason=reason, message=message + note_retry_after(headers), retry_after=read_retry_after(headers)
    )


def _leave_open(message: str, headers: Mapping[str, str]) -> SubmitUnanswered:
    return SubmitUnanswered(
        message=message + note_retry_after(headers), retry_after=read_retry_after(headers)
    )


def read_envelope(content: object) -> ApiError | None:
    """Read the API's error envelope, `{"error": {"code", "message", "details"?}}`; None if it is not one."""
    error = content.get("error") if isinstance(content, dict) else None
    if not isinstance(error, dict) or not isinstance(error.get("code"), str) or not error["code"].strip():
        return None
    return _read_error(error)


def _read_error(error: object) -> ApiError | None:
    """Read an error as the API puts it into an answer with status 200, too: an object or a text."""
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


def _places(error: Mapping[str, Any]) -> str:
    """Name the request members that the error's details complain of."""
    details = error.get("details")
    paths = [d.get("path") for d in details if isinstance(d, dict)] if isinstance(details, list) else []
    names = [".".join(map(str, path)) for path in paths if isinstance(path, list) and path]
    return f" (at {shorten(', '.join(names[:5]))})" if names else ""


def is_run_id(value: object) -> TypeGuard[str]:
    """Whether this is a run_id that may stand in a path."""
    return isinstance(value, str) and re.fullmatch(RUN_ID_PATTERN, value, re.ASCII) is not None


def shorten(text: str) -> str:
    """Cut a text of the API's to one short line that every store can hold."""
    line = " ".join(text.encode(errors="replace").decode().split())
    return line if len(line) <= MESSAGE_LENGTH else line[: MESSAGE_LENGTH - 1] + "…"


def _is_html(headers: Mapping[str, str]) -> bool:
    return headers.get("content-type", "").strip().lower().startswith("text/html")
