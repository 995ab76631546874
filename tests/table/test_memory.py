"""The memory that writing a table needs, for many results and for large ones."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from batchfish.core.items import ItemSpec
from batchfish.journal.outcomes import CHUNK_BYTES
from batchfish.journal.records import NewBatch
from batchfish.journal.sqlite import SqliteJournal
from tests.journal.building import connection_of
from tests.outcomes import one_by_one

MEBI = 2**20
WRITE = """
import resource, sys
from pathlib import Path
import polars
from batchfish.core.rules import OutputRules
from batchfish.journal.queries import open_reader
from batchfish.table.columns import plan_columns
from batchfish.table.write import write_table
from tests.journal.building import commit, connection_of
_, journal, target, batch = sys.argv
with open_reader(Path(journal)) as reader:
    base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    batch, plan = int(batch), plan_columns([], [], OutputRules())
    sizes = reader.results.row_sizes(batch)
    write_table(Path(target), plan, lambda: reader.results.outcomes(batch, sizes), sizes=sizes)
print(base * 1024, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def fill(path: Path, sizes: list[int]) -> int:
    """Make a journal whose items have succeeded with results of these sizes; return its batch."""
    specs = [
        ItemSpec(row=row, line=None, id=None, url=f"https://shop.example/{row}", goal="Read the price")
        for row in range(1, len(sizes) + 1)
    ]
    with closing(SqliteJournal(path)) as journal:
        connection = connection_of(journal)
        journal.reader.staged.load(specs, version=1)
        journal.reader.staged.compare(None)
        new = NewBatch(
            name="b",
            period=None,
            number=1,
            base_url="local:",
            manifest={},
            manifest_path="b.yaml",
            markers=True,
        )
        batch = journal.begin(new, now=1.0, chance=b"four")
        connection.execute("BEGIN")
        connection.execute("UPDATE items SET status = 'succeeded', k = 1, follows = 1")
        connection.execute(
            "INSERT INTO attempts"
            " (item, k, marker, state, key_id, body_sha256, intended_at, intended_boot, boot_id)"
            " SELECT pk, 1, '', 'ended', '', '', 1, 1, '' FROM items"
        )
        for pk, size in enumerate(sizes, 1):
            raw = b'{"text": "' + b"0123456789abcdef" * (size // 16) + b'"}'
            connection.execute("INSERT INTO results VALUES (?, 1, ?, 0)", (pk, raw))
        connection.execute("COMMIT")
    return batch


def peaks(folder: Path, suffix: str, sizes: list[int]) -> tuple[int, int]:
    """Return the peak memory of a process before and after it writes a table of results of these sizes."""
    journal = folder / "journal.db"
    batch = fill(journal, sizes)
    command = [sys.executable, "-c", WRITE, str(journal), str(folder / f"out{suffix}"), str(batch)]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=root)
    assert done.returncode == 0, done.stderr
    base, peak = map(int, done.stdout.split())
    return base, peak


def test_chunks_are_bounded_by_the_bytes_of_results(tmp_path: Path) -> None:
    sizes = [*[16] * 5_000, *[MEBI] * 12, 5 * CHUNK_BYTES, *[16] * 3]
    batch = fill(tmp_path / "journal.db", sizes)
    with closing(SqliteJournal(tmp_path / "journal.db")) as journal:
        found = journal.reader.results.row_sizes(batch)
        chunks = [
            [len(outcome.result.text) if outcome.result else 0 for outcome in one_by_one(chunk)]
            for chunk in journal.reader.results.outcomes(batch, found)
        ]
        variables = len("{}")
        assert [size + variables for chunk in chunks for size in chunk] == list(found)
    assert [size // 16 * 16 for chunk in chunks for size in chunk] == sizes
    assert max(sum(chunk[:-1]) for chunk in chunks) < CHUNK_BYTES
    assert len(chunks) < 12


@pytest.mark.process
@pytest.mark.parametrize(
    "suffix", [".parquet", *(pytest.param(name, marks=pytest.mark.slow) for name in (".csv", ".jsonl"))]
)
def test_results_of_2_mb_need_memory_for_a_few_of_them(tmp_path: Path, suffix: str) -> None:
    """They are 160 MB. The first rows are small, and tell nothing about the others."""
    base, peak = peaks(tmp_path, suffix, [*[16] * 50, *[2 * MEBI] * 80])
    assert peak - base < 200 * MEBI


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
def test_results_of_20_mb_need_memory_for_a_few_of_them(tmp_path: Path, suffix: str) -> None:
    """They are 800 MB. A cell of 20 MB is copied several times on its way."""
    _, peak = peaks(tmp_path, suffix, [20 * MEBI] * 40)
    assert peak <= 300 * MEBI
