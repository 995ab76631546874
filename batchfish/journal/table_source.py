"""The outcomes of a batch for its table: of a large one, a second process reads them.

Reading a million outcomes from SQLite takes one core as long as making the table of them takes another. The
second process (`python -m batchfish.journal.table_source JOURNAL BATCH FAILED`) writes to its standard output
a byte once it reads, then the sizes of the rows, and the outcomes in chunks.
"""

from __future__ import annotations

import os
import sys
from array import array
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

import msgspec
from msgspec import Struct

from batchfish.errors import StorageFailed
from batchfish.journal import outcomes, second_process
from batchfish.journal.files import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from batchfish.core.outcomes import Outcomes
    from batchfish.journal.queries import JournalReader

ALONE = 50_000
"""Up to so many outcomes, a second process takes longer to start than it saves."""

READS = b"."
_HEAD = 4
"""Bytes before each chunk, which are its length; no chunk is empty, so that 0 is the end."""


class TableSource(Struct, frozen=True, kw_only=True):
    """The outcomes of a batch in chunks, and the bytes of the texts of each; both can be read once."""

    sizes: Iterable[int]
    outcomes: Callable[[], Iterator[Outcomes]]


@contextmanager
def table_source(reader: JournalReader, batch: int, *, failed_only: bool = False) -> Iterator[TableSource]:
    """Read the outcomes of a batch in the order of its manifest; the reader shows the same moment meanwhile.

    `failed_only` selects the items that failed, were cancelled or are held. StorageFailed if the second
    process ends early.
    """
    other = None
    version = reader.data_version()
    if sum(reader.counts(batch).values()) > ALONE and second_process.has_core():
        with suppress(OSError):  # no process can be started, and none is needed
            other = _OtherProcess(reader.path, batch, failed_only=failed_only)
    try:
        if other is not None:
            other.wait()
        with reader.snapshot():
            # Nothing was committed since before the other process began to read, so both see the same.
            if other is not None and reader.data_version() == version:
                yield TableSource(sizes=other.sizes(), outcomes=other.outcomes)
            else:
                sizes = reader.results.row_sizes(batch, failed_only=failed_only)
                yield TableSource(
                    sizes=sizes,
                    outcomes=lambda: reader.results.outcomes(batch, sizes, failed_only=failed_only),
                )
    finally:
        if other is not None:
            other.close()


class _OtherProcess:
    """A process that reads a batch."""

    def __init__(self, path: Path, batch: int, *, failed_only: bool) -> None:
        """Start the process; OSError if it cannot be started."""
        self._path = path
        arguments = (str(path.resolve()), str(batch), str(int(failed_only)))
        self._process = second_process.start(__name__, *arguments)
        assert self._process.stdin is not None  # noqa: S101 - both are pipes
        assert self._process.stdout is not None  # noqa: S101
        self._process.stdin.close()
        self._stream: IO[bytes] = self._process.stdout
        self._sizes: array[int] | None = None

    def wait(self) -> None:
        """Wait until the process shows a moment of the journal."""
        self._read(len(READS))

    def sizes(self) -> Iterator[int]:
        """Yield the size of each row."""
        yield from self._read_sizes()

    def outcomes(self) -> Iterator[Outcomes]:
        """Yield the outcomes in chunks, none of which is kept."""
        self._read_sizes()
        decode = msgspec.msgpack.Decoder(outcomes.Chunk).decode
        return map(outcomes.outcomes_from, map(decode, iter(self._chunk, b"")))

    def _read_sizes(self) -> array[int]:
        """Return the sizes, which come before the outcomes."""
        if self._sizes is None:
            self._sizes = array("q", self._chunk())
        return self._sizes

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        self._stream.close()

    def _chunk(self) -> bytes:
        return self._read(int.from_bytes(self._read(_HEAD), "big"))

    def _read(self, size: int) -> bytes:
        text = self._stream.read(size)
        if len(text) < size:
            raise StorageFailed(f"{self._path}: the process that reads it has ended early")
        return text


def main() -> None:
    """Write what the other process asks for to standard output."""
    path, batch, failed_only = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "1"

    def put(text: bytes) -> None:
        out.write(len(text).to_bytes(_HEAD, "big"))
        out.write(text)
        out.flush()

    # With PYTHONUNBUFFERED, `sys.stdout.buffer` is no buffer: a signal during `write` cuts off the rest.
    with (
        suppress(BrokenPipeError),
        os.fdopen(sys.stdout.fileno(), "wb", closefd=False) as out,
        closing(connect(path, read_only=True)) as connection,
    ):
        connection.execute("BEGIN DEFERRED")
        connection.execute("SELECT count(*) FROM batches").fetchall()  # the moment that all reads will show
        out.write(READS)
        out.flush()
        sizes = outcomes.read_sizes(connection, batch, failed_only=failed_only)
        put(sizes.tobytes())
        encode = msgspec.msgpack.Encoder().encode
        for chunk in outcomes.read_chunks(connection, batch, sizes, failed_only=failed_only):
            put(encode(chunk))
        put(b"")


if __name__ == "__main__":
    main()
