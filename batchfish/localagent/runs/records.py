"""Runs as the book has them, and which of them a listing shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batchfish.webagent.wire import RunStatus


@dataclass(frozen=True, kw_only=True, slots=True)
class NewRun:
    """A run about to be written down; documents are JSON text, `origin` is the path that asked for it."""

    run_id: str
    url: str
    goal: str
    options: str
    output_schema: str | None
    origin: str
    visible_at: float


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredRun:
    """A run as the book has it: times in epoch seconds, the rest of its documents as JSON text."""

    seq: int
    run_id: str
    url: str
    goal: str
    options: str
    output_schema: str | None
    origin: str
    status: RunStatus
    created_at: float
    started_at: float | None
    finished_at: float | None
    result: str | None
    error: str | None
    validation: str | None
    steps: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class RunFilter:
    """Which runs a listing shows: `created_after` is inclusive, `created_before` exclusive, epoch seconds."""

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
