"""Creates: the requests that start a run, how they are sent, and what the answers prove.

The answers that prove something are a closed table; after any other, whether a run exists is not known.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias

import msgspec

from batchfish.core.events import (
    CreateAnswer,
    SubmitAccepted,
    SubmitDeferred,
    SubmitRejected,
    SubmitUnanswered,
)
from batchfish.core.json_text import read_unambiguous
from batchfish.errors import BatchfishError, NotPermitted, RunMayExist, TryLater, WrongInput
from batchfish.webagent.api_errors import read_envelope, read_error
from batchfish.webagent.base import PreparedCreate
from batchfish.webagent.http import HttpAnswer, HttpClients, NoAnswer, call
from batchfish.webagent.http_dates import note_retry_after, read_date_header, read_retry_after
from batchfish.webagent.redaction import Redact
from batchfish.webagent.wire import REQUEST_FIELDS, RUN_ASYNC, is_run_id

API_INTEGRATION = "batchfish"
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


def build_create(
    url: str, goal: str, request: Mapping[str, Any], secrets: Mapping[str, str]
) -> PreparedCreate:
    """Build the body of a create; WrongInput if it cannot be built.

    `request` holds further fields by the API's names. `proxy_config.password_env` names a variable, whose
    value stands in `secrets`. The digest leaves the proxy's password out, so that no journal can reveal it.
    """
    asked = {"api_integration": API_INTEGRATION, **request, "url": url, "goal": goal}
    if unknown := sorted(set(asked) - set(REQUEST_FIELDS)):
        raise WrongInput(f"the API has no request field {unknown[0]!r}")
    open_body = {name: asked[name] for name in REQUEST_FIELDS if asked.get(name) is not None}
    body = open_body
    proxy = open_body.get("proxy_config")
    if isinstance(proxy, Mapping):
        shown = {k: v for k, v in proxy.items() if k not in {"password", "password_env"} and v is not None}
        password = _find_password(proxy, secrets)
        open_body = {**open_body, "proxy_config": shown}
        body = {**body, "proxy_config": shown if password is None else {**shown, "password": password}}
    try:
        encoded = msgspec.json.encode(body)
        shown_bytes = encoded if body is open_body else msgspec.json.encode(open_body)
    except (TypeError, ValueError, RecursionError) as error:
        raise WrongInput(f"the request for {url[:200]!r} cannot be written as JSON: {error}") from None
    return PreparedCreate(body=encoded, sha256=hashlib.sha256(shown_bytes).hexdigest())


class CreateSender(Protocol):
    """Sends creates to one endpoint."""

    async def send(self, create: PreparedCreate) -> CreateAnswer:
        """Send one create, once, and return whether its answer proves that a run was made."""
        ...

    async def aclose(self) -> None:
        """Stop what is still being sent or read; runs go on."""
        ...


MakeCreateSender: TypeAlias = Callable[[HttpClients, Redact], CreateSender]
"""Makes the sender of one client from its connections and its redaction."""


class QueueingSender:
    """Sends creates to `/run-async`, which answers at once with the id of a run that is queued."""

    def __init__(self, clients: HttpClients, redact: Redact) -> None:
        """Send over `clients.creates`."""
        self._http = clients.creates
        self._redact = redact

    async def send(self, create: PreparedCreate) -> CreateAnswer:
        """Send one create, once, and return whether its answer proves that a run was made."""
        return read_create(await call(self._http, "POST", RUN_ASYNC, body=create.body), self._redact)

    async def aclose(self) -> None:
        """Do nothing: nothing stays open after `send`."""


def read_create(answer: HttpAnswer | NoAnswer, redact: Redact) -> CreateAnswer:
    """Return whether the answer to a create, or its lack, proves that a run was made or that none was.

    SubmitAccepted does not mean that the run_id is new: the journal checks that.
    """
    if isinstance(answer, NoAnswer):
        return read_failed_create(answer, redact)
    match _read_answer(answer):
        case SubmitAccepted() as accepted:
            return accepted
        case SubmitDeferred(reason=reason, message=message, retry_after=wait):
            return SubmitDeferred(reason=reason, message=redact(message), retry_after=wait)
        case SubmitRejected(reason=reason, message=message):
            return SubmitRejected(reason=reason, message=redact(message))
        case SubmitUnanswered(message=message, retry_after=wait):
            return SubmitUnanswered(message=redact(message), retry_after=wait)


def read_failed_create(answer: NoAnswer, redact: Redact) -> SubmitDeferred | SubmitUnanswered:
    """Return whether a failed call proves that no run was made: if no byte of it can have been sent."""
    message = redact(answer.message)
    if answer.may_have_been_sent:
        return SubmitUnanswered(message=message)
    return SubmitDeferred(reason="unreachable", message=message)


def require_run(proof: CreateAnswer) -> str:
    """Return the id of the run that was made; raise the error of `create_error` if none is known."""
    if isinstance(proof, SubmitAccepted):
        return proof.run_id
    raise create_error(proof)


def create_error(proof: SubmitDeferred | SubmitRejected | SubmitUnanswered) -> BatchfishError:
    """Return the error for a create without a known run; its class says what the caller may do next."""
    match proof:
        case SubmitRejected(message=message):
            return WrongInput(f"the API refuses this request: {message}")
        case SubmitDeferred(reason="key_refused" | "forbidden", message=message):
            return NotPermitted(f"the API does not permit this: {message}")
        case SubmitDeferred(reason="wrong_api", message=message):
            return WrongInput(f"this is not the Web Agent API, or not at this base URL: {message}")
        case SubmitDeferred(message=message):
            return TryLater(f"no run was made: {message}")
        case SubmitUnanswered(message=message):
            return RunMayExist(
                f"{message}. A run may exist: search the listing for its goal before sending it again."
            )


def _find_password(proxy: Mapping[str, Any], secrets: Mapping[str, str]) -> str | None:
    name = proxy.get("password_env")
    if name is None:
        password = proxy.get("password")
        return None if password is None else str(password)
    if secrets.get(str(name)):
        return secrets[str(name)]
    raise WrongInput(
        f"proxy_config.password_env: the environment variable {name} is not set", remedy="Set it."
    )


def _read_answer(answer: HttpAnswer) -> CreateAnswer:
    status, headers = answer.status, answer.headers
    content = read_unambiguous(answer.body)
    error = read_envelope(content)
    if status == _OK:
        return _read_ok(content, headers)
    if status == _TOO_MANY:
        daily = error is not None and error.code == "DAILY_LIMIT_EXCEEDED"
        return _defer(
            "daily_limit" if daily else "rate_limited", f"429 {error or 'too many requests'}", headers
        )
    if status == _FORBIDDEN and error is None and _is_html(headers):
        return _defer(
            "forbidden", "403 with an HTML page: something in front of the API refused the request", headers
        )
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
    refusal = read_error(error)
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


def _is_html(headers: Mapping[str, str]) -> bool:
    return headers.get("content-type", "").strip().lower().startswith("text/html")
