"""The order in which a schema names its properties is the order of the table's columns."""

from __future__ import annotations

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


@pytest.mark.process
def test_columns_stand_as_the_schema_declares_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("shop.yaml").write_text(MANIFEST)

    assert main(["run", "--local", "--engine", "simulate", "-q", "shop.yaml"]) == 0

    header = Path("table.csv").read_text().splitlines()[0].replace('"', "").split(",")
    assert [name for name in header if name in {"author", "price", "title"}] == ["title", "price", "author"]
