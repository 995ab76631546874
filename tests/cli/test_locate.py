"""Commands about a batch that exists: the names that find it, and files that must not get in their way."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from batchfish.cli.main import main

MANIFEST = """\
batchfish: 1
name: shop
defaults: {goal: Read it.}
items:
  - {id: one, url: "https://shop.example/1"}
  - {id: two, url: "https://shop.example/2"}
output: {path: "{{ batch }}.csv"}
"""
REHEARSE = ["--local", "--engine", "simulate", "--simulate", "duration=0", "-q"]

Say = Callable[..., str]

pytestmark = pytest.mark.process


@pytest.fixture
def say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    """Return a function that calls the command in a folder with a manifest, and returns what it prints."""
    monkeypatch.chdir(tmp_path)
    Path("shop.yaml").write_text(MANIFEST)

    def type_in(*words: str, code: int = 0) -> str:
        assert main([*words]) == code
        told = capsys.readouterr()
        return told.err + told.out

    return type_in


def test_the_first_of_several_batches_has_a_name(say: Say) -> None:
    say("run", "shop.yaml", *REHEARSE)
    say("run", "shop.yaml", "--new", "--limit", "1", *REHEARSE)

    assert say("status", "shop", "--local").startswith("shop.2: 1 of 2 done")
    assert say("status", "shop.1", "--local").startswith("shop: 2 of 2 done")
    assert "there is no batch 'shop.3'" in say("status", "shop.3", "--local", code=2)


def test_status_says_how_to_go_on_in_words_that_do(say: Say) -> None:
    say("run", "shop.yaml", "--limit", "1", *REHEARSE)

    told = say("status", "--local")

    _, _, command = told.strip().partition("go on with: batchfish ")
    say(*command.split(), *REHEARSE)
    assert "2 of 2 done" in say("status", "--local")


def test_a_misspelt_item_is_an_error_though_the_batch_is_finished(say: Say) -> None:
    say("run", "shop.yaml", *REHEARSE)

    assert "no item is called tow" in say("run", "shop.yaml", "--item", "tow", *REHEARSE, code=2)


def test_a_file_in_the_way_of_the_table_does_not_keep_a_batch_from_being_cancelled(say: Say) -> None:
    say("run", "shop.yaml", "--limit", "1", *REHEARSE)
    Path("shop.csv").write_text("mine")

    told = say("cancel", "--local", code=6)

    assert "shop.csv exists" in told
    (batch,) = json.loads(say("ls", "--json"))["batches"]
    assert batch["counts"] == {"succeeded": 1, "cancelled": 1}
    assert batch["exit_code"] == 4
    assert Path("shop.csv").read_text() == "mine"


def test_a_file_that_is_no_journal_keeps_nobody_from_the_others(say: Say) -> None:
    say("run", "shop.yaml", *REHEARSE)
    Path(".batchfish/local/other.db").write_text("This is no database, and is longer than its header." * 20)

    assert "2 of 2 done" in say("status", "shop.yaml", "--local")
    told = say("ls")
    assert "other.db: " in told
    assert "2 succeeded" in told


@pytest.mark.parametrize("output", [[], ["-o", "rows.csv"]])
def test_a_table_never_takes_the_place_of_its_own_rows(say: Say, output: list[str]) -> None:
    rows = "url\nhttps://shop.example/1\n"
    Path("rows.csv").write_text(rows)
    path = "table.csv" if output else "rows.csv"
    Path("own.yaml").write_text(
        f"batchfish: 1\nsource: {{path: rows.csv}}\ndefaults: {{goal: Read it.}}\noutput: {{path: {path}}}\n"
    )

    told = say("run", "own.yaml", "-y", *output, *REHEARSE, code=2)

    assert "rows.csv: the table would replace the manifest's own rows" in told
    assert Path("rows.csv").read_text() == rows
