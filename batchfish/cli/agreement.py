"""The questions that a command may have to ask a person, and the answers that it was given."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from batchfish.cli.console import ask, is_terminal
from batchfish.errors import NeedsYes, with_remedy

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from batchfish.cli.options import Questions


class Question(StrEnum):
    """A question to a person before something is paid for again, lost or replaced.

    The names are public: `--accept` takes them.
    """

    CHANGES = "changes"
    MOVED_JOURNAL = "moved-journal"
    SAME_ITEMS = "same-items"
    UNFINISHED_BATCH = "unfinished-batch"
    UNREAD_RUNS = "unread-runs"
    SHORT_SETTLE = "short-settle"
    REPLACE_OUTPUT = "replace-output"
    RESUBMIT_HELD = "resubmit-held"


NEVER_BY_YES = frozenset({Question.UNFINISHED_BATCH, Question.UNREAD_RUNS})
"""Questions that `-y` never answers: in a crontab it would agree to pay every day."""


class Agreement:
    """The questions that were answered with yes in this process: by `--accept`, by `-y` or at the terminal.

    `-y` agrees to the first question that is asked and to no other, so that nobody agrees by it to something
    that they have not read about. A question that was agreed to is not asked again.
    """

    def __init__(
        self, accepted: Collection[str] = (), *, yes: bool = False, ask: Callable[[str], bool] | None = None
    ) -> None:
        """Start with the accepted questions; `ask` asks a person, and is None where there is no terminal."""
        self._agreed = {Question(name) for name in accepted}
        self._yes = yes
        self._ask = ask
        self._first: Question | None = None

    def has(self, question: Question) -> bool:
        """Return whether this question has been agreed to already."""
        return question in self._agreed

    def ask(self, question: Question, said: str, *, remedy: str | None = None) -> None:
        """Return if a person agrees; else raise NeedsYes, whose remedy names the option that agrees.

        `said` are whole sentences: what happened, and what it would cost. `remedy` is what else can be done.
        """
        if question in self._agreed:
            return
        self._first = self._first or question
        answers_yes = self._yes and question is self._first and question not in NEVER_BY_YES
        if not answers_yes and (self._ask is None or not self._ask(f"{with_remedy(said, remedy)} Go on?")):
            to_agree = self._how_to_agree(question)
            raise NeedsYes(said, remedy=f"{remedy} {to_agree}" if remedy else to_agree, question=question)
        self._agreed.add(question)

    def settle(self, needed: NeedsYes) -> None:
        """Ask the question of an error from a lower layer; an error without a question is raised again."""
        if needed.question is None:
            raise needed
        self.ask(Question(needed.question), needed.message, remedy=needed.remedy)

    def _how_to_agree(self, question: Question) -> str:
        option = f"To agree, add --accept {question}."
        if not self._yes:
            return option
        if question in NEVER_BY_YES:
            return f"{option} -y does not agree to this."
        return f"{option} -y agrees to the first question only, which was {self._first}."


def agreement_of(questions: Questions) -> Agreement:
    """Return what a command line agrees to; other questions are asked at the terminal, if there is one."""
    return Agreement(questions.accept, yes=questions.yes, ask=ask if is_terminal() else None)
