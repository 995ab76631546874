"""One million results become Parquet: streamed by batchfish, and all at once as a script would do it.

Each side runs in a process of its own, in turn, over the same SQLite file of made-up results:

    python benchmarks/table.py [--rows 1000000] [--rounds 3] [--format parquet]
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from batchfish.core.outcomes import Outcome
from batchfish.core.results import decode_result
from batchfish.core.rules import OutputRules
from batchfish.table.columns import plan_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

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
FIELDS = (
    "item_id, batch, row, url, status, result, isbn, run_id, run_status, attempts, steps, submitted_at, "
    "started_at, finished_at"
)
CHUNK = 1_000


def fill(path: Path, rows: int) -> None:
    """Make the results, as a journal would hold them."""
    connection = sqlite3.connect(path)
    connection.execute(f"CREATE TABLE items ({FIELDS})")
    marks = ", ".join("?" * len(FIELDS.split(",")))
    connection.executemany(f"INSERT INTO items VALUES ({marks})", map(_made_up, range(rows)))  # noqa: S608 - our own names
    connection.commit()
    connection.close()


def _made_up(n: int) -> tuple[object, ...]:
    result = {
        "title": f"The {n * 7919 % 999_983}th Book of Made-up Titles",
        "price": (n * 31 % 9_999) / 100,
        "pages": n % 900,
        "in_stock": n % 3 > 0,
        "published": f"{1800 + n % 220}-{1 + n % 12:02}-{1 + n % 28:02}",
    }
    start = 1_760_000_000 + n / 100
    return (
        f"b{n}",
        "book-prices@2026-11-24",
        n + 1,
        f"https://books.example/{n}",
        "succeeded",
        json.dumps(result).encode(),
        f"978{n:010}",
        f"run_{n * 2_654_435_761 % 2**32:08x}{n:08x}",
        "COMPLETED",
        1,
        n % 20,
        start,
        start + n % 7,
        start + n % 7 + 30.25,
    )


def chunks_of(path: Path) -> Callable[[], Iterator[Sequence[Outcome]]]:
    """Read the results in chunks, on whatever thread asks."""

    def chunks() -> Iterator[Sequence[Outcome]]:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, check_same_thread=False)
        cursor = connection.execute(f"SELECT {FIELDS} FROM items ORDER BY row")  # noqa: S608 - our own names
        while found := cursor.fetchmany(CHUNK):
            yield [
                Outcome(
                    item_id=item_id,
                    batch=batch,
                    row=row,
                    url=url,
                    status=status,
                    result=decode_result(result),
                    inputs={"isbn": isbn},
                    run_id=run_id,
                    run_status=run_status,
                    attempts=attempts,
                    steps=steps,
                    submitted_at=submitted_at,
                    started_at=started_at,
                    finished_at=finished_at,
                )
                for (
                    item_id,
                    batch,
                    row,
                    url,
                    status,
                    result,
                    isbn,
                    run_id,
                    run_status,
                    attempts,
                    steps,
                    submitted_at,
                    started_at,
                    finished_at,
                ) in found
            ]
        connection.close()

    return chunks


def stream(source: Path, target: Path) -> None:
    """Write the table as batchfish does: checked, synced, renamed."""
    from batchfish.table.write import write_table

    plan = plan_columns([SCHEMA], ["isbn"], OutputRules())
    write_table(target, plan, chunks_of(source), may_replace=True)


def all_at_once(source: Path, target: Path) -> None:
    """Write the table as a careful script does: every row in memory, columns typed by the schema."""
    import polars as pl

    connection = sqlite3.connect(source)
    connection.row_factory = sqlite3.Row
    rows = []
    for found in connection.execute(f"SELECT {FIELDS} FROM items ORDER BY row"):  # noqa: S608 - our own names
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
    """Run one side in a fresh process; return its seconds, its CPU seconds and its peak memory in MiB."""
    command = [sys.executable, __file__, "--side", side, "--source", str(source), "--target", str(target)]
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
        sys.stdout.write(f"{time.process_time()} {peak_kib()}")
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
