"""The SQLite file of a journal: opening, creating, checking it, and bringing its schema up to date."""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from batchfish.errors import StorageFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

MIGRATIONS = ("schema.sql", "migration-2.sql", "migration-3.sql", "migration-4.sql")
"""One script for each schema version: those after the n-th bring a journal of version n up to date."""

OLDEST_READABLE = 1
"""Commands that only read take journals from this version on as they are: later versions only add tables."""

APPLICATION_ID = 0x62666A6C
"""The application id in the file's header: `bfjl`."""


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Open a journal's file; a read-only one may be used by any thread, and beside its owner.

    A journal of an earlier version is read as it is. StorageFailed if the file cannot be opened or is no
    journal.
    """
    try:
        connection = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode={'ro' if read_only else 'rw'}",
            uri=True,
            isolation_level=None,
            check_same_thread=not read_only,
            timeout=10.0,
        )
    except sqlite3.Error as error:
        raise StorageFailed(f"{path}: cannot open the journal: {error}") from error
    with _closed_on_error(connection, path):
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA mmap_size = 0")
        version = _version(connection, path)
        if read_only and version < OLDEST_READABLE:
            raise StorageFailed(
                f"{path}: its schema, version {version}, is too old to be read",
                remedy="`batchfish run` or `resume` brings it up to date.",
            )
    return connection


def connect_or_empty(path: Path) -> sqlite3.Connection:
    """Open a journal's file read-only; if there is none, an empty journal in memory."""
    if path.exists():
        return connect(path, read_only=True)
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection, path)
    return connection


def own(path: Path) -> sqlite3.Connection:
    """Open the one read-write connection of a journal's owner; create the file (mode 0600) if there is none.

    StorageFailed if it cannot be created, is damaged, is no journal, or has a newer schema.
    """
    if not path.exists():
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise StorageFailed(f"{path}: cannot make the journal: {error.strerror}") from error
    connection = connect(path)
    with _closed_on_error(connection, path):
        if (damage := find_damage(connection)) is not None:
            raise StorageFailed(
                f"{path}: the journal is damaged ({damage}); nothing was sent",
                remedy="Put a backup of the file in its place.",
            )
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise StorageFailed(
                f"{path}: this file system does not support a write-ahead log, which a journal needs",
                remedy="Use --journal FILE to keep it on a local disk.",
            )
        connection.execute("PRAGMA synchronous = FULL")
        migrate(connection, path)
    return connection


def find_damage(connection: sqlite3.Connection) -> str | None:
    """Return the first damage that SQLite finds in a journal's file, or None."""
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    return None if verdict == "ok" else verdict.splitlines()[-1]  # the lines before name the database


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Raise StorageFailed for an error of SQLite in the block."""
    try:
        yield
    except sqlite3.Error as error:
        raise StorageFailed(f"{path}: the journal cannot be read: {error}") from error


@contextmanager
def _closed_on_error(connection: sqlite3.Connection, path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        connection.close()
        raise StorageFailed(f"{path}: not a journal that can be used: {error}") from error
    except StorageFailed:
        connection.close()
        raise


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the schema to the newest version, each script in one transaction."""
    for version in range(_version(connection, path) + 1, len(MIGRATIONS) + 1):
        script = Path(__file__).parent / MIGRATIONS[version - 1]
        connection.executescript(
            f"BEGIN IMMEDIATE;\n{script.read_text(encoding='utf-8')}\n"
            f"PRAGMA application_id = {APPLICATION_ID};\nPRAGMA user_version = {version};\nCOMMIT;"
        )


def has_table(connection: sqlite3.Connection, name: str, journal: str = "main") -> bool:
    """Return whether a journal has a table; one of an earlier version lacks some.

    `journal` is its name on the connection.
    """
    query = f"SELECT count(*) FROM {journal}.sqlite_schema WHERE type = 'table' AND name = ?"
    return bool(connection.execute(query, (name,)).fetchone()[0])


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """Return a journal's schema version, 0 for an empty file; StorageFailed if newer or no journal."""
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if tables and application_id != APPLICATION_ID:
        raise StorageFailed(
            f"{path}: a database of another program, not a journal; it was left as it is",
            remedy="Name another file with --journal FILE.",
        )
    if version > len(MIGRATIONS):
        raise StorageFailed(
            f"{path}: written by a newer batchfish (schema {version})", remedy="Use that version."
        )
    return int(version)
