"""One million results become Parquet: streamed by `batchfish results`, and all at once as a script does it.

Each side runs in a process of its own, in turn, over the same journal of made-up results:

    python -m benchmarks.table [--rows 1000000] [--rounds 3] [--format parquet]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sqlite3
import statistics
import subprocess
import sys
import time
from contextlib import closing, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from msgspec import to_builtins

from batchfish.core import identity
from batchfish.core.rules import Limits, Rules
from batchfish.core.window import Bounds
from batchfish.journal.records import NewBatch
from batchfish.journal.sqlite import SqliteJournal
from benchmarks.journal import specs

if TYPE_CHECKING:
    from collections.abc import Callable

SCHEMA = {
    "type": "object",
    "properties": {
        "title": {"type": "string"},
        "price": {"type": "number"},
        "pages": {"type": "integer"},
        "in_stock": {"type": "boolean"},
        "published": {"type": "string", "format": "date"},
    },
}
GOAL = "Read what the page says about the book."
REQUEST = {"output_schema": SCHEMA}
RULES = Rules(limits=Limits(concurrency=Bounds.fixed(100)))
BEGAN = 1_760_000_000
ENDED = (
    """
    INSERT INTO attempts (item, k, marker, state, key_id, body_sha256, intended_at, intended_boot, boot_id,
        run_id, created_at, run_status, started_at, finished_at, steps)
    SELECT i.pk, 1, printf('bf-abcdefgh-%s-1', key), 'ended', 'key', printf('%064d', i.pk), begun_at, 0,
        'boot', printf('%08x-1f6c-4c8e-9d3a-%012x', i.pk * 2654435761 % 4294967296, i.pk),
        begun_at + i.pk / 100.0, 'COMPLETED', begun_at + i.pk / 100.0 + i.pk % 7,
        begun_at + i.pk / 100.0 + i.pk % 7 + 30.25, i.pk % 20
    FROM items i, batches
    """,
    """
    UPDATE items SET status = 'succeeded', k = 1, follows = 1, attempts = 1, changed_at = begun_at + 40
    FROM batches
    """,
    "UPDATE counts SET status = 'succeeded'",
    "INSERT INTO steps_taken SELECT batches.pk, count(*), sum(steps) FROM batches, attempts",
    "UPDATE batches SET ended_at = begun_at + 20000, exit_code = 0",
)
READ = """
SELECT i.id AS item_id, b.name AS batch, i.row, i.url, i.status, r.raw AS result, i.inputs ->> 'isbn' AS isbn,
    a.run_id, a.run_status, i.attempts, a.steps, a.created_at AS submitted_at, a.started_at, a.finished_at
FROM items i JOIN batches b ON b.pk = i.batch JOIN attempts a ON a.item = i.pk AND a.k = i.follows
JOIN results r ON r.item = i.pk AND r.k = i.follows ORDER BY i.row
"""


def fill(path: Path, rows: int) -> None:
    """Make a journal with a finished batch of so many results."""
    with closing(SqliteJournal(path)) as journal:
        journal.reader.staged.load(specs(rows, GOAL, REQUEST), identity.FINGERPRINT_VERSION)
        journal.reader.staged.compare(None)
        new = NewBatch(
            name="books",
            period=None,
            number=1,
            base_url="https://agent.example",
            manifest={"format": 1, "name": "books", "rules": to_builtins(RULES)},
            manifest_path=str(path.with_name("books.yaml")),
            markers=True,
        )
        journal.begin(new, now=BEGAN, chance=b"abcd")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        for statement in ENDED:
            connection.execute(statement)
        results = ((row, _result(row)) for row in range(1, rows + 1))
        connection.executemany("INSERT INTO results VALUES (?, 1, ?, 0)", results)
        connection.execute("COMMIT")


def _result(row: int) -> bytes:
    result = {
        "title": f"The {row * 7919 % 999_983}th Book of Made-up Titles",
        "price": (row * 31 % 9_999) / 100,
        "pages": row % 900,
        "in_stock": row % 3 > 0,
        "published": f"{1800 + row % 220}-{1 + row % 12:02}-{1 + row % 28:02}",
    }
    return json.dumps(result).encode()


def stream(source: Path, target: Path) -> None:
    """Write the table with the command: checked, synced, renamed."""
    from batchfish.cli.main import main as batchfish

    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
        assert batchfish(["results", "-y", "--journal", str(source), "-o", str(target)]) == 0  # noqa: S101


def all_at_once(source: Path, target: Path) -> None:
    """Write the table as a careful script does: every row in memory, columns typed by the schema."""
    import polars as pl

    connection = sqlite3.connect(source)
    connection.row_factory = sqlite3.Row
    rows = []
    for found in connection.execute(READ):
        row = dict(found)
        row.update(json.loads(row["result"]))
        row["result"] = row["result"].decode()
        rows.append(row)
    frame = pl.DataFrame(rows, infer_schema_length=100).with_columns(
        pl.col("published").str.to_date(),
        pl.from_epoch((pl.col("submitted_at", "started_at", "finished_at") * 1000).cast(pl.Int64), "ms"),
        queue_s=pl.col("started_at") - pl.col("submitted_at"),
        run_s=pl.col("finished_at") - pl.col("started_at"),
    )
    match target.suffix:
        case ".parquet":
            frame.write_parquet(target)
        case ".csv":
            frame.write_csv(target)
        case _:
            frame.write_ndjson(target)


SIDES: dict[str, Callable[[Path, Path], None]] = {"streamed": stream, "all at once": all_at_once}


def measure(side: str, source: Path, target: Path) -> tuple[float, float, float]:
    """Run one side in a fresh process; return its seconds, its CPU seconds and its peak memory in MiB.

    CPU and memory are those of the process and of the one that it starts, together.
    """
    command = [
        sys.executable,
        "-m",
        "benchmarks.table",
        "--side",
        side,
        "--source",
        str(source),
        "--target",
        str(target),
    ]
    start = time.perf_counter()
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 - ourselves
    wall = time.perf_counter() - start
    cpu, kib = map(float, output.split())
    return wall, cpu, kib / 1024


def peak_kib() -> int:
    """Read this process's peak memory; unlike ru_maxrss it starts anew with the program."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def main() -> None:
    """Measure both sides in turn, and print medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--format", choices=("parquet", "csv", "jsonl"), default="parquet")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--source", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--target", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.side:
        SIDES[given.side](given.source, given.target)
        kib = peak_kib() + resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        sys.stdout.write(f"{sum(os.times()[:4])} {kib}")
        return
    with TemporaryDirectory() as folder:
        source, target = Path(folder, "results.db"), Path(folder, f"table.{given.format}")
        fill(source, given.rows)
        found: dict[str, list[tuple[float, float, float]]] = {side: [] for side in SIDES}
        for _ in range(given.rounds):
            for side, measured in found.items():
                measured.append(measure(side, source, target))
        sys.stdout.write(f"{given.rows:,} rows to {given.format}, medians of {given.rounds}\n")
        for side, measured in found.items():
            wall, cpu, mib = (statistics.median(values) for values in zip(*measured, strict=True))
            sys.stdout.write(f"{side:12} {wall:6.2f} s wall {cpu:6.2f} s CPU {mib:7.0f} MiB peak\n")


if __name__ == "__main__":
    main()
