"""The JSON documents that commands print with `--json`."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING

from batchfish.cli.console import put
from batchfish.cli.cost import NO_COST

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from batchfish.cli.cost import Cost
    from batchfish.cli.counts import Counts
    from batchfish.cli.failures import Failure
    from batchfish.journal.records import Batch
    from batchfish.pipeline.context import Stop


NO_FILES: Mapping[str, Path | None] = {"table": None, "report": None}
"""The files of a summary where none was written."""


class DocumentType(StrEnum):
    """The types of documents; `docs/schemas/` describes each in a JSON Schema.

    The types and their keys are public: they are only added to, and never renamed.
    """

    AUDIT = "audit"
    BATCHES = "batches"
    COMPLETION = "completion"
    DECISION = "decision"
    DIAGNOSIS = "diagnosis"
    DIFF = "diff"
    ERROR = "error"
    HELD = "held"
    ITEM = "item"
    LAUNCH = "launch"
    LISTENING = "listening"
    MANIFEST = "manifest"
    NOTIFICATION = "notification"
    PLAN = "plan"
    PROGRESS = "progress"
    RECHECK = "recheck"
    REPORT = "report"
    ROWS = "rows"
    SCHEMA = "schema"
    SETTINGS = "settings"
    STATUS = "status"
    SUMMARY = "summary"
    TABLE = "table"
    TRY = "try"
    VALIDATION = "validation"


def document(kind: DocumentType, /, **members: object) -> str:
    """Return a document as one line of JSON in ASCII; no character of it can control a terminal."""
    return json.dumps({"type": kind, **members}, default=str).replace("\x7f", "\\u007f")


def put_document(kind: DocumentType, /, **members: object) -> None:
    """Print a document on standard output, for a command that does nothing else."""
    put(document(kind, **members))


def describe_failure(failure: Failure) -> str:
    """Return the last document of a command that ends in an error."""
    return document(DocumentType.ERROR, ok=False, exit_code=failure.exit_code, error=failure.members())


def describe_summary(
    code: int,
    counts: Counts,
    *,
    batch: Batch | None,
    files: Mapping[str, Path | None] = NO_FILES,
    command: str | None,
    stop: Stop | None = None,
    cost: Cost | None = None,
    failure: Failure | None,
) -> str:
    """Return the summary; `command` continues an unfinished batch, and `failure` is why it failed.

    `files` are those that were written, by the keys of NO_FILES.
    """
    return document(
        DocumentType.SUMMARY,
        ok=code == 0,
        exit_code=int(code),
        counts=dict(counts.by_status),
        **files,
        resume=command,
        batch=None if batch is None else batch.name,
        stop=None if stop is None else stop.kind,
        error=None if failure is None else failure.members(),
        **(NO_COST if cost is None else cost.members),
    )
