"""`batchfish`, with a journal that does not wait for the disk: what is left is the price of its writes.

    python batchfish_unsynced.py run FILE [options of batchfish run]

Nobody should use this to run a batch: after a power cut its journal may not know runs that were paid for.
"""

import sqlite3
import sys
from typing import Any

from batchfish.cli.main import main


class Unsynced(sqlite3.Connection):
    """A connection that never waits for the disk, whatever it is told."""

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:  # noqa: ANN401 - passed on
        """Execute a statement; `PRAGMA synchronous = …` becomes OFF."""
        if sql.startswith("PRAGMA synchronous"):
            sql = "PRAGMA synchronous = OFF"
        return super().execute(sql, *parameters)


def connect(*args: Any, **kwargs: Any) -> sqlite3.Connection:  # noqa: ANN401 - passed on
    """Connect as sqlite3.connect does."""
    connection: sqlite3.Connection = _connect(*args, **{**kwargs, "factory": Unsynced})
    return connection


_connect = sqlite3.connect
sqlite3.connect = connect  # type: ignore[assignment]

if __name__ == "__main__":
    sys.exit(main())
