"""Every exception of batchfish, grouped by what the caller may do next.

BatchfishError
├── WrongInput           the input is wrong: correct it, then start again
│   ├── WrongUsage       the command line cannot be read
│   └── ManifestError    all problems found in a manifest, each with its place and remedy
├── NeedsYes             a person must agree first
├── TryLater             start again later, which is safe; the input is not at fault
│   └── BatchBusy        another process owns the journal
├── NotPermitted         the API key is refused, or belongs to another account
├── RunMayExist          a create had no clear answer: search for its run before sending another
├── StorageFailed        the journal, the output or the disk failed
└── WebAgentUnavailable  a poll, listing or cancel had no usable answer: try again
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class BatchfishError(Exception):
    """The base of all exceptions of batchfish; the text is written for the user.

    `message` says what happened and to what. `remedy` says what to do next, in sentences of its own; None if
    the message is enough. The text is both.
    """

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        """Keep message and remedy apart."""
        super().__init__(with_remedy(message, remedy))
        self.message = message
        self.remedy = remedy


def with_remedy(message: str, remedy: str | None) -> str:
    """Return a message and its remedy as one text."""
    if remedy is None:
        return message
    return f"{message} {remedy}" if message.endswith((".", "?", "!")) else f"{message}. {remedy}"


class WrongInput(BatchfishError):
    """The input is wrong: an option, the manifest, a missing file, the configuration."""


class WrongUsage(WrongInput):
    """The command line cannot be read: an unknown command or option, or a value that is not valid."""


class Problem(NamedTuple):
    """One problem in a file: its place, what is wrong, and what to do about it."""

    file: Path | str
    line: int | None
    message: str
    remedy: str | None = None

    def __str__(self) -> str:
        """Return `file:line: message remedy`."""
        return with_remedy(f"{self.spell_place()}: {self.message}", self.remedy)

    def spell_place(self) -> str:
        """Return `file:line`, or the file alone."""
        return str(self.file) if self.line is None else f"{self.file}:{self.line}"


class ManifestError(WrongInput):
    """All problems found in one manifest, in file order: at most 100 `problems`, and their `total`."""

    def __init__(self, problems: Sequence[Problem], total: int | None = None) -> None:
        """Keep the problems; `total` also counts those that were left out."""
        self.problems = tuple(problems)
        self.total = len(self.problems) if total is None else total
        if len(self.problems) == self.total == 1:
            (only,) = self.problems
            super().__init__(f"{only.spell_place()}: {only.message}", remedy=only.remedy)
            return
        lines = [str(problem) for problem in self.problems]
        if self.total > len(lines):
            lines.append(f"… and {self.total - len(lines)} more")
        super().__init__("\n".join(lines))


class NeedsYes(BatchfishError):
    """A person must agree first. `question` is the name that `--accept` takes; None if it takes none."""

    def __init__(self, message: str, *, remedy: str | None = None, question: str | None = None) -> None:
        """Keep the name of the question."""
        super().__init__(message, remedy=remedy)
        self.question = question


class TryLater(BatchfishError):
    """Start again later: the account is out of credits, the API cannot be reached, or the batch is busy."""


class BatchBusy(TryLater):
    """Another process owns the journal."""


class NotPermitted(BatchfishError):
    """The API key is refused, or the journal's runs belong to another account."""


class RunMayExist(BatchfishError):
    """A create had no clear answer: a run may exist, and sending the create again may be paid twice."""


class StorageFailed(BatchfishError):
    """The journal, the output or the disk failed; nothing more is sent."""


class WebAgentUnavailable(BatchfishError):
    """The API gave no usable answer to a poll, listing or cancel; `retry_after` is the wait it asked for."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        """Keep the wait in seconds, None if the API asked for none."""
        super().__init__(message)
        self.retry_after = retry_after
