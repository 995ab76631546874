"""The listing of runs, read page by page to its end."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING

import httpx

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

MAX_PAGES = 10_000

BEFORE_ALL_RUNS = datetime(2020, 1, 1, tzinfo=UTC).timestamp()
"""Epoch seconds before any run of any batch: a listing from here on leaves nothing out."""

_SPREAD_MS = 60_000


class RunLister:
    """Lists runs; no two listings have the same URL, so that no cache answers one with another's answer.

    They differ by some milliseconds of `created_after`, since an undocumented parameter might be refused.
    """

    def __init__(self, http: httpx.AsyncClient, errors: ErrorReader) -> None:
        """Send over `http`, and read refusals with `errors`."""
        self._http = http
        self._errors = errors
        self._numbers = count(secrets.randbelow(_SPREAD_MS))

    async def find(self, goal: str, *, limit: int | None, since: float | None) -> Listing:
        """List the runs whose goal contains a text; see `WebAgent.find_by_marker`."""
        rows: dict[str, RunSnapshot] = {}
        cursors: set[str] = set()
        size = wire.ROWS_PER_PAGE if limit is None else min(limit, wire.ROWS_PER_PAGE)
        begins_at = (BEFORE_ALL_RUNS if since is None else since) - next(self._numbers) % _SPREAD_MS / 1000
        query = {"goal": goal, "created_after": format_iso_time(begins_at)}
        unread, first_total, total, first_date, cursor = 0, None, None, None, None
        reaches_end = False
        for number in range(MAX_PAGES):
            page, date = await self._get_page(query, size, cursor)
            if number == 0:
                first_total, first_date = page.total, date
            rows.update(
                (run.run_id, redact_run(replace(run, result=None), self._errors.redact)) for run in page.rows
            )
            unread += page.unread
            total = page.total if total is None else max(total, page.total or 0)
            cursor = page.next_cursor
            reaches_end = page.has_more is False and not unread
            if limit is not None or not page.has_more or cursor is None or cursor in cursors:
                break
            cursors.add(cursor)
        self._errors.api_has_answered = True
        return Listing(
            rows=tuple(rows.values()),
            is_complete=reaches_end and len(rows) >= (total or 0),
            covers_start=reaches_end and len(rows) >= (first_total or 0),
            total=total,
            server_date=first_date,
        )

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
