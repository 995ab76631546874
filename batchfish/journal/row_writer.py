"""Writes the rows of a manifest to their temporary file, with what identifies each of them.

For many rows, this is the work of a process of its own, beside the one that reads and renders them:
`python -m batchfish.journal.row_writer FILE` reads chunks of rows from its standard input.
"""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from typing import IO, TYPE_CHECKING, NamedTuple, TypeAlias

import msgspec

from batchfish.core.identity import Fingerprints, default_id, item_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

REMEMBERED = 1000
"""Shapes with a number below it are known in all chunks to come, others in their chunk only."""

END = b"\0\0\0\0"
"""The bytes after the last chunk; without them, the sender was killed."""

# Nothing here outlives its process, so nothing is kept to undo a change, and nothing is synced. `line` is
# where a row stands in its file; `key` and `id` are as if no two rows were equal: the comparison numbers
# those that are. `item` is the item of a batch that the row was found to be.
_SETUP = """
PRAGMA page_size = 16384;
PRAGMA cache_size = -8192;
PRAGMA temp_store = FILE;
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
BEGIN;
CREATE TABLE incoming (
    row         INTEGER PRIMARY KEY,
    line        INTEGER,
    given_id    TEXT,
    id          TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    occurrence  INTEGER NOT NULL,
    key         TEXT NOT NULL,
    url         TEXT NOT NULL,
    goal        TEXT NOT NULL,
    shape       INTEGER NOT NULL,
    inputs      TEXT NOT NULL,
    item        INTEGER
) STRICT;
CREATE TABLE shapes (pk INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, body TEXT NOT NULL) STRICT;
CREATE TABLE repeated (fingerprint BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;
"""
_INSERT = "INSERT INTO incoming VALUES (?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?, NULL)"
_FIND_REPEATED = """
INSERT INTO repeated SELECT fingerprint FROM incoming GROUP BY fingerprint HAVING count(*) > 1
"""


class Shape(NamedTuple):
    """Request fields that rows share, as JSON and its digest, and the fingerprints of items with them."""

    number: int
    digest: bytes
    body: str
    fingerprints: Fingerprints


RawRow: TypeAlias = tuple[int, int | None, str | None, str, str, int, str]
"""Row, line, id, URL, goal, number of the shape, and the variables as JSON."""


class Chunk(NamedTuple):
    """Some rows, and those of their shapes that are new."""

    shapes: list[Shape]
    rows: list[RawRow]


class RowWriter:
    """Writes rows to a file. Its methods raise sqlite3.Error where it is full or cannot be written."""

    def __init__(self, path: Path | str) -> None:
        """Set up the empty file at `path`."""
        self._shapes: dict[int, tuple[int, Fingerprints]] = {}
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.executescript(_SETUP)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def write(self, chunk: Chunk) -> None:
        """Write some rows."""
        for shape in chunk.shapes:
            self._add(shape)
        self._connection.executemany(_INSERT, self._columns(chunk.rows))
        for shape in chunk.shapes:
            if shape.number >= REMEMBERED:
                del self._shapes[shape.number]

    def finish(self) -> None:
        """Find the rows that ask for the same, and commit all."""
        self._connection.execute(_FIND_REPEATED)
        self._connection.execute("COMMIT")

    def _columns(self, rows: Sequence[RawRow]) -> Iterator[tuple[object, ...]]:
        shapes = self._shapes
        for row, line, given_id, url, goal, number, inputs in rows:
            shape, fingerprints = shapes[number]
            fingerprint = fingerprints.of(url, goal)
            label = default_id(fingerprint) if given_id is None else given_id
            yield row, line, given_id, label, fingerprint, item_key(fingerprint, 1), url, goal, shape, inputs

    def _add(self, shape: Shape) -> None:
        execute = self._connection.execute
        execute("INSERT OR IGNORE INTO shapes (digest, body) VALUES (?, ?)", (shape.digest, shape.body))
        ((pk,),) = execute("SELECT pk FROM shapes WHERE digest = ?", (shape.digest,))
        self._shapes[shape.number] = pk, shape.fingerprints


def send(chunk: Chunk, stream: IO[bytes]) -> None:
    """Write a chunk to the standard input of the process that `main` runs in."""
    text = msgspec.msgpack.encode(chunk)
    stream.write(len(text).to_bytes(len(END), "big"))
    stream.write(text)


def _receive(stream: IO[bytes]) -> Iterator[Chunk]:
    """Yield the chunks that were sent; EOFError if the end is missing."""
    decode = msgspec.msgpack.Decoder(Chunk).decode
    while (head := stream.read(len(END))) != END:
        size = int.from_bytes(head, "big")
        text = stream.read(size)
        if len(text) < size or not text:
            raise EOFError
        yield decode(text)


def main() -> None:
    """Write the rows that are sent to standard input to the file that is named; print an error of SQLite."""
    try:
        with closing(RowWriter(sys.argv[1])) as writer:
            for chunk in _receive(sys.stdin.buffer):
                writer.write(chunk)
            writer.finish()
    except EOFError:
        sys.exit(1)
    except sqlite3.Error as error:
        sys.stdout.write(str(error))
        sys.exit(1)


if __name__ == "__main__":
    main()
