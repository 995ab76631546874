"""A manifest of 100,000 rows is read, its batch begun, shown and written, in little memory."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from tests.endtoend.commands import Desk, JournalView
from tests.endtoend.serving import serving

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Sequence
    from pathlib import Path

pytestmark = [pytest.mark.process, pytest.mark.slow]

ROWS = 100_000
MOST_MEGABYTES, MOST_TO_WRITE_A_TABLE = 50, 200
"""Commands take 18 to 41 MB, for a few rows as for these. A set of the numbers of all rows would take 15 MB
more. What writes a table takes 75 to 115 MB for itself."""

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


def peak_of(ended: subprocess.CompletedProcess[str], arguments: Sequence[str]) -> float:
    """Return the most memory of a command in MB, and print it."""
    peak = int(ended.stderr.splitlines()[-1]) / 1024
    sys.stderr.write(f"{' '.join(arguments)}: {peak:.0f} MB\n")
    return peak


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
        assert peak_of(ended, arguments) < (
            MOST_TO_WRITE_A_TABLE if arguments[0] == "run" else MOST_MEGABYTES
        )
        if arguments[0] == "run":
            status = ("status", "rows", "--json")
            assert peak_of(desk.run(*status), status) < MOST_MEGABYTES
            results = ("results", "rows", "-o", "again.parquet")
            assert peak_of(desk.run(*results), results) < MOST_TO_WRITE_A_TABLE
            assert sum(JournalView(tmp_path / ".batchfish" / "rows.db").statuses().values()) == ROWS
            assert server.books.count() >= 5
        else:
            assert json.loads(ended.stdout)["items"] == ROWS
