"""`batchfish diff`: what changed in a batch, in words, as JSON and as a file."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import pytest

from batchfish.cli.changes import ChangeCounts, changes_since
from batchfish.journal.queries import open_reader
from tests.cli.history import History
from tests.endtoend.commands import read_table

if TYPE_CHECKING:
    from tests.cli.conftest import Command

KIM, EMMA = b'{"title": "Kim", "price": 7.5}', b'{"title": "Emma", "price": 5}'


@pytest.fixture
def history(command: Command) -> History:
    """Return a batch of five items, and the one after it."""
    history = History(folder=command.folder)
    history.add({"a": KIM, "b": EMMA, "c": KIM, "gone": EMMA, "never": None})
    history.add(
        {
            "a": b'{"title": "Kim", "price": 6}',
            "b": EMMA,
            "c": None,
            "new": b'{"title": "x\\ny"}',
            "never": None,
        }
    )
    return history


def test_the_batch_before_is_the_other_one_by_itself(command: Command, history: History) -> None:
    outcome = command("diff")
    assert outcome.code == 0
    assert outcome.out.splitlines() == [
        "shop.2 since shop: 1 item added, 1 removed, 1 changed (1 cell), 2 unchanged",
        "  a  price  7.5 → 6 (-1.5)",
        "  new  added",
        "  gone  removed",
    ]
    assert outcome.err.splitlines() == [
        "1 item is without a good result in shop.2: an earlier one is kept",
        "1 item never had a good result, and cannot be compared",
    ]
    assert command("diff", "-q").err == ""
    assert (
        command("diff", "shop.2", "shop.1").out == outcome.out == command("diff", "shop.yaml", "shop.1").out
    )


def test_the_first_batch_is_compared_with_nothing(command: Command, history: History) -> None:
    outcome = command("diff", "shop.1")
    assert outcome.code == 0
    assert outcome.out.startswith("shop: 4 items added, 0 removed, 0 changed, 0 unchanged\n  a  added\n")
    assert outcome.err == (
        "shop is the first batch of its journal, so each of its results is new.\n"
        "1 item never had a good result, and cannot be compared\n"
    )


def test_json(command: Command, history: History) -> None:
    found = command("diff", "--json", "--head", "1").summary
    assert found == {
        "type": "diff",
        "batch": "shop.2",
        "since": "shop",
        "counts": {
            "added": 1,
            "removed": 1,
            "changed": 1,
            "unchanged": 2,
            "cells": 1,
            "records": 0,
            "carried": 1,
            "without": 1,
        },
        "changes": [
            {
                "item_id": "a",
                "record_index": None,
                "url": "https://shop.example/a",
                "change": "changed",
                "column": "price",
                "before": "7.5",
                "after": "6",
                "difference": -1.5,
                "before_batch": "shop",
                "after_batch": "shop.2",
            }
        ],
        "left_out": 2,
        "table": None,
    }
    assert command("diff", "shop.1", "--json").summary["since"] is None


@pytest.mark.parametrize("suffix", ["parquet", "csv", "jsonl"])
def test_a_file_holds_every_change(command: Command, history: History, suffix: str) -> None:
    outcome = command("diff", "-o", f"changes.{suffix}", "--head", "1")
    target = command.folder / f"changes.{suffix}"
    assert outcome.code == 0
    assert outcome.out.splitlines()[1:] == [
        "  a  price  7.5 → 6 (-1.5)",
        "  and 2 more changes",
        str(target),
    ]
    if suffix == "parquet":
        rows = list(read_table(target))
        assert [(row["item_id"], row["change"], row["difference"]) for row in rows] == [
            ("a", "changed", -1.5),
            ("new", "added", None),
            ("gone", "removed", None),
        ]
    assert target.stat().st_mode & 0o777 == 0o600
    # The file is the journal's own from now on, also for another batch.
    assert command("diff", "shop.1", "-o", f"changes.{suffix}").code == 0


def test_a_file_of_another_program_is_not_replaced(command: Command, history: History) -> None:
    target = command.folder / "notes.csv"
    target.write_text("not ours\n")
    outcome = command("diff", "-o", "notes.csv")
    assert (outcome.code, outcome.out, target.read_text()) == (6, "", "not ours\n")
    assert "--accept replace-output" in outcome.err
    assert command("diff", "-o", "notes.csv", "-y").code == 0
    with target.open() as file:
        assert len(list(csv.DictReader(file))) == 3


def test_the_table_of_the_batch_is_not_replaced(command: Command, history: History) -> None:
    outcome = command("diff", "-o", "results/shop.2.parquet", "-y")
    assert outcome.code == 2
    assert "is the table of shop.2 itself. Name another file with -o FILE." in outcome.err


def test_tolerances_of_manifest_and_options(command: Command) -> None:
    history = History(folder=command.folder, rules="compare: {price: 0.5, title: ignore}\n")
    history.add({"a": b'{"title": "Kim", "price": 7.5}'})
    history.add({"a": b'{"title": "Nora", "price": 8}'})
    assert "0 changed, 1 unchanged" in command("diff").out
    assert "a  price  7.5 → 8 (+0.5)" in command("diff", "--compare", "price=0.4").out
    assert "a  title  Kim → Nora" in command("diff", "--compare", "title=0").out
    assert "0 changed" in command("diff", "--compare", "price=7%").out
    for wrong, message in (
        ("prize=1", "--compare: no result has a property 'prize'. There are: price, title."),
        ("price=much", "expected a tolerance, ignore or key, got 'much'"),
        ("price", "'price' is not of the form name=value"),
    ):
        outcome = command("diff", "--compare", wrong)
        assert outcome.code == 2
        assert message in outcome.err


def test_the_batch_of_another_journal(command: Command, history: History) -> None:
    other = History(folder=command.folder, name="market")
    other.add({"a": KIM, "b": b'{"title": "Emma", "price": 4}', "z": KIM})
    for spelled in ("market", ".batchfish/market.db", "market.yaml"):
        outcome = command("diff", "shop", spelled)
        assert outcome.code == 0
        assert outcome.out.splitlines() == [
            "shop.2 since market: 2 items added, 1 removed, 2 changed (2 cells), 0 unchanged",
            "  a  price  7.5 → 6 (-1.5)",
            "  b  price  4 → 5 (+1)",
            "  c  added",
            "  new  added",
            "  z  removed",
        ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["shop.9"], "there is no batch 'shop.9'"),
        (["shop.2", "shop.9"], "there is no batch 'shop.9'"),
        (["shop", "shop.2"], "shop.2 is the batch shop.2 itself"),
        (["nothing"], "no batch 'nothing' is known"),
        (["shop", "nothing"], "no batch 'nothing' is known"),
    ],
)
def test_batches_that_are_not_there(
    command: Command, history: History, words: list[str], message: str
) -> None:
    outcome = command("diff", *words)
    assert (outcome.code, outcome.out) == (2, "")
    assert message in outcome.err


def test_what_pages_say_is_printed_on_one_line_and_harmless(command: Command) -> None:
    history = History(folder=command.folder)
    history.add({"a": b'{"title": "Kim"}'})
    history.add({"a": b'{"title": "\\u001b[2Jx\\ny\\u202ez' + b"w" * 100 + b'"}'})
    (line,) = command("diff").out.splitlines()[1:]
    shown = "�[2Jx�y�z".ljust(40, "w")
    assert line == f"  a  title  Kim → {shown}…"


def test_changes_are_counted_for_others(command: Command, history: History) -> None:
    with open_reader(history.journal) as reader:
        first, second = reader.batches()
        assert changes_since(reader, first) is None
        counts = changes_since(reader, second)
    assert counts == ChangeCounts(added=1, removed=1, changed=1, unchanged=2, cells=1, carried=1, without=1)
    assert counts.total == 3


def test_records_that_came_and_went(command: Command) -> None:
    schema = (
        "{type: object, properties: {books: {type: array, items: {type: object, properties: "
        "{sku: {type: string}, price: {type: number}}}}}}"
    )
    rules = "output: {explode: result.books}\ncompare: {sku: key}\n"
    history = History(folder=command.folder, schema=schema, rules=rules)
    history.add({"a": b'{"books": [{"sku": "x", "price": 1}, {"sku": "y", "price": 2}]}'})
    history.add({"a": b'{"books": [{"sku": "z", "price": 9}, {"sku": "x", "price": 3}]}'})
    assert command("diff", "-o", "changes.parquet").out.splitlines()[1:-1] == [
        "  a[0]  added",
        "  a[1]  price  1 → 3 (+2)",
        "  a[1]  removed",
    ]
    assert "1 changed (1 cell, 2 records added or removed)" in command("diff").out
    rows = list(read_table(command.folder / "changes.parquet"))
    assert [row["record_index"] for row in rows] == [0, 1, 1]
