"""The columns of the table are in the order of the schemas' properties."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from batchfish.cli.main import main

MANIFEST = """\
batchfish: 1
defaults:
  goal: Read all of it.
  output_schema:
    type: object
    properties:
      title: {type: string}
      price: {type: number}
      author: {type: string}
items:
  - {id: one, url: "https://shop.example/1"}
output: {path: table.csv}
"""


pytestmark = pytest.mark.process


def test_columns_stand_as_the_schema_declares_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("shop.yaml").write_text(MANIFEST)

    assert main(["run", "--local", "--engine", "simulate", "-q", "shop.yaml"]) == 0

    header = Path("table.csv").read_text().splitlines()[0].replace('"', "").split(",")
    assert [name for name in header if name in {"author", "price", "title"}] == ["title", "price", "author"]


def test_columns_of_several_schemas_stand_as_the_rows_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = [f"p{number}" for number in range(7)]
    rows = [
        {
            "url": "https://shop.example/1",
            "goal": "Read it.",
            "output_schema": {"type": "object", "properties": {name: {"type": "string"}}},
        }
        for name in names
    ]
    Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    assert main(["run", "--local", "--engine", "simulate", "-q", "rows.jsonl", "-o", "table.csv"]) == 0

    header = Path("table.csv").read_text().splitlines()[0].replace('"', "").split(",")
    assert [name for name in header if name in names] == names
