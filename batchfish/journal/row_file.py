"""The rows of a manifest in a temporary file: written in one pass, before the journal is opened."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import secrets
import sqlite3
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import msgspec
from msgspec import Struct

from batchfish.core.identity import FINGERPRINT_VERSION, Fingerprints, default_id, item_key
from batchfish.core.items import Repetition
from batchfish.errors import StorageFailed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from batchfish.core.items import ItemSpec

_NAME = re.compile(r"batchfish-rows-[0-9a-f]{16}\.db")

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
_FIND_REPEATED = """
INSERT INTO repeated SELECT fingerprint FROM incoming GROUP BY fingerprint HAVING count(*) > 1
"""
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
_REMEMBERED = 1000

# Without an order of its own: that of a schema's properties is the result's, and that of the columns.
_JSON = msgspec.json.Encoder()


class _Shape(Struct, frozen=True, kw_only=True):
    """Request fields that rows share: their key in the file, and the fingerprints of items with them."""

    request: Mapping[str, Any]
    pk: int
    fingerprints: Fingerprints


class RowFile:
    """A manifest's rows in a temporary file of mode 0600; `version` is that of their fingerprints.

    `close` removes the file. If this process is killed, the next one that makes such a file does.
    """

    def __init__(self, version: int = FINGERPRINT_VERSION) -> None:
        """Create the file; StorageFailed if it cannot be written."""
        self.version = version
        self._shapes: dict[int, _Shape] = {}
        self._lock: int | None
        with _storage_errors():
            self.path, self._lock = _make_file()
        try:
            with _storage_errors():
                self._connection = sqlite3.connect(self.path, isolation_level=None)
                self._connection.executescript(_SETUP)
        except BaseException:
            self._remove()
            raise

    def __enter__(self) -> Self:
        """Return the file, which is closed with the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the file."""
        self.close()

    def close(self) -> None:
        """Remove the file; who has opened it can go on reading."""
        self._connection.close()
        self._remove()

    def load(self, specs: Iterable[ItemSpec]) -> int:
        """Stream the rows into the file, once; return their number.

        StorageFailed if there is no room for them. ValueError if fingerprints of this version are not known.
        """
        with _storage_errors():
            cursor = self._connection.executemany(
                "INSERT INTO incoming VALUES (?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?, NULL)",
                self._prepare(specs),
            )
            self._connection.execute(_FIND_REPEATED)
            self._connection.execute("COMMIT")
        return cursor.rowcount

    def repeated(self) -> Iterator[Repetition]:
        """Yield the rows with the id of an earlier one; then those without an id that ask for the same."""
        ids = _LATER.format(again=_REPEATED_IDS, column="given_id", is_nameless=0)
        requests = _LATER.format(again=_REPEATED_NAMELESS, column="fingerprint", is_nameless=1)
        with _storage_errors():
            for query in (ids, requests):
                yield from map(Repetition._make, self._connection.execute(query))

    def _prepare(self, specs: Iterable[ItemSpec]) -> Iterator[tuple[Any, ...]]:
        """Yield the columns of each row, as if no two were equal."""
        request, pk, fingerprint_of = None, 0, Fingerprints({}, self.version).of
        encode = _JSON.encode
        for spec in specs:
            if spec.request is not request:  # rows without fields of their own share the very same one
                request = spec.request
                shape = self._shapes.get(id(request)) or self._keep_shape(request)
                pk, fingerprint_of = shape.pk, shape.fingerprints.of
            fingerprint = fingerprint_of(spec.url, spec.goal)
            given_id = spec.id
            yield (
                spec.row,
                spec.line,
                given_id,
                default_id(fingerprint) if given_id is None else given_id,
                fingerprint,
                item_key(fingerprint, 1),
                spec.url,
                spec.goal,
                pk,
                encode(spec.inputs).decode(),
            )

    def _keep_shape(self, request: Mapping[str, Any]) -> _Shape:
        """Store request fields, each different ones once."""
        body = _JSON.encode(dict(request))
        digest = hashlib.sha256(body).digest()
        self._connection.execute(
            "INSERT OR IGNORE INTO shapes (digest, body) VALUES (?, ?)", (digest, body.decode())
        )
        ((pk,),) = self._connection.execute("SELECT pk FROM shapes WHERE digest = ?", (digest,))
        shape = _Shape(request=request, pk=pk, fingerprints=Fingerprints(request, self.version))
        if len(self._shapes) < _REMEMBERED:  # it holds the request, so that no other one gets its id
            self._shapes[id(request)] = shape
        return shape

    def _remove(self) -> None:
        if self._lock is not None:
            self.path.unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None


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
