"""The listing of runs, read to its end: a short one page by page, a long one in parts side by side."""

from __future__ import annotations

import asyncio
import math
import secrets
from datetime import UTC, datetime
from itertools import count, pairwise
from typing import TYPE_CHECKING

import httpx
from msgspec import Struct, field
from msgspec.structs import replace

from batchfish.errors import WebAgentUnavailable
from batchfish.webagent import wire
from batchfish.webagent.base import Listing
from batchfish.webagent.http import HttpAnswer, NoAnswer, call_uncached
from batchfish.webagent.http_dates import format_iso_time, read_date_header
from batchfish.webagent.redaction import redact_run
from batchfish.webagent.run_parsing import Page, Unreadable, WrongShape, read_page_body

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchfish.core.runs import RunSnapshot
    from batchfish.webagent.api_errors import ErrorReader
    from batchfish.webagent.http import HttpClient

MAX_PAGES = 10_000
"""The number of pages after which a listing is given up: its cursors may go round."""

BEFORE_ALL_RUNS = datetime(2020, 1, 1, tzinfo=UTC).timestamp()
"""Epoch seconds before any run of any batch: a listing from here on leaves nothing out."""

PAGES_IN_TURN = 2
"""A listing of at most so many further pages is read page by page."""

PARTS_AT_ONCE = 8
"""The most parts into which the time of a long listing is divided."""

_SPREAD_MS = 60_000
_SPREAD_OF_PART_MS = 50


class _Found(Struct, kw_only=True):
    """The runs that the pages read so far have shown, and the greatest count of the API."""

    rows: dict[str, RunSnapshot] = field(default_factory=dict)
    unread: int = 0
    total: int | None = None


class RunLister:
    """Lists runs; no two listings have the same URL, so that no cache answers one with another's answer.

    They differ by some milliseconds of `created_after`, since an undocumented parameter might be refused.
    """

    def __init__(self, http: HttpClient, errors: ErrorReader) -> None:
        """Send over `http`, and read refusals with `errors`."""
        self._http = http
        self._errors = errors
        self._numbers = count(secrets.randbelow(_SPREAD_MS))

    async def find(self, goal: str, *, limit: int | None, since: float | None) -> Listing:
        """List the runs whose goal contains a text; see `WebAgent.find_by_marker`."""
        size = wire.ROWS_PER_PAGE if limit is None else min(limit, wire.ROWS_PER_PAGE)
        begins_at = (BEFORE_ALL_RUNS if since is None else since) - next(self._numbers) % _SPREAD_MS / 1000
        query = {"goal": goal, "created_after": format_iso_time(begins_at)}
        first, first_date = await self._get_page(query, size, None)
        found, reaches_end = self._add(_Found(), first), first.has_more is False
        if limit is None and first.has_more:
            if (in_parts := await self._read_in_parts(query, first)) is not None:
                found, reaches_end = in_parts, True
            else:
                reaches_end = await self._read_on(query, first.next_cursor, found)
        self._errors.api_has_answered = True
        is_whole = reaches_end and not found.unread
        return Listing(
            rows=tuple(found.rows.values()),
            is_complete=is_whole and len(found.rows) >= (found.total or 0),
            covers_start=is_whole and len(found.rows) >= (first.total or 0),
            total=found.total,
            server_date=first_date,
        )

    async def _read_on(self, query: Mapping[str, str], cursor: str | None, found: _Found) -> bool:
        """Read the pages from a cursor on, one after another; return whether the last one was reached."""
        cursors: set[str] = set()
        while cursor is not None and cursor not in cursors and len(cursors) < MAX_PAGES - 1:
            cursors.add(cursor)
            page, _ = await self._get_page(query, wire.ROWS_PER_PAGE, cursor)
            self._add(found, page)
            if not page.has_more:
                return page.has_more is False
            cursor = page.next_cursor
        return False

    async def _read_in_parts(self, query: Mapping[str, str], first: Page) -> _Found | None:
        """Read a long listing in parts of its time, side by side; None if it has to be read page by page.

        That is so if the API gives no count or no times, ignores a bound or the order, or shows times more
        coarsely than it compares them: then fewer runs are found than it counts.
        """
        left = (first.total or 0) - len(first.rows)
        if left <= PAGES_IN_TURN * wire.ROWS_PER_PAGE:
            return None
        oldest, _ = await self._get_page({**query, "sort_direction": "asc"}, wire.ROWS_PER_PAGE, None)
        begins_at = max((run.created_at or math.inf for run in oldest.rows), default=math.inf)
        ends_at = min((run.created_at or -math.inf for run in first.rows), default=-math.inf)
        if begins_at >= ends_at:
            return None
        found = self._add(self._add(_Found(), first), oldest)
        parts = min(PARTS_AT_ONCE, math.ceil(left / wire.ROWS_PER_PAGE))
        bounds = [begins_at + (ends_at - begins_at) * number / parts for number in range(parts + 1)]
        outcomes = await asyncio.gather(
            *(self._read_part(query, *part, found) for part in pairwise(bounds)), return_exceptions=True
        )
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        # A run that was made meanwhile must not pass for an older one that is missing.
        newest = max(run.created_at or 0.0 for run in first.rows)
        counted = sum((run.created_at or math.inf) <= newest for run in found.rows.values())
        if not all(outcomes) or counted < (first.total or 0):
            return None
        # Read page by page, the later pages would count such runs, too.
        last, _ = await self._get_page(query, 1, None)
        found.total = max(found.total or 0, last.total or 0)
        return found

    async def _read_part(
        self, query: Mapping[str, str], begins_at: float, ends_at: float, found: _Found
    ) -> bool:
        """Read the runs of one part of the time; return whether its last page was reached.

        Whether a bound belongs to its part is not specified, so parts overlap, by more than a time in
        milliseconds is rounded. An API that ignores the later bound shows newer runs at once.
        """
        overlap = (2 + next(self._numbers) % _SPREAD_OF_PART_MS) / 1000
        part = {
            **query,
            "created_after": format_iso_time(begins_at - overlap),
            "created_before": format_iso_time(ends_at + overlap),
        }
        page, _ = await self._get_page(part, wire.ROWS_PER_PAGE, None)
        self._add(found, page)
        if not page.has_more:
            return page.has_more is False
        if any((run.created_at or 0.0) > ends_at + 1.0 for run in page.rows):
            return False
        return await self._read_on(part, page.next_cursor, found)

    def _add(self, found: _Found, page: Page) -> _Found:
        """Add the runs of a page to those found, without results, which a long listing has no room for."""
        found.rows.update(
            (run.run_id, redact_run(replace(run, result=None), self._errors.redact)) for run in page.rows
        )
        found.unread += page.unread
        if page.total is not None:
            found.total = max(found.total or 0, page.total)
        return found

    async def _get_page(
        self, query: Mapping[str, str], size: int, cursor: str | None
    ) -> tuple[Page, float | None]:
        """Get one page, with fewer rows if it would be too large."""
        while True:
            params = {**query, "limit": str(size)} | ({} if cursor is None else {"cursor": cursor})
            answer = await call_uncached(self._http, "GET", wire.RUNS, params=params)
            match answer:
                case NoAnswer(is_over_limit=True) if size > 1:
                    size //= 2
                case HttpAnswer(status=httpx.codes.OK):
                    try:
                        return read_page_body(answer.body), read_date_header(answer.headers)
                    except (Unreadable, WrongShape) as error:
                        raise WebAgentUnavailable(f"the listing cannot be read: {error}") from None
                case _:
                    raise self._errors.read(answer)
