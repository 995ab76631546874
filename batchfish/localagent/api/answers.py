"""The API's answers: the shapes of its documents, and stored runs in these shapes."""

# The annotations of the models are read at run time, by pydantic.
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal

import msgspec
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from batchfish.localagent.runs.queue import Cancellation
from batchfish.localagent.runs.records import StoredRun, dump
from batchfish.localagent.runs.steps import TimedStep
from batchfish.webagent.wire import EventType, RunStatus

CURSOR_PATTERN = "^[0-7][0-9a-f]{15}$"  # opaque to clients: the `seq` of the last run of a page


def reply(document: object) -> Response:
    """Return an answer of JSON."""
    return Response(msgspec.json.encode(document), media_type="application/json")


class Answer(BaseModel):
    """A document of the API; its schema is built when it is asked for."""

    model_config = ConfigDict(defer_build=True)


class Error(Answer):
    """The reason why a request was refused."""

    code: str
    message: str
    details: Any = None


class ErrorEnvelope(Answer):
    """The shape of every answer that is not 2xx."""

    error: Error


class RunError(Answer):
    """The error of a failed run; `retry_after` is in seconds, null if a retry is pointless."""

    message: str
    category: Literal["SYSTEM_FAILURE", "AGENT_FAILURE", "BILLING_FAILURE", "UNKNOWN"]
    code: str
    retry_after: float | None
    help_url: str | None = None
    help_message: str | None = None


class SchemaError(Answer):
    """One place where a result does not fit its schema."""

    path: str
    message: str
    expected: str | None = None
    received: str | None = None


class SchemaValidation(Answer):
    """Whether a result fits its schema."""

    valid: bool
    re_prompt_attempts: int
    errors: list[SchemaError]


class SyncRunAnswer(Answer):
    """A run that has ended, as `run` answers it."""

    run_id: str
    status: RunStatus
    started_at: str | None
    finished_at: str | None
    num_of_steps: int | None
    result: Any
    schema_validation: SchemaValidation | None
    error: RunError | None
    streaming_url: str | None


class AsyncRunAnswer(Answer):
    """The answer to run-async."""

    run_id: str | None
    error: Error | None


class BatchAnswer(Answer):
    """The answer to run-batch: ids in the order of the request."""

    run_ids: list[str] | None
    error: Error | None


class RunEvent(Answer):
    """One event of run-sse."""

    type: EventType
    timestamp: str
    run_id: str | None = None
    streaming_url: str | None = None
    purpose: str | None = None
    status: RunStatus | None = None
    result: Any = None
    error: RunError | None = None
    help_url: str | None = None
    help_message: str | None = None


class BrowserConfig(Answer):
    """The settings of the run's browser."""

    proxy_enabled: bool | None
    proxy_country_code: str | None


class RunSummary(SyncRunAnswer):
    """A run as the listing shows it."""

    goal: str
    created_at: str
    output_schema: dict[str, Any] | None
    profile_attached: bool
    profile_id: str | None
    browser_config: BrowserConfig | None


class RunStep(Answer):
    """One step of a run."""

    id: str
    timestamp: str
    status: str
    action: str | None
    screenshot: str | None
    duration: str | None


class RunAnswer(RunSummary):
    """A run in full."""

    video_url: str | None
    steps: list[RunStep]


class PageNote(Answer):
    """The place of a page in the listing."""

    total: int
    next_cursor: str | None
    has_more: bool


class RunPageAnswer(Answer):
    """One page of the listing."""

    data: list[RunSummary]
    pagination: PageNote


class RunsAnswer(Answer):
    """The runs that were asked for by id, and the unknown ids."""

    data: list[RunAnswer]
    not_found: list[str] | None


class CancelAnswer(Answer):
    """The outcome of a cancel."""

    run_id: str
    status: Literal[RunStatus.CANCELLED, RunStatus.COMPLETED, RunStatus.FAILED]
    cancelled_at: str | None
    message: str | None


class CancelsAnswer(Answer):
    """The outcomes of cancels, and the ids that were not found."""

    results: list[CancelAnswer]
    not_found: list[str] | None


def iso(at: float) -> str:
    """Return a time, epoch seconds, as the API writes it: UTC, milliseconds, Z."""
    second, microseconds = divmod(round(at * 1_000_000), 1_000_000)
    return f"{_second(second)}.{microseconds // 1000:03}Z"


def show_outcome(run: StoredRun, *, steps: int, watch_url: str) -> dict[str, Any]:
    """Return a run as a SyncRunAnswer."""
    return {
        "run_id": run.run_id,
        "status": run.status,
        "started_at": _iso(run.started_at),
        "finished_at": _iso(run.finished_at),
        "num_of_steps": steps if run.status.is_final else None,
        "result": _stored(run.result),
        "schema_validation": _stored(run.validation),
        "error": _stored(run.error),
        "streaming_url": watch_url,
    }


def show_summary(run: StoredRun, *, steps: int, watch_url: str) -> dict[str, Any]:
    """Return a run as a RunSummary."""
    options = msgspec.json.decode(run.options)
    return {
        **show_outcome(run, steps=steps, watch_url=watch_url),
        "goal": run.goal,
        "created_at": iso(run.created_at),
        "output_schema": _stored(run.output_schema),
        "profile_attached": False,
        "profile_id": options.get("profile_id"),
        "browser_config": {"proxy_enabled": False, "proxy_country_code": None},
    }


def show_run(
    run: StoredRun,
    steps: Sequence[TimedStep],
    *,
    watch_url: str,
    screenshot: Callable[[int], str | None] = lambda _: None,
) -> dict[str, Any]:
    """Return a run as a RunAnswer; `screenshot` returns what to show for a step of that number."""
    return {
        **show_summary(run, steps=len(steps), watch_url=watch_url),
        "video_url": None,
        "steps": [
            {
                "id": str(number),
                "timestamp": iso(timed.at),
                "status": "completed",
                "action": _stored(dump(timed.step.action)),  # which may hold lone surrogates
                "screenshot": screenshot(number) if timed.has_screenshot else None,
                "duration": None if timed.step.duration is None else f"{timed.step.duration:.1f}s",
            }
            for number, timed in enumerate(steps, start=1)
        ],
    }


def show_cancel(cancellation: Cancellation) -> dict[str, Any]:
    """Return the outcome of a cancel as a CancelAnswer."""
    return {
        "run_id": cancellation.run_id,
        "status": cancellation.status,
        "cancelled_at": _iso(cancellation.cancelled_at),
        "message": cancellation.message,
    }


@lru_cache(maxsize=256)  # one answer shows many runs of the same seconds
def _second(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).replace(tzinfo=None).isoformat()


def _iso(at: float | None) -> str | None:
    return None if at is None else iso(at)


def _stored(document: str | None) -> msgspec.Raw:
    return msgspec.Raw((document or "null").encode())
