"""How a run ended, as the book keeps it."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batchfish.core.describe import spell_path
from batchfish.core.violations import find_violations
from batchfish.webagent.wire import RunStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchfish.localagent.engines.base import RunFailure


@dataclass(frozen=True, kw_only=True, slots=True)
class RunEnd:
    """The end of a run: documents as JSON text; `validation` says whether the result meets its schema."""

    status: RunStatus
    result: str | None = None
    error: str | None = None
    validation: str | None = None


CANCELLED = RunEnd(status=RunStatus.CANCELLED)


def failed(failure: RunFailure) -> RunEnd:
    """Write a failure down."""
    return RunEnd(status=RunStatus.FAILED, error=json.dumps(dataclasses.asdict(failure)))


def completed(result: object, schema: Mapping[str, Any] | None) -> RunEnd:
    """Write a result down, and whether it meets its schema; ValueError or TypeError where it is no JSON."""
    if result is None:
        return RunEnd(status=RunStatus.COMPLETED)
    validation = None
    if schema is not None:
        errors = [
            {"path": spell_path(found.keys), "message": found.message}
            for found in find_violations(result, schema)
        ]
        validation = json.dumps({"valid": not errors, "re_prompt_attempts": 0, "errors": errors})
    return RunEnd(
        status=RunStatus.COMPLETED, result=json.dumps(result, allow_nan=False), validation=validation
    )
