"""One option for each question: what agrees to it, what does not, and what is said where nobody agrees."""

from __future__ import annotations

import os
import pty
import shutil
from typing import TYPE_CHECKING

import pytest

from batchfish.cli.agreement import NEVER_BY_YES, Agreement, Question
from batchfish.errors import NeedsYes
from batchfish.journal.lock import compare
from batchfish.table.target import check_target
from tests.endtoend.serving import PATIENCE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Command
    from tests.cli.shop import Shop

NAMES = {
    "changes",
    "moved-journal",
    "same-items",
    "unfinished-batch",
    "unread-runs",
    "short-settle",
    "replace-output",
    "resubmit-held",
}


def test_the_names_are_public() -> None:
    assert set(Question) == NAMES


@pytest.mark.parametrize("question", Question)
def test_nobody_agrees_and_the_error_prints_the_option(question: Question) -> None:
    with pytest.raises(NeedsYes, match=rf"It costs\. To agree, add --accept {question}\.$") as needed:
        Agreement().ask(question, "It costs.")
    assert needed.value.question == question


@pytest.mark.parametrize("question", Question)
def test_accept_agrees_to_the_question_it_names_and_to_no_other(question: Question) -> None:
    agreement = Agreement([question.value])
    agreement.ask(question, "It costs.")
    for other in set(Question) - {question}:
        with pytest.raises(NeedsYes):
            agreement.ask(other, "It costs.")


@pytest.mark.parametrize("question", sorted(set(Question) - NEVER_BY_YES))
def test_yes_agrees_to_the_first_question_however_often_it_is_asked(question: Question) -> None:
    agreement = Agreement(yes=True)
    agreement.ask(question, "It costs.")
    agreement.ask(question, "It costs.")
    assert agreement.has(question)
    for other in set(Question) - {question}:
        with pytest.raises(NeedsYes, match=f"--accept {other}"):
            agreement.ask(other, "It costs.")


@pytest.mark.parametrize("question", sorted(NEVER_BY_YES))
def test_yes_never_agrees_to_these_nor_to_what_comes_after_them(question: Question) -> None:
    agreement = Agreement(yes=True)
    for asked in (question, Question.CHANGES):
        with pytest.raises(NeedsYes):
            agreement.ask(asked, "It costs.")


def test_what_is_accepted_is_not_asked_so_yes_is_left_for_the_next_question() -> None:
    agreement = Agreement(["changes"], yes=True)
    agreement.ask(Question.CHANGES, "It costs.")
    agreement.ask(Question.REPLACE_OUTPUT, "It is lost.")


@pytest.mark.parametrize("question", Question)
def test_a_person_at_a_terminal_is_asked_once(question: Question) -> None:
    asked: list[str] = []

    def agree(text: str) -> bool:
        asked.append(text)
        return True

    agreement = Agreement(ask=agree)
    agreement.ask(question, "It costs.")
    agreement.ask(question, "It costs.")
    assert asked == ["It costs. Go on?"]
    with pytest.raises(NeedsYes):
        Agreement(ask=lambda _: False).ask(question, "It costs.")


def test_the_layers_below_name_questions_that_there_are(tmp_path: Path) -> None:
    (tmp_path / "out.csv").write_text("somebody's")
    with pytest.raises(NeedsYes) as replace:
        check_target(tmp_path / "out.csv")
    place = {"path": "a", "inode": "1", "device": "1", "boot_id": "b", "machine": "m"}
    with pytest.raises(NeedsYes) as moved:
        compare(place, place | {"path": "c"})
    Agreement(["replace-output", "moved-journal"]).settle(replace.value)
    for needed in (replace.value, moved.value):
        with pytest.raises(NeedsYes, match=f"--accept {needed.question}"):
            Agreement().settle(needed)


def test_what_no_option_answers_is_raised_as_it_is() -> None:
    lost = NeedsYes("the journal is lost")
    with pytest.raises(NeedsYes) as raised:
        Agreement(NAMES, yes=True).settle(lost)
    assert raised.value is lost


def test_a_misspelt_question_is_pointed_at(offline: Command) -> None:
    outcome = offline("run", "rows.csv", "--accept", "chnages")
    assert (outcome.code, "there is no question 'chnages' (did you mean changes?)" in outcome.err) == (
        2,
        True,
    )
    outcome = offline("run", "rows.csv", "--accept", "x")
    assert outcome.code == 2
    assert all(name in outcome.err for name in NAMES)


@pytest.mark.process
def test_yes_does_not_agree_to_changes_beside_a_copied_journal(shop: Shop) -> None:
    """Two questions at once: the one that was not read about is not agreed to."""
    shop.write(1, 2, 3)
    shop.run(goal="Raed it.")

    def copy() -> None:
        file = shop.journal.path.with_suffix(".copy")
        shutil.copy(shop.journal.path, file)
        file.replace(shop.journal.path)

    copy()
    refused = shop.run()
    assert (refused.code, "--accept moved-journal" in refused.err) == (6, True)
    refused = shop.run("-y")
    assert (refused.code, "--accept changes" in refused.err) == (6, True)
    assert "-y agrees to the first question only, which was moved-journal" in refused.err
    copy()
    assert shop.run("--accept", "changes").code == 6
    assert shop.paid() == [1, 2, 3]
    assert shop.run("--accept", "changes", "--accept", "moved-journal").code == 0
    assert shop.paid() == [1, 1, 2, 2, 3, 3]


@pytest.mark.process
@pytest.mark.parametrize(("answer", "code", "paid"), [("n\n", 6, [1]), ("y\n", 0, [1, 1])])
def test_on_a_terminal_it_asks_in_words(shop: Shop, answer: str, code: int, paid: list[int]) -> None:
    shop.write(1, ids=False)
    shop.run(goal="Raed it.")
    terminal, end = pty.openpty()
    try:
        process = shop.start("--progress", "none", stdin=end, stderr=end)
        said = ""
        while "Go on? [y/N] " not in said:
            said += os.read(terminal, 1000).decode()
        assert "1 changed item" in said
        os.write(terminal, answer.encode())
        process.communicate(timeout=PATIENCE)
    finally:
        os.close(terminal)
        os.close(end)
    assert process.returncode == code
    assert shop.paid() == paid
