"""How long the report of a large batch takes, beside the table of the same batch, and how large both are.

Both commands run in turn, each in a process of its own, over a journal with a made-up batch:

    python -m benchmarks.report [--items 10000] [--rounds 3] [--format parquet]

The targets for 10,000 items are 2 s and 5 MB.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.machine import processor, versions
from benchmarks.made_up_batch import NAME, make_batch

ROOT = Path(__file__).parents[1]
MEASURED = """
import sys
from pathlib import Path
from batchfish.cli.main import main
code = main(sys.argv[1:])
status = Path("/proc/self/status").read_text(encoding="ascii")
peak = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
print(peak, file=sys.stderr)
raise SystemExit(code)
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """What one command took: wall and CPU seconds, peak memory in MiB, and the size of its file in MB."""

    wall: float
    cpu: float
    mib: float
    mb: float


def measure(command: str, journal: Path, target: Path) -> Measured:
    """Run one command in a fresh process."""
    words = [sys.executable, "-c", MEASURED, command, "-y", "--journal", str(journal), "-o", str(target)]
    before, start = os.times(), time.perf_counter()
    done = subprocess.run(  # noqa: S603 - ourselves
        words, check=True, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    wall, after = time.perf_counter() - start, os.times()
    cpu = sum(after[2:4]) - sum(before[2:4])
    kib = int(done.stderr.splitlines()[-1])
    return Measured(wall=wall, cpu=cpu, mib=kib / 1024, mb=target.stat().st_size / 1e6)


def main() -> None:
    """Measure both commands in turn, and print medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--format", choices=("parquet", "csv", "jsonl"), default="parquet")
    given = parser.parse_args()
    with TemporaryDirectory() as folder:
        journal = Path(folder, f"{NAME}.db")
        make_batch(journal, given.items)
        targets = {"report": Path(folder, "report.html"), "results": Path(folder, f"table.{given.format}")}
        found: dict[str, list[Measured]] = {command: [] for command in targets}
        for _ in range(given.rounds):
            for command, measured in found.items():
                measured.append(measure(command, journal, targets[command]))
    print(f"{given.items:,} items, medians of {given.rounds}; {processor()}; {versions('jinja2', 'polars')}")
    for command, measured in found.items():
        wall, cpu, mib, mb = (
            statistics.median(getattr(one, name) for one in measured) for name in ("wall", "cpu", "mib", "mb")
        )
        print(f"{command:8} {wall:6.2f} s wall {cpu:6.2f} s CPU {mib:6.0f} MiB peak {mb:7.2f} MB")


if __name__ == "__main__":
    main()
