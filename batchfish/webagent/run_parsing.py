"""Parsing of runs: lenient, except that the bytes of each result stay exactly as they came."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from batchfish.core.json_text import CutOff, cut_array, cut_object
from batchfish.core.runs import RunError, RunSnapshot
from batchfish.webagent.api_errors import shorten
from batchfish.webagent.http_dates import read_iso_time
from batchfish.webagent.wire import is_run_id

MAX_STEPS = 2**31 - 1
URL_LENGTH = 2000
SHORT_ROW_BYTES = 2000
"""Runs that are described in at most this many bytes are remembered."""
_REFUSED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_ABSENT = msgspec.Raw(b"")
Members: TypeAlias = Mapping[str, msgspec.Raw] | Mapping[str, bytes]


class Unreadable(Exception):
    """An answer that msgspec refuses: NaN, a lone surrogate, 1,000 levels. Ask for fewer runs."""


class WrongShape(Exception):
    """An answer that is JSON, but not what was asked for."""


class _Run(msgspec.Struct):
    """The members of a run that are read, and its result as the bytes that came."""

    run_id: Any = None
    status: Any = None
    goal: Any = None
    created_at: Any = None
    started_at: Any = None
    finished_at: Any = None
    num_of_steps: Any = None
    error: Any = None
    streaming_url: Any = None
    streamingUrl: Any = None  # noqa: N815 - as the API spells it
    result: msgspec.Raw = _ABSENT


class _RunsBody(msgspec.Struct):
    data: list[msgspec.Raw]
    not_found: msgspec.Raw = _ABSENT
    pagination: msgspec.Raw = _ABSENT


_RUN_DECODER = msgspec.json.Decoder(_Run)


class Page(Struct, frozen=True, kw_only=True):
    """One page of a listing; `unread` counts its rows that could not be read as runs.

    `has_more` is None if the page does not say.
    """

    rows: tuple[RunSnapshot, ...]
    unread: int
    total: int | None
    has_more: bool | None
    next_cursor: str | None


def read_runs_body(body: bytes) -> tuple[list[RunSnapshot], frozenset[str]]:
    """Read an answer about many runs: the runs, and the ids that the API does not know."""
    answer = _decode(body)
    runs = [run for run in map(read_run, answer.data) if run is not None]
    ids = read_value(answer.not_found)
    return runs, frozenset(filter(is_run_id, ids)) if isinstance(ids, list) else frozenset()


def read_run_body(body: bytes) -> RunSnapshot | None:
    """Read an answer that is one run; None without a run_id and a status."""
    try:
        return read_run_members(msgspec.json.decode(body, type=dict[str, msgspec.Raw]))
    except msgspec.ValidationError:
        raise WrongShape("the answer is not a run") from None
    except _REFUSED as error:
        raise Unreadable(str(error)) from None


def read_page_body(body: bytes) -> Page:
    """Read a page of a listing; a row that msgspec refuses does not hide the others."""
    try:
        answer = _decode(body)
        rows_as_sent: list[msgspec.Raw] | list[bytes] = answer.data
        pagination = read_value(answer.pagination)
    except Unreadable:
        members = cut_members(body)
        rows_as_sent = _cut_data(members)
        pagination = read_value(members.get("pagination", b""))
    rows = tuple(run for run in map(read_run, rows_as_sent) if run is not None)
    if not isinstance(pagination, dict):
        pagination = {}
    total, has_more, cursor = (pagination.get(name) for name in ("total", "has_more", "next_cursor"))
    return Page(
        rows=rows,
        unread=len(rows_as_sent) - len(rows),
        total=_read_count(total),
        has_more=has_more if isinstance(has_more, bool) else None,
        next_cursor=cursor if isinstance(cursor, str) and cursor else None,
    )


def read_unparsable_run(body: bytes, run_id: str) -> RunSnapshot | None:
    """Read an answer about one run that msgspec refuses: the whole body becomes the result."""
    run = _find_run(cut_members(body), run_id)
    if run is None or run.result is None:
        return run
    return replace(run, result=body, is_whole_answer=True)


def read_head(head: bytes, run_id: str) -> RunSnapshot | None:
    """Read one run, without its result, from the beginning of an answer that is too large."""
    members = cut_object(head, may_be_cut=True)
    if "data" in members:
        elements = cut_array(members["data"], may_be_cut=True)
        members = cut_object(elements[0], may_be_cut=True) if elements else {}
    run = read_run_members(members)
    return replace(run, result=None) if run is not None and run.run_id == run_id else None


def read_run(row: msgspec.Raw | bytes) -> RunSnapshot | None:
    """Read one run; None without a run_id and a status. Never raises."""
    return _read_row(row) if len(row) > SHORT_ROW_BYTES else _read_short_row(bytes(row))


def read_members(text: msgspec.Raw | bytes) -> Members | None:
    """Cut an object into its members, whatever their values; None for anything else. Never raises."""
    try:
        return msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except msgspec.ValidationError:
        return None
    except _REFUSED:
        pass
    try:
        return cut_object(bytes(text))
    except CutOff:
        return None


def cut_members(body: bytes) -> dict[str, bytes]:
    """Cut an answer that msgspec refuses into its members; Unreadable if it broke off."""
    try:
        return cut_object(body)
    except CutOff:
        raise Unreadable("the answer broke off or is not a JSON object") from None


def _read_row(row: msgspec.Raw | bytes) -> RunSnapshot | None:
    """Read one run at once, or member by member if a value in it makes that fail."""
    try:
        run = _RUN_DECODER.decode(row)
    except (*_REFUSED, msgspec.ValidationError):
        members = read_members(row)
        return None if members is None else read_run_members(members)
    return _snapshot(partial(getattr, run), bytes(run.result))


_read_short_row = lru_cache(maxsize=4096)(_read_row)  # most polls show most runs as the poll before did


def _decode(body: bytes) -> _RunsBody:
    try:
        return msgspec.json.decode(body, type=_RunsBody)
    except msgspec.ValidationError:
        raise WrongShape("the answer holds no list of runs") from None
    except _REFUSED as error:
        raise Unreadable(str(error)) from None


def _cut_data(members: Mapping[str, bytes]) -> list[bytes]:
    try:
        return cut_array(members.get("data", b""))
    except CutOff:
        raise WrongShape("the answer holds no list of runs") from None


def _find_run(members: Mapping[str, bytes], run_id: str) -> RunSnapshot | None:
    """Return the run from an answer that is either a list of runs or the run itself."""
    rows = map(read_run, _cut_data(members)) if "data" in members else iter([read_run_members(members)])
    return next((run for run in rows if run is not None and run.run_id == run_id), None)


def read_run_members(members: Members) -> RunSnapshot | None:
    """Read a run from its members; None without a run_id and a status."""

    def read(name: str) -> object:
        return read_value(members.get(name, b""))

    return _snapshot(read, bytes(members.get("result", b"")))


def _snapshot(read: Callable[[str], object], result: bytes) -> RunSnapshot | None:
    """Return the run whose members `read` returns by their name; None without a run_id and a status."""
    run_id, status = read("run_id"), read("status")
    if not is_run_id(run_id) or not isinstance(status, str) or not status.strip():
        return None
    goal, url = read("goal"), read("streaming_url") or read("streamingUrl")
    result = result.strip()
    return RunSnapshot(
        run_id=run_id,
        status=shorten(status).upper(),
        goal=_clean(goal) if isinstance(goal, str) else None,
        created_at=read_iso_time(read("created_at")),
        started_at=read_iso_time(read("started_at")),
        finished_at=read_iso_time(read("finished_at")),
        steps=_read_count(read("num_of_steps")),
        error=read_run_error(read("error")),
        streaming_url=_clean(url) if isinstance(url, str) and len(url) <= URL_LENGTH else None,
        result=None if result in {b"", b"null"} else result,
    )


def read_run_error(error: object) -> RunError | None:
    """Read the error of a run: an object whose members may all be missing, or a text."""
    if isinstance(error, str):
        return RunError(message=shorten(error)) if error.strip() else None
    if not isinstance(error, dict) or not error:
        return RunError(message=shorten(repr(error))) if error else None
    message, code, category = error.get("message"), error.get("code"), error.get("category")
    wait = error.get("retry_after")
    return RunError(
        message=shorten(message) if isinstance(message, str) else "",
        code=shorten(code).upper() if isinstance(code, str) and code.strip() else None,
        category=shorten(category).upper() if isinstance(category, str) and category.strip() else "UNKNOWN",
        retry_after=_read_wait(wait),
        never_retry="retry_after" in error and wait is None,
    )


def read_value(raw: msgspec.Raw | bytes) -> object:
    """Read one value; None if neither msgspec nor the standard library can."""
    if not raw:
        return None
    try:
        return msgspec.json.decode(raw)
    except (*_REFUSED, msgspec.ValidationError):
        pass
    try:
        return json.loads(bytes(raw).decode(errors="replace"), strict=False)
    except (ValueError, RecursionError):
        return None


def _read_count(value: object) -> int | None:
    """Read a whole number from 0 to 2^31 - 1, which a database can hold; 3.0 counts as 3."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= MAX_STEPS:
        return None
    return int(value) if value == int(value) else None


def _read_wait(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def _clean(text: str) -> str:
    """Replace lone surrogates, which no store can hold."""
    return text.encode(errors="replace").decode()
