"""Stored runs as the API shows them: documents, times, cursors."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchfish.localagent.book import RunPage, StoredRun
    from batchfish.localagent.runs import Cancellation, TimedStep


def iso(at: float) -> str:
    """Spell a time, epoch seconds, as the API does: UTC, milliseconds, Z."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def summary(run: StoredRun, *, steps: int) -> dict[str, Any]:
    """Show a run as the listing does."""
    options = json.loads(run.options)
    return {
        "run_id": run.run_id,
        "status": run.status,
        "goal": run.goal,
        "created_at": iso(run.created_at),
        "started_at": None if run.started_at is None else iso(run.started_at),
        "finished_at": None if run.finished_at is None else iso(run.finished_at),
        "num_of_steps": steps if run.status.is_final else None,
        "result": None if run.result is None else json.loads(run.result),
        "output_schema": None if run.output_schema is None else json.loads(run.output_schema),
        "schema_validation": (
            {"valid": True, "re_prompt_attempts": 0, "errors": []}
            if run.output_schema is not None and run.result is not None
            else None
        ),
        "profile_attached": False,
        "profile_id": options.get("profile_id"),
        "error": None if run.error is None else json.loads(run.error),
        "streaming_url": None,
        "browser_config": {"proxy_enabled": False, "proxy_country_code": None},
    }


def whole(run: StoredRun, steps: Sequence[TimedStep]) -> dict[str, Any]:
    """Show a run in full."""
    return {
        **summary(run, steps=len(steps)),
        "video_url": None,
        "steps": [
            {
                "id": str(number),
                "timestamp": iso(timed.at),
                "status": "completed",
                "action": timed.step.action,
                "screenshot": None,
                "duration": None if timed.step.duration is None else f"{timed.step.duration:.1f}s",
            }
            for number, timed in enumerate(steps, start=1)
        ],
    }


def cancelled(cancellation: Cancellation) -> dict[str, Any]:
    """Show what a cancel found."""
    return {
        "run_id": cancellation.run_id,
        "status": cancellation.status,
        "cancelled_at": None if cancellation.cancelled_at is None else iso(cancellation.cancelled_at),
        "message": cancellation.message,
    }


def next_cursor(page: RunPage) -> str | None:
    """Give the cursor of the page after this one."""
    if not page.has_more:
        return None
    return base64.urlsafe_b64encode(json.dumps({"seq": page.runs[-1].seq}).encode()).decode()


def read_cursor(cursor: str) -> int:
    """Give the `seq` that a cursor stands for; ValueError where it is none of ours."""
    try:
        seq = json.loads(base64.urlsafe_b64decode(cursor.encode()))["seq"]
    except (binascii.Error, UnicodeError, ValueError, TypeError, KeyError) as broken:
        raise ValueError("not a cursor of this listing") from broken
    if type(seq) is not int:
        raise ValueError("not a cursor of this listing")
    return seq
