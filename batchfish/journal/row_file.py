"""The rows of a manifest in a temporary file: written in one pass, before the journal is opened."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import secrets
import sqlite3
from contextlib import closing, contextmanager, suppress
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Self

import msgspec

from batchfish.core.identity import FINGERPRINT_VERSION, Fingerprints
from batchfish.core.items import Repetition
from batchfish.errors import StorageFailed
from batchfish.journal import row_writer, second_process
from batchfish.journal.row_writer import REMEMBERED, Chunk, RowWriter, Shape

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from batchfish.core.items import ItemSpec

_NAME = re.compile(r"batchfish-rows-[0-9a-f]{16}\.db")
_CHUNK_ROWS = 1_000
_CHUNK_SIZE = 2**20
_ALONE = 20
"""Chunks; with more, a second process that writes them saves more time than it takes to start."""

_REPEATED_IDS = """
SELECT given_id, min(row) FROM incoming WHERE given_id IS NOT NULL GROUP BY given_id HAVING count(*) > 1
"""
_REPEATED_NAMELESS = """
SELECT fingerprint, min(row) FROM incoming WHERE given_id IS NULL AND fingerprint IN repeated
GROUP BY fingerprint HAVING count(*) > 1
"""
_LATER = """
WITH again (value, first) AS MATERIALIZED ({again})
SELECT n.given_id, n.row, n.line, f.row, f.line
FROM again JOIN incoming n ON n.{column} = again.value JOIN incoming f ON f.row = again.first
WHERE n.row > again.first AND (n.given_id IS NULL) = {is_nameless} ORDER BY n.row
"""
# Without an order of its own: that of a schema's properties is the result's, and that of the columns.
_JSON = msgspec.json.Encoder()


class RowFile:
    """A manifest's rows in a temporary file of mode 0600; `version` is that of their fingerprints.

    `close` removes the file. If this process is killed, the next one that makes such a file does.
    """

    def __init__(self, version: int = FINGERPRINT_VERSION) -> None:
        """Create the file; StorageFailed if it cannot be written."""
        self.version = version
        self._lock: int | None
        with _storage_errors():
            self.path, self._lock = _make_file()

    def __enter__(self) -> Self:
        """Return the file, which is closed with the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the file."""
        self.close()

    def close(self) -> None:
        """Remove the file; who has opened it can go on reading."""
        if self._lock is not None:
            self.path.unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None

    def load(self, specs: Iterable[ItemSpec]) -> int:
        """Stream the rows into the file, once; return their number.

        StorageFailed if there is no room for them. ValueError if fingerprints of this version are not known.
        """
        chunks = _Chunks(self.version).of(specs)
        first = list(islice(chunks, _ALONE))
        is_alone = len(first) < _ALONE or not second_process.has_core()
        with _storage_errors():
            writer = RowWriter(self.path) if is_alone else _WriterProcess(self.path)
        number = 0
        with closing(writer):
            for chunk in chain(first, chunks):
                with _storage_errors():
                    writer.write(chunk)
                number += len(chunk.rows)
            with _storage_errors():
                writer.finish()
        return number

    def repeated(self) -> Iterator[Repetition]:
        """Yield the rows with the id of an earlier one; then those without an id that ask for the same."""
        ids = _LATER.format(again=_REPEATED_IDS, column="given_id", is_nameless=0)
        requests = _LATER.format(again=_REPEATED_NAMELESS, column="fingerprint", is_nameless=1)
        with _storage_errors(), closing(sqlite3.connect(self.path)) as connection:
            for query in (ids, requests):
                yield from map(Repetition._make, connection.execute(query))


class _Chunks:
    """Makes chunks of rows, which have the request fields that they share apart from them."""

    def __init__(self, version: int) -> None:
        """Make chunks for fingerprints of this version; ValueError if it is not known."""
        self._version = version
        self._known: dict[int, tuple[int, Mapping[str, Any]]] = {}
        Fingerprints.with_request({}, version)

    def of(self, specs: Iterable[ItemSpec]) -> Iterator[Chunk]:
        """Yield the rows in chunks."""
        encode = _JSON.encode
        chunk, size = Chunk([], []), 0
        request, shape = None, 0
        for spec in specs:
            if spec.request is not request:  # rows without fields of their own share the very same one
                request, known = spec.request, len(chunk.shapes)
                shape = self._number_of(request, chunk)
                size += sum(len(new.body) for new in chunk.shapes[known:])
            inputs = encode(spec.inputs).decode()
            chunk.rows.append((spec.row, spec.line, spec.id, spec.url, spec.goal, shape, inputs))
            size += len(spec.url) + len(spec.goal) + len(inputs)
            if len(chunk.rows) == _CHUNK_ROWS or size >= _CHUNK_SIZE:
                yield chunk
                chunk, size, request = Chunk([], []), 0, None
        if chunk.rows:
            yield chunk

    def _number_of(self, request: Mapping[str, Any], chunk: Chunk) -> int:
        """Return the number of request fields, and add them to a chunk if they are new."""
        if (found := self._known.get(id(request))) is not None:
            return found[0]
        if len(self._known) < REMEMBERED:
            number = len(self._known)
            self._known[id(request)] = number, request  # kept, so that no other one gets its id
        else:
            number = REMEMBERED + len(chunk.shapes)
        body = _JSON.encode(dict(request))
        fingerprints = Fingerprints.with_request(request, self._version)
        chunk.shapes.append(Shape(number, hashlib.sha256(body).digest(), body.decode(), fingerprints))
        return number


class _WriterProcess:
    """A RowWriter in a process of its own, which ends with this one, however that ends."""

    def __init__(self, path: Path) -> None:
        """Start the process; OSError if it cannot be started."""
        self._process = second_process.start(row_writer.__name__, str(path))
        assert self._process.stdin is not None  # noqa: S101 - both are pipes
        assert self._process.stdout is not None  # noqa: S101
        self._input, self._output = self._process.stdin, self._process.stdout

    def write(self, chunk: Chunk) -> None:
        """Write some rows, or wait until the process has room for them."""
        try:
            row_writer.send(chunk, self._input)
        except BrokenPipeError:
            self._fail()

    def finish(self) -> None:
        """Wait until all is committed."""
        try:
            self._input.write(row_writer.END)
            self._input.close()
        except BrokenPipeError:
            self._fail()
        if self._process.wait():
            self._fail()

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        self._output.close()
        with suppress(BrokenPipeError):
            self._input.close()

    def _fail(self) -> NoReturn:
        """Raise the error that the process has printed."""
        told = self._output.read().decode(errors="replace")
        raise sqlite3.OperationalError(told or "the process that writes them was ended")


@contextmanager
def _storage_errors() -> Iterator[None]:
    """Raise StorageFailed for an error of SQLite or the file system in the block."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise StorageFailed(
            f"the rows of a manifest cannot be written to a temporary file: {error}",
            remedy="Make room in the temporary folder, or name another in TMPDIR.",
        ) from error


def _make_file() -> tuple[Path, int]:
    """Create a file and lock it, which shows that its process is alive; remove those without a lock."""
    folder = _temporary_folder()
    _remove_leftovers(folder)
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    while True:
        path = folder / f"batchfish-rows-{secrets.token_hex(8)}.db"
        descriptor = os.open(path, flags, 0o600)
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(descriptor).st_nlink:
                return path, descriptor
        os.close(descriptor)  # another process removed it between its creation and its lock


def _temporary_folder() -> Path:
    """Return the folder that SQLite would choose: /tmp is often in memory, and the rows need much room."""
    named = (os.environ.get(name) for name in ("SQLITE_TMPDIR", "TMPDIR"))
    for folder in filter(None, (*named, "/var/tmp", "/tmp")):  # noqa: S108 - the file's name is random
        if os.access(folder, os.W_OK | os.X_OK):
            return Path(folder)
    raise OSError("no temporary folder can be written to")


def _remove_leftovers(folder: Path) -> None:
    """Remove the files of processes that were killed; those of others, and of other users, stay."""
    for path in folder.iterdir():
        if _NAME.fullmatch(path.name) is None:
            continue
        with suppress(OSError):
            descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
            finally:
                os.close(descriptor)
