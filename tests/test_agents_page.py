"""docs/agents.md can be played through: its commands print the documents that it shows."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from batchfish.cli.exits import ExitCode
from batchfish.cli.failures import EXIT_CODES, ErrorKind
from tests.documents import documents_in
from tests.test_readme import ROOT, blocks_of, commands_of, type_in, words_of

if TYPE_CHECKING:
    from pathlib import Path

PAGE = ROOT / "docs" / "agents.md"


def holds(document: Any, shown: Any) -> bool:  # noqa: ANN401 - any JSON value
    """Return whether a document has all that the page shows of it."""
    if isinstance(document, dict) and isinstance(shown, dict):
        return all(name in document and holds(document[name], value) for name, value in shown.items())
    return bool(document == shown)


@pytest.mark.process
def test_the_page_can_be_played_from_top_to_bottom(tmp_path: Path) -> None:
    printed: list[dict[str, Any]] = []
    compared = 0
    for block in blocks_of(PAGE):
        match block.language:
            case "yaml":
                assert block.named is not None
                (tmp_path / block.named).write_text(block.text)
            case "sh":
                printed = []
                for command, expected in commands_of(block):
                    done = type_in(words_of(command), tmp_path)
                    assert done.returncode == expected, f"{command}\n{done.stdout}\n{done.stderr}"
                    printed += documents_in(done.stdout)
            case "json":
                for line in block.text.splitlines():
                    shown = json.loads(line)
                    assert any(holds(document, shown) for document in printed), f"{line}\n{printed}"
                    compared += 1
    assert compared > 8


def test_the_page_says_what_to_do_about_every_exit_code() -> None:
    section = PAGE.read_text(encoding="utf-8").partition("## 3.")[2].partition("## 4.")[0]
    cells = re.findall(r"^\| ([\d, ]+) \|", section, re.MULTILINE)
    assert {int(code) for cell in cells for code in cell.split(",")} == {*ExitCode, 129, 130, 143}


def test_the_page_names_every_kind_of_error_with_its_exit_code() -> None:
    rows = re.findall(r"^\| ([\d, ]+) \| ((?:`\w+`(?:, )?)+) \|", PAGE.read_text("utf-8"), re.MULTILINE)
    codes = {kind: cell for cell, kinds in rows for kind in re.findall(r"\w+", kinds)}
    assert set(codes) == set(ErrorKind)
    assert [kind for kind, code in EXIT_CODES.items() if str(code.value) not in codes[kind].split(", ")] == []
