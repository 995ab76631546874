"""Stored runs as the API shows them: documents, times, cursors."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from batchfish.localagent.runs.captures import SCREENSHOT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from batchfish.localagent.runs.queue import Cancellation
    from batchfish.localagent.runs.records import RunPage, StoredRun
    from batchfish.localagent.runs.trail import TimedStep

CURSOR_PATTERN = "^[0-7][0-9a-f]{15}$"  # opaque to clients; whatever matches is a place in the listing


def iso(at: float) -> str:
    """Spell a time, epoch seconds, as the API does: UTC, milliseconds, Z."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def outcome(run: StoredRun, *, steps: int, watch_url: str) -> dict[str, Any]:
    """Show a run as `run` answers it."""
    return {
        "run_id": run.run_id,
        "status": run.status,
        "started_at": _iso(run.started_at),
        "finished_at": _iso(run.finished_at),
        "num_of_steps": steps if run.status.is_final else None,
        "result": _parse(run.result),
        "schema_validation": _parse(run.validation),
        "error": _parse(run.error),
        "streaming_url": watch_url,
    }


def summary(run: StoredRun, *, steps: int, watch_url: str) -> dict[str, Any]:
    """Show a run as the listing does."""
    options = json.loads(run.options)
    return {
        **outcome(run, steps=steps, watch_url=watch_url),
        "goal": run.goal,
        "created_at": iso(run.created_at),
        "output_schema": _parse(run.output_schema),
        "profile_attached": False,
        "profile_id": options.get("profile_id"),
        "browser_config": {"proxy_enabled": False, "proxy_country_code": None},
    }


def whole(
    run: StoredRun,
    steps: Sequence[TimedStep],
    *,
    watch_url: str,
    picture: Callable[[int], str | None] = lambda _: None,
) -> dict[str, Any]:
    """Show a run in full; `picture` gives the screenshot of a step that has one, as it is to be shown."""
    return {
        **summary(run, steps=len(steps), watch_url=watch_url),
        "video_url": None,
        "steps": [
            {
                "id": str(number),
                "timestamp": iso(timed.at),
                "status": "completed",
                "action": timed.step.action,
                "screenshot": picture(number) if SCREENSHOT in timed.captured else None,
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
        "cancelled_at": _iso(cancellation.cancelled_at),
        "message": cancellation.message,
    }


def next_cursor(page: RunPage) -> str | None:
    """Give the cursor of the page after this one."""
    if not page.has_more:
        return None
    return f"{page.runs[-1].seq:016x}"


def read_cursor(cursor: str | None) -> int | None:
    """Give the `seq` that a cursor stands for; it matches CURSOR_PATTERN."""
    return None if cursor is None else int(cursor, 16)


def _iso(at: float | None) -> str | None:
    return None if at is None else iso(at)


def _parse(document: str | None) -> Any:  # noqa: ANN401 - any JSON
    return None if document is None else json.loads(document)
