"""The questions that a command may have to ask a person, and what was agreed to when it was called."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from batchfish.errors import NeedsYes

if TYPE_CHECKING:
    from collections.abc import Callable, Collection


class Question(StrEnum):
    """A thing to agree to before anything is paid for, lost or replaced; the names are public."""

    CHANGES = "changes"
    MOVED_JOURNAL = "moved-journal"
    SAME_ITEMS = "same-items"
    UNFINISHED_BATCH = "unfinished-batch"
    UNREAD_RUNS = "unread-runs"
    SHORT_SETTLE = "short-settle"
    REPLACE_OUTPUT = "replace-output"
    RESUBMIT_HELD = "resubmit-held"


NEVER_BY_YES = frozenset({Question.UNFINISHED_BATCH, Question.UNREAD_RUNS})
"""Questions that only `--accept` or a person at a terminal answers: `-y` in a crontab would pay every day."""


class Agreement:
    """The questions agreed to in one process: by `--accept`, at the terminal, or by `-y`.

    `-y` agrees to the first question that is asked and to no other, so that it never agrees to something that
    its user has not read about. A question that was agreed to is not asked again in this process.
    """

    def __init__(
        self, accepted: Collection[str] = (), *, yes: bool = False, ask: Callable[[str], bool] | None = None
    ) -> None:
        """Start with what the command line accepts; `ask` asks a person (None: there is no terminal)."""
        self._agreed = {Question(name) for name in accepted}
        self._yes = yes
        self._ask = ask
        self._first: Question | None = None

    def has(self, question: Question) -> bool:
        """Return whether this question has been agreed to already."""
        return question in self._agreed

    def ask(self, question: Question, said: str) -> None:
        """Return once a person agrees; raise NeedsYes, with the option that agrees, where nobody does.

        `said` are whole sentences: what happened, and what it would cost.
        """
        if question in self._agreed:
            return
        self._first = self._first or question
        answers_yes = self._yes and question is self._first and question not in NEVER_BY_YES
        if not answers_yes and (self._ask is None or not self._ask(f"{said} Go on?")):
            raise NeedsYes(f"{said} {self._how_to_agree(question)}", question=question)
        self._agreed.add(question)

    def settle(self, needed: NeedsYes) -> None:
        """Ask what a lower layer needs agreed; an error without a question is raised as it is."""
        if needed.question is None:
            raise needed
        self.ask(Question(needed.question), str(needed))

    def _how_to_agree(self, question: Question) -> str:
        option = f"To agree, add --accept {question}."
        if not self._yes:
            return option
        if question in NEVER_BY_YES:
            return f"{option} -y does not agree to this."
        return f"{option} -y agrees to the first question only, which was {self._first}."
