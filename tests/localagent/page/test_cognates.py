"""Words that two languages share."""

from __future__ import annotations

import pytest

from batchfish.localagent.page.cognates import are_cognates
from tests.localagent.page.pages import look


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("atmosfera", "atmosphere"),
        ("orkester", "orchester"),
        ("coleccion", "collezion"),
        ("temperatur", "temperatura"),
    ],
)
def test_a_word_spelled_in_two_languages_is_one(one: str, other: str) -> None:
    assert are_cognates(one, other)
    assert are_cognates(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("plan", "plant"),  # so short a word is like many
        ("contract", "control"),
        ("ziegel", "siegel"),
        ("mission", "fission"),
        ("station", "situation"),
        ("immobile", "automobile"),
    ],
)
def test_another_word_of_like_letters_is_not(one: str, other: str) -> None:
    assert not are_cognates(one, other)


def test_a_label_in_another_language_is_found_by_the_word_that_both_share() -> None:
    assert look("<dl><dt>Trepanatie</dt><dd>open</dd></dl>", lang="nl", trepanation="string").result == {
        "trepanation": "open"
    }
