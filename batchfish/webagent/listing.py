"""Paging through the listing of runs, and whether its end was reached."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import httpx

from batchfish.errors import WebAgentUnavailable
from batchfish.webagent import wire
from batchfish.webagent.base import Listing
from batchfish.webagent.clock import read_date_header
from batchfish.webagent.hiding import hide_in_run
from batchfish.webagent.http import HttpAnswer, NoAnswer, call
from batchfish.webagent.refusals import explain
from batchfish.webagent.rows import Page, Unreadable, WrongShape, read_page_body

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchfish.core.runs import RunSeen

MAX_PAGES = 10_000


async def list_runs(
    http: httpx.AsyncClient, hide: Callable[[str], str], goal: str, limit: int | None
) -> Listing:
    """Page through the runs whose goal holds a text; see `WebAgent.find_by_marker`."""
    rows: dict[str, RunSeen] = {}
    cursors: set[str] = set()
    size = wire.ROWS_PER_PAGE if limit is None else min(limit, wire.ROWS_PER_PAGE)
    unread, total, date, cursor = 0, None, None, None
    is_complete = False
    for _ in range(MAX_PAGES):
        page, date = await _get_page(http, hide, goal, size, cursor)
        rows.update((run.run_id, hide_in_run(replace(run, result=None), hide)) for run in page.rows)
        unread += page.unread
        total = page.total if total is None else max(total, page.total or 0)
        cursor = page.next_cursor
        is_complete = page.has_more is False and not unread and len(rows) >= (total or 0)
        if limit is not None or not page.has_more or cursor is None or cursor in cursors:
            break
        cursors.add(cursor)
    return Listing(rows=tuple(rows.values()), is_complete=is_complete, total=total, server_date=date)


async def _get_page(
    http: httpx.AsyncClient, hide: Callable[[str], str], goal: str, size: int, cursor: str | None
) -> tuple[Page, float | None]:
    """Get one page, with fewer rows where so many are too large."""
    while True:
        params = {"goal": goal, "limit": str(size)} | ({} if cursor is None else {"cursor": cursor})
        answer = await call(http, "GET", wire.RUNS, params=params)
        match answer:
            case NoAnswer(asks_too_much=True) if size > 1:
                size //= 2
            case HttpAnswer(status=httpx.codes.OK):
                try:
                    return read_page_body(answer.body), read_date_header(answer.headers)
                except (Unreadable, WrongShape) as error:
                    raise WebAgentUnavailable(f"the listing cannot be read: {error}") from None
            case _:
                raise explain(answer, hide)
