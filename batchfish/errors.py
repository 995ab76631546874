"""Every exception of batchfish, split by what the caller may do next.

BatchfishError
├── WrongInput         what was given is wrong: mend it, then start again
│   └── ManifestError  every problem found in a manifest, each with its place and remedy
├── NeedsYes           a person must agree first
├── TryLater           nothing is wrong with what was given: start again later, it is harmless
│   └── BatchBusy      another process owns the journal
├── NotPermitted       the API key is refused, or belongs to another account
├── RunMayExist        a create had no clear answer: search for its run before sending another
├── StorageFailed      the journal, the output or the disk failed
└── WebAgentUnavailable  a read had no usable answer; ends inside the pipeline
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class BatchfishError(Exception):
    """Base of all errors that batchfish raises on purpose; its text is written for the person who sees it."""


class WrongInput(BatchfishError):
    """What was given is wrong: flags, manifest, a missing file, configuration."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One thing wrong in a file: where it stands, what is wrong, and what to do about it."""

    file: Path | str
    line: int | None = None
    message: str
    remedy: str | None = None

    def __str__(self) -> str:
        """Spell it as `file:line: message. remedy`."""
        place = f"{self.file}:{self.line}" if self.line is not None else str(self.file)
        return f"{place}: {self.message}" + (f" {self.remedy}" if self.remedy else "")


class ManifestError(WrongInput):
    """Every problem found in one manifest, in file order; `problems` may be cut at 100, `total` is not."""

    def __init__(self, problems: Sequence[Problem], total: int | None = None) -> None:
        """Keep the problems; `total` counts also those that were left out."""
        self.problems = tuple(problems)
        self.total = len(self.problems) if total is None else total
        lines = [str(problem) for problem in self.problems]
        if self.total > len(lines):
            lines.append(f"… and {self.total - len(lines)} more")
        super().__init__("\n".join(lines))


class NeedsYes(BatchfishError):
    """A person must agree first. `question` names what to agree to; None where no option agrees to it."""

    def __init__(self, message: str, *, question: str | None = None) -> None:
        """Keep the name of the question, as `--accept` takes it."""
        super().__init__(message)
        self.question = question


class TryLater(BatchfishError):
    """Start again later: the account is empty, the API is out of reach, or the batch is busy."""


class BatchBusy(TryLater):
    """Another process owns the journal."""


class NotPermitted(BatchfishError):
    """The API key is refused, or the journal's runs belong to another account."""


class RunMayExist(BatchfishError):
    """A create had no clear answer: a run may be on its way, and sending it again may be paid twice."""


class StorageFailed(BatchfishError):
    """The journal, the output or the disk failed; nothing more may be sent."""


class WebAgentUnavailable(BatchfishError):
    """A read had no usable answer; it can be repeated, after `retry_after` seconds if the API asks for it."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        """Keep the wait that the API asked for, in seconds."""
        super().__init__(message)
        self.retry_after = retry_after
