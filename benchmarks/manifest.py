"""What it takes to read a manifest of a million rows: as `validate` does it, and as `run` does.

    python benchmarks/manifest.py [--rows 1000000] [--folder .]

`validate` keeps only what must be unique, `run` also stores the rendered rows, in a second process. Rows
with ids and rows without are read in processes of their own, from a CSV file with five columns and a goal
that is a template. Each line gives wall and CPU seconds, those of the second process included, and the peak
memory of the first.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from batchfish.journal.row_file import RowFile
from batchfish.manifest.load import ManifestOptions, load_manifest

if TYPE_CHECKING:
    from collections.abc import Callable

GOAL = "Read the title and the price of {{ title }} ({{ isbn }})."


def write_rows(path: Path, rows: int, *, with_ids: bool) -> None:
    """Write a CSV file of made-up rows, no two of which ask for the same."""
    with path.open("w", encoding="utf-8") as file:
        file.write(f"{'id' if with_ids else '#id'},url,title,isbn,shelf\n")
        for row in range(rows):
            file.write(f"book-{row},https://books.example/{row},Title {row % 1000},978{row:010},{row % 50}\n")


def read(path: Path, rows: int) -> None:
    """Read a manifest in both ways, and print what each took."""

    def lap(what: str, work: Callable[[], int]) -> None:
        wall, cpu = time.perf_counter(), sum(os.times()[:4])
        assert work() == rows  # noqa: S101 - every row was read
        wall, cpu = time.perf_counter() - wall, sum(os.times()[:4]) - cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        sys.stdout.write(f"  {what:16} {wall:7.2f} s wall {cpu:7.2f} s CPU {peak:6.0f} MiB peak\n")

    manifest = load_manifest(path, ManifestOptions(goal=GOAL))
    lap("validate", lambda: manifest.check().items)
    with RowFile() as file:
        lap("run", lambda: manifest.check(file).items)


def main() -> None:
    """Measure rows with ids and rows without, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, default=Path(), help="where the CSV files are written")
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.read is not None:
        read(given.read, given.rows)
        return
    with TemporaryDirectory(dir=given.folder, prefix="manifest-benchmark-") as folder:
        for with_ids in (True, False):
            sys.stdout.write(f"{given.rows:,} rows {'with' if with_ids else 'without'} ids\n")
            sys.stdout.flush()
            path = Path(folder) / "rows.csv"
            write_rows(path, given.rows, with_ids=with_ids)
            child = [sys.executable, __file__, "--read", str(path), "--rows", str(given.rows)]
            subprocess.run(child, check=True)  # noqa: S603 - this very script


if __name__ == "__main__":
    main()
