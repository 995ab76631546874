"""A manifest of 100,000 rows is read, and its batch begun, in little memory."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from tests.endtoend.commands import Desk, JournalView
from tests.endtoend.serving import serving

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.process, pytest.mark.slow]

ROWS, MOST_MEGABYTES = 100_000, 200
AND_SAY_THE_PEAK = """
import sys
from pathlib import Path
from batchfish.cli.main import main
code = main()
status = Path("/proc/self/status").read_text()
peak = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
print("", peak, sep=chr(10), file=sys.stderr)  # on standard output each line is a document
sys.exit(code)
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ("validate", "rows.csv", "--json"),
        ("plan", "rows.csv", "--json"),
        ("plan", "rows.csv", "--json", "--limit", "5"),
        ("run", "rows.csv", "--json", "--limit", "5", "--settle", "2s"),
        ("run", "rows.csv", "--json", "--max-duration", "2s", "-j", "50", "--settle", "2s"),
    ],
    ids=" ".join,
)
def test_a_hundred_thousand_rows_take_little_memory(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    python = (sys.executable, "-c", AND_SAY_THE_PEAK)
    with (
        serving(tmp_path / "server", "duration=0.05") as server,
        Desk(folder=tmp_path, base_url=server.base_url, python=python, is_executed=True) as desk,
    ):
        with (tmp_path / "rows.csv").open("w") as file:
            file.write("id,url,title\n")
            for row in range(ROWS):
                file.write(f"item-{row},https://shop.example/books/{row},Title number {row} of them all\n")
        ended = desk.run(*arguments, "--goal", "Read the price of {{ title }}.", expect=None, within=280)
        assert ended.returncode == (3 if "--max-duration" in arguments else 0), ended.stderr
        peak = int(ended.stderr.splitlines()[-1]) / 1024
        sys.stderr.write(f"{' '.join(arguments)}: {peak:.0f} MB\n")
        assert peak < MOST_MEGABYTES
        if arguments[0] == "run":
            assert sum(JournalView(tmp_path / ".batchfish" / "rows.db").statuses().values()) == ROWS
            assert server.books.count() >= 5
        else:
            assert json.loads(ended.stdout)["items"] == ROWS
