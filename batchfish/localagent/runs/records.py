"""Runs as the store has them: when they are new, when they have ended, and as pages of a listing."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from batchfish.core.describe import spell_path
from batchfish.core.schema import find_violations
from batchfish.webagent.wire import RunStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchfish.localagent.engines.base import RunFailure

# As answers have it: they hold stored documents as they are. ASCII, since pages may hold lone surrogates.
dump = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode


class NewRun(NamedTuple):
    """A PENDING run to be stored; documents are JSON text, `origin` is the path that it was created at."""

    run_id: str
    url: str
    goal: str
    goal_folded: str
    options: str
    output_schema: str | None
    origin: str
    created_at: float
    visible_at: float


class StoredRun(NamedTuple):
    """A run as it is stored: times in epoch seconds, documents as JSON text."""

    seq: int
    run_id: str
    url: str
    goal: str
    options: str
    output_schema: str | None
    origin: str
    created_at: float
    started_at: float | None
    finished_at: float | None
    result: str | None
    error: str | None
    validation: str | None
    steps: str | None
    status: RunStatus


@dataclass(frozen=True, kw_only=True, slots=True)
class RunEnd:
    """The end of a run: documents as JSON text; `validation` says whether the result fits its schema."""

    status: RunStatus
    result: str | None = None
    error: str | None = None
    validation: str | None = None


CANCELLED = RunEnd(status=RunStatus.CANCELLED)


def failed(failure: RunFailure) -> RunEnd:
    """Return the end of a run that failed."""
    return RunEnd(status=RunStatus.FAILED, error=dump(dataclasses.asdict(failure)))


def completed(result: object, schema: Mapping[str, Any] | None, *, re_prompts: int = 0) -> RunEnd:
    """Return the end of a run with a result, validated; ValueError or TypeError if the result is not JSON."""
    if result is None:
        return RunEnd(status=RunStatus.COMPLETED)
    validation = None
    if schema is not None:
        errors = [
            {
                "path": spell_path(found.keys),
                "expected": found.expected,
                "received": found.received,
                "message": found.message,
            }
            for found in find_violations(result, schema)
        ]
        validation = dump({"valid": not errors, "re_prompt_attempts": re_prompts, "errors": errors})
    return RunEnd(status=RunStatus.COMPLETED, result=dump(result), validation=validation)


@dataclass(frozen=True, kw_only=True, slots=True)
class RunFilter:
    """The filter of a listing: `created_after` is inclusive, `created_before` exclusive, epoch seconds."""

    goal: str | None = None
    status: RunStatus | None = None
    created_after: float | None = None
    created_before: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RunPage:
    """One page of a listing: its runs, how many match in all, and whether more follow."""

    runs: tuple[StoredRun, ...]
    total: int
    has_more: bool
