"""The values that a journal holds, their columns in its tables, and the conversion of one to the other."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from batchfish.core.items import Attempt, AttemptState, Item, Status
from batchfish.journal import files

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping, Sequence

    from batchfish.core.identity import Markers

CHUNK_ROWS, CHUNK_BYTES = 2000, 4 * 2**20


class Batch(Struct, frozen=True, kw_only=True):
    """One manifest in one period, as its journal holds it.

    `name` is the full name, `manifest` the resolved manifest without its rows, `batch8` what the batch's
    markers begin with. Times are epoch seconds; `ended_at` and `exit_code` are None until the batch is
    finished.
    """

    pk: int
    name: str
    period: str | None
    number: int
    batch8: str
    base_url: str
    manifest: Mapping[str, Any]
    manifest_path: str
    markers: Markers
    begun_at: float
    ended_at: float | None = None
    exit_code: int | None = None


class NewBatch(Struct, frozen=True, kw_only=True):
    """A batch that is to begin. `name` is its short name, `markers` says whether its goals carry markers."""

    name: str
    period: str | None
    number: int
    base_url: str
    manifest: Mapping[str, Any]
    manifest_path: str
    markers: bool


class Request(Struct, frozen=True, kw_only=True):
    """The request of an item: URL, rendered goal without marker, further fields, and its row's variables."""

    url: str
    goal: str
    fields: Mapping[str, Any]
    inputs: Mapping[str, str]


class Row(Struct, frozen=True):
    """The id, URL and variables of an item or a staged row: what options such as `--where` select by.

    `key` is the item's key or the row's number, `inputs` are the row's variables as JSON.
    """

    key: int
    id: str
    url: str
    inputs: str


class Comparison(Struct, frozen=True, kw_only=True):
    """A complete comparison of a batch's runs with the API's listing of them.

    It covered the runs created before `until` (epoch seconds of the server's clock). `unlisted` is how many
    more of those the journal knew than the API listed.
    """

    until: float
    unlisted: int


class MoneyEvent(Struct, frozen=True):
    """Something that cost, or may have cost, more than it should; `at` is epoch seconds."""

    at: float
    message: str


class ItemMoneyEvent(Struct, frozen=True):
    """A money event with the id of its item; `at` is epoch seconds."""

    at: float
    item: str
    message: str


class SettingChange(Struct, frozen=True):
    """A setting that a person changed after the batch began.

    `name` is concurrency, halt, budget or paused; a `value` (of JSON's types) of None is the manifest's.
    """

    name: str
    value: Any
    at: float


class KnownAttempt(Struct, frozen=True):
    """An attempt as an audit needs it: its item's id and key; `created_at` is epoch seconds."""

    item: str
    key: str
    marker: str
    state: AttemptState
    run_id: str | None
    created_at: float | None


class HeldAttempt(Struct, frozen=True):
    """An attempt that waits for a person, and its item, which may have ended by another attempt.

    `batch` and `item` are keys in the journal, `key` is the item's key in markers. `reason` is `unanswered`
    (whether a run was made is not known), `lost_remote` (the API no longer knows the run) or `other_marker`
    (it shows the run with another attempt's marker; `lost_remote` once the item does not follow the attempt).
    """

    batch: int
    item: int
    key: str
    id: str
    k: int
    status: Status
    reason: str
    message: str | None
    run_id: str | None
    url: str


class LatestFailure(Struct, frozen=True):
    """An item that failed lately; `ended_at` is epoch seconds."""

    item_id: str
    reason: str | None
    message: str | None
    ended_at: float


class EndedRun(Struct, frozen=True):
    """A run that has ended, as a job log shows it; `sent_at` is when its create was sent or accepted."""

    row: int
    item_id: str
    url: str
    run_id: str
    status: str | None
    sent_at: float
    started_at: float | None
    finished_at: float | None
    succeeded: bool
    result_bytes: int


class OpenAttempt(Struct, frozen=True, kw_only=True):
    """An open attempt with its item, and the batch8 of its batch, which its marker begins with."""

    item: Item
    attempt: Attempt
    batch8: str

    @property
    def is_surplus(self) -> bool:
        """Whether its item follows another attempt."""
        return self.attempt.k != self.item.follows

    @property
    def is_unwanted(self) -> bool:
        """Whether its run is known, and is to be cancelled."""
        is_running = self.attempt.state is AttemptState.RUNNING and self.attempt.run_id is not None
        return is_running and (self.is_surplus or self.item.status is Status.CANCELLING)


_ITEM_FIELDS = Item.__struct_fields__
_ATTEMPT_FIELDS = Attempt.__struct_fields__
_FLAGS = frozenset({"wanted", "cancel_wish", "retry_wish"})


def _any_of(column: str, values: Iterable[str]) -> str:
    return "(" + " OR ".join(f"{column} = '{value}'" for value in values) + ")"


# Spelled as in the partial indexes, which SQLite then uses.
IS_OPEN = _any_of("a.state", (state for state in AttemptState if state.is_open))
HAS_ENDED = _any_of("i.status", (status for status in Status if status.is_final))

ITEM = ", ".join(f"i.{name}" for name in _ITEM_FIELDS)
ATTEMPT = ", ".join(f"a.{name}" for name in _ATTEMPT_FIELDS)
REQUEST = "i.url, i.goal, r.body, i.inputs"
BATCH = ", ".join(Batch.__struct_fields__)


def item_from(row: Sequence[Any]) -> Item:
    """Return the item in the columns ITEM."""
    values = dict(zip(_ITEM_FIELDS, row, strict=False))
    values["status"] = Status(values["status"])
    for flag in _FLAGS:
        values[flag] = bool(values[flag])
    return Item(**values)


def attempt_from(row: Sequence[Any]) -> Attempt:
    """Return the attempt in the columns ATTEMPT."""
    values = dict(zip(_ATTEMPT_FIELDS, row, strict=False))
    values["state"] = AttemptState(values["state"])
    return Attempt(**values)


def open_attempt_from(row: Sequence[Any]) -> OpenAttempt:
    """Return the open attempt in the columns ITEM, ATTEMPT and batch8."""
    width = len(_ITEM_FIELDS)
    return OpenAttempt(item=item_from(row[:width]), attempt=attempt_from(row[width:-1]), batch8=row[-1])


def request_from(row: Sequence[Any]) -> Request:
    """Return the request in the columns REQUEST."""
    url, goal, body, inputs = row
    return Request(url=url, goal=goal, fields=_fields_in(body), inputs=json.loads(inputs))


@lru_cache(maxsize=8)  # most items of a batch share them
def _fields_in(body: str) -> Mapping[str, Any]:
    fields: Mapping[str, Any] = json.loads(body)
    return fields


def batch_from(row: Sequence[Any]) -> Batch:
    """Return the batch in the columns BATCH."""
    values = dict(zip(Batch.__struct_fields__, row, strict=True))
    values["manifest"] = json.loads(values["manifest"])
    return Batch(**values)


def has_reuse(connection: sqlite3.Connection, journal: str = "main") -> bool:
    """Return whether any item of a journal has reused a result; `journal` is its name on the connection."""
    return has_rows(connection, "reused_results", journal)


def has_rows(connection: sqlite3.Connection, table: str, journal: str = "main") -> bool:
    """Return whether a table has rows; a journal of an earlier version may lack it.

    `journal` is the journal's name on the connection.
    """
    if not files.has_table(connection, table, journal):
        return False
    return bool(connection.execute(f"SELECT EXISTS (SELECT 1 FROM {journal}.{table})").fetchone()[0])


def result_owner(connection: sqlite3.Connection, journal: str = "main", item: str = "i") -> str:
    """Return an expression for the item (its pk) whose result an item has: another one's if it reused it.

    `journal` is the journal's name on the connection, `item` the alias of the item. An item that follows an
    attempt of its own has its own result.
    """
    if not has_reuse(connection, journal):
        return f"{item}.pk"
    source = f"SELECT source FROM {journal}.reused_results WHERE item = {item}.pk"
    return f"iif({item}.follows = 0, coalesce(({source}), {item}.pk), {item}.pk)"


def fetch_chunk(rows: Iterable[Sequence[Any]], *results: int) -> list[Sequence[Any]]:
    """Return rows until their results, which are in these columns, come to CHUNK_BYTES."""
    fetched: list[Sequence[Any]] = []
    size = 0
    for row in rows:
        fetched.append(row)
        for at in results:
            size += len(row[at] or b"")
        if size >= CHUNK_BYTES:
            break
    return fetched
