"""Problems of a manifest: one is raised where it is found, and all are collected into one error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

from batchfish.core.describe import cut, nearest, quote
from batchfish.errors import ManifestError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MAX_SHOWN = 100
_LINES_NAMED = 5
_LONGEST = 1000


class Refused(ValueError):
    """A value is not valid at its place in the manifest; `remedy` says what to write instead."""

    def __init__(self, message: str, remedy: str | None = None) -> None:
        """Keep the remedy beside the message."""
        super().__init__(message)
        self.remedy = remedy


class RefusedLine(Refused):
    """A line of a file cannot be read, and nothing after it."""

    def __init__(self, line: int, message: str, remedy: str | None = None) -> None:
        """Keep the line beside the message and the remedy."""
        super().__init__(message, remedy)
        self.line = line


class _Recurring(Struct, kw_only=True):
    """A problem that occurs on several lines."""

    line: int | None
    more: list[int | None] = field(default_factory=list)
    count: int = 1


class Problems:
    """Collects problems: it keeps the first 100, and counts all."""

    def __init__(self) -> None:
        self._shown: list[Problem] = []
        self._recurring: dict[tuple[Path | str, str, str | None], _Recurring] = {}
        self.total = 0

    def add(self, file: Path | str, line: int | None, message: str, remedy: str | None = None) -> None:
        """Add one problem."""
        self.total += 1
        if len(self._shown) < MAX_SHOWN:
            self._shown.append(_make(file, line, message, remedy))

    def add_recurring(
        self, file: Path | str, line: int | None, message: str, remedy: str | None = None
    ) -> None:
        """Add a problem that many lines may have: it is shown once, with the first lines."""
        found = self._recurring.get((file, message, remedy))
        if found is not None:
            found.count += 1
            if len(found.more) < _LINES_NAMED:
                found.more.append(line)
            return
        self.total += 1
        if len(self._recurring) < MAX_SHOWN:
            self._recurring[(file, message, remedy)] = _Recurring(line=line)

    def raise_if_any(self) -> None:
        """Raise the error of `as_error` if there is any problem."""
        if self.total:
            raise self.as_error()

    def as_error(self) -> ManifestError:
        """Return one error with all problems, those of a file in the order of its lines."""
        shown = [*self._shown, *(_spell(*key, found) for key, found in self._recurring.items())]
        files = list(dict.fromkeys(problem.file for problem in shown))
        shown.sort(key=lambda problem: (files.index(problem.file), problem.line or 0))
        return ManifestError(shown[:MAX_SHOWN], self.total)


def _spell(file: Path | str, message: str, remedy: str | None, found: _Recurring) -> Problem:
    if found.more:
        rest = found.count - 1 - len(found.more)
        lines = ", ".join(str(line) for line in found.more) + (f" and {rest:,} more" if rest else "")
        message += f" (also on line{'s' if len(found.more) > 1 else ''} {lines})"
    return _make(file, found.line, message, remedy)


def _make(file: Path | str, line: int | None, message: str, remedy: str | None) -> Problem:
    """Return a problem whose message is a sentence, safe to print whatever it quotes."""
    ended = message if message.endswith((".", "?", "!")) else message + "."
    return Problem(
        file=file if str(file).isprintable() else cut(file, _LONGEST),
        line=line,
        message=cut(ended, _LONGEST),
        remedy=None if remedy is None else cut(remedy, _LONGEST),
    )


def suggest(name: str, known: Iterable[str]) -> str:
    """Return the hint that names the nearest known name, or all of them."""
    names = sorted(set(known))
    near = nearest(name, names) or nearest(name.lower(), names)
    if near:
        return f"Did you mean {quote(near)}?"
    return f"Known: {', '.join(names)}." if names else "None is known."
