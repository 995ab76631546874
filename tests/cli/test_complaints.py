"""What the command says to who mistypes: which word is meant, and what would have been right."""

from __future__ import annotations

import shlex

import pytest

from batchfish.cli.main import main


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("statsu", "there is no verb 'statsu' (did you mean status?). Try `batchfish --help`."),
        ("run x.csv --gaol y", "unknown argument --gaol (did you mean --goal?). Try `batchfish run --help`."),
        ("run x.csv --loc", "unknown argument --loc (did you mean --local?)"),
        ("run x.csv --api-key=sk-secret", "unknown argument --api-key (did you mean --api-key-file?)"),
        ("status one two", "unknown argument two. Try `batchfish status --help`."),
        ("held adapt x", "there is no choice 'adapt' (did you mean adopt?)"),
        ("run x.csv --settle 5", "expected a duration, got '5' (Write it with its unit: 250ms, 30s"),
        ("run x.csv --halt many", "expected a share or a count, got 'many' (Write a share as 20%"),
    ],
)
def test_a_slip_is_pointed_at(typed: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(shlex.split(typed)) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("batchfish: ") == 1
    assert "secret" not in told
