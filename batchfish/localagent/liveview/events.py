"""The events that the page gets: the state of a run, its steps."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from batchfish.localagent.runs.records import StoredRun
    from batchfish.localagent.runs.steps import TimedStep

LARGEST_RESULT = 256 * 1024


def run_event(run: StoredRun, now: float) -> dict[str, Any]:
    """Return the state of a run; times are epoch seconds, a result too large to show is left out."""
    is_shown = run.result is not None and len(run.result) <= LARGEST_RESULT
    violations = [] if run.validation is None else json.loads(run.validation)["errors"]
    return {
        "run_id": run.run_id,
        "url": run.url,
        "goal": run.goal,
        "status": run.status,
        "is_over": run.status.is_final,
        "now": now,
        "created_at": run.created_at,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "result": json.loads(run.result) if run.result is not None and is_shown else None,
        "result_bytes": 0 if run.result is None else len(run.result),
        "violations": [f"{error['path']}: {error['message']}" for error in violations],
        "error": None if run.error is None else json.loads(run.error),
    }


def step_event(number: int, timed: TimedStep) -> dict[str, Any]:
    """Return a step, and whether there is a screenshot of it."""
    matched = timed.step.matched
    return {
        "number": number,
        "at": timed.at,
        "action": timed.step.action,
        "duration": timed.step.duration,
        "matched": None if matched is None else {"name": matched.name, "where": matched.where},
        "has_screenshot": timed.has_screenshot,
    }
