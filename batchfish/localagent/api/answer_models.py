"""The shapes of answers as the served OpenAPI document shows them."""

from typing import Any, Literal

from pydantic import BaseModel

from batchfish.webagent.wire import EventType, RunStatus


class Error(BaseModel):
    """Why a request was refused."""

    code: str
    message: str
    details: Any = None


class ErrorEnvelope(BaseModel):
    """The shape of every answer that is not 2xx."""

    error: Error


class RunError(BaseModel):
    """Why a run failed; `retry_after` is seconds, null where repeating is pointless."""

    message: str
    category: Literal["SYSTEM_FAILURE", "AGENT_FAILURE", "BILLING_FAILURE", "UNKNOWN"]
    code: str
    retry_after: float | None
    help_url: str | None = None
    help_message: str | None = None


class SchemaError(BaseModel):
    """One place where a result does not meet its schema."""

    path: str
    message: str
    expected: str | None = None
    received: str | None = None


class SchemaValidation(BaseModel):
    """Whether a result meets its schema."""

    valid: bool
    re_prompt_attempts: int
    errors: list[SchemaError]


class SyncRunAnswer(BaseModel):
    """A run at its end, as `run` answers it."""

    run_id: str
    status: RunStatus
    started_at: str | None
    finished_at: str | None
    num_of_steps: int | None
    result: Any
    schema_validation: SchemaValidation | None
    error: RunError | None
    streaming_url: str | None


class AsyncRunAnswer(BaseModel):
    """The answer to run-async."""

    run_id: str | None
    error: Error | None


class BatchAnswer(BaseModel):
    """The answer to run-batch: ids in the order of the request."""

    run_ids: list[str] | None
    error: Error | None


class RunEvent(BaseModel):
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


class BrowserConfig(BaseModel):
    """What the run's browser was set to."""

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


class RunStep(BaseModel):
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


class PageNote(BaseModel):
    """Where in the listing a page stands."""

    total: int
    next_cursor: str | None
    has_more: bool


class RunPageAnswer(BaseModel):
    """One page of the listing."""

    data: list[RunSummary]
    pagination: PageNote


class RunsAnswer(BaseModel):
    """The runs that were asked for by id, and the ids that are unknown."""

    data: list[RunAnswer]
    not_found: list[str] | None


class CancelAnswer(BaseModel):
    """What became of a cancel."""

    run_id: str
    status: RunStatus
    cancelled_at: str | None
    message: str | None


class CancelsAnswer(BaseModel):
    """What became of the cancels, and the ids that are unknown."""

    results: list[CancelAnswer]
    not_found: list[str] | None
