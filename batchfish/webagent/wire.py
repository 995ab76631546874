"""The Web Agent API on the wire: paths, headers, field names and error envelope, for client and server."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any, TypeGuard

RUN = "/v1/automation/run"
RUN_ASYNC = "/v1/automation/run-async"
RUN_SSE = "/v1/automation/run-sse"
RUN_BATCH = "/v1/automation/run-batch"
RUNS = "/v1/runs"
RUN_BY_ID = "/v1/runs/{id}"
RUNS_BATCH = "/v1/runs/batch"
CANCEL_RUN = "/v1/runs/{id}/cancel"
CANCEL_RUNS = "/v1/runs/batch/cancel"
STEP_SCREENSHOT = "/v1/runs/{id}/steps/{stepId}/screenshot"
STEP_HTML = "/v1/runs/{id}/steps/{stepId}/html"

DEFAULT_BASE_URL = "https://agent.tinyfish.ai"
API_KEY_HEADER = "X-API-Key"
RUN_ID_PATTERN = r"^[A-Za-z0-9_-]{1,128}$"
_RUN_ID = re.compile(RUN_ID_PATTERN, re.ASCII)
IDS_PER_CALL = 100
ROWS_PER_PAGE = 100
GOAL_FILTER_LENGTH = 500


class RunStatus(StrEnum):
    """The statuses of a run; a client accepts others, too."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def is_final(self) -> bool:
        """Whether a run in this status is over."""
        return self in {RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED}


class EventType(StrEnum):
    """The types of the events of run-sse; a client ignores others."""

    STARTED = "STARTED"
    STREAMING_URL = "STREAMING_URL"
    PROGRESS = "PROGRESS"
    HEARTBEAT = "HEARTBEAT"
    COMPLETE = "COMPLETE"


REQUEST_FIELDS = (
    "url",
    "goal",
    "browser_profile",
    "proxy_config",
    "agent_config",
    "capture_config",
    "webhook_url",
    "output_schema",
    "use_vault",
    "credential_item_ids",
    "use_profile",
    "profile_id",
    "api_integration",
)
"""The fields of a create, by the API's names."""


def is_run_id(value: object) -> TypeGuard[str]:
    """Whether this is a run_id, which may stand in a path."""
    return isinstance(value, str) and _RUN_ID.fullmatch(value) is not None


def error_envelope(code: str, message: str, details: object = None) -> dict[str, Any]:
    """Return the body of an error answer: `{"error": {"code", "message", "details"?}}`."""
    error: dict[str, Any] = {"code": code, "message": message}
    if details is not None:
        error["details"] = details
    return {"error": error}
