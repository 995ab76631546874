"""The JSON documents that commands print with `--json`."""

from __future__ import annotations

import json
from enum import StrEnum

from batchfish.cli.console import put


class DocumentType(StrEnum):
    """The types of documents; `docs/schemas/` describes each in a JSON Schema.

    The types and their keys are public: they are only added to, and never renamed.
    """

    AUDIT = "audit"
    BATCHES = "batches"
    DECISION = "decision"
    DIAGNOSIS = "diagnosis"
    DIFF = "diff"
    HELD = "held"
    ITEM = "item"
    MANIFEST = "manifest"
    PLAN = "plan"
    PROGRESS = "progress"
    RECHECK = "recheck"
    REPORT = "report"
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
