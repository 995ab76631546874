"""Reading and cancelling many runs: in hundreds where the API can, one by one where it cannot."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import httpx
import msgspec

from batchfish.core.runs import RunError, RunSeen
from batchfish.errors import BatchfishError, NotPermitted, WebAgentUnavailable, WrongInput
from batchfish.webagent import wire
from batchfish.webagent.answers import is_run_id, read_envelope, read_json
from batchfish.webagent.base import Listing, Look
from batchfish.webagent.clock import read_date_header, read_retry_after
from batchfish.webagent.http import MAX_BODY_BYTES, HttpAnswer, NoAnswer, call
from batchfish.webagent.rows import (
    Page,
    Unreadable,
    WrongShape,
    read_head,
    read_only_run,
    read_page_body,
    read_run_body,
    read_runs_body,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

MAX_PAGES = 10_000
CALLS_AT_ONCE = 4
_logger = logging.getLogger(__name__)
_MISSING = frozenset({404, 405})
_REFUSED = frozenset({400, 404, 405, 409, 422})


@dataclass(kw_only=True, slots=True)
class _Gathered:
    """What one look has brought together so far; `held` counts the bytes of results."""

    asked: frozenset[str]
    runs: dict[str, RunSeen] = field(default_factory=dict)
    not_found: set[str] = field(default_factory=set)
    server_date: float | None = None
    held: int = 0
    has_answer: bool = False
    trouble: WebAgentUnavailable | None = None
    refusal: BatchfishError | None = None

    def add(self, runs: Iterable[RunSeen]) -> None:
        """Keep the runs that were asked for, each once."""
        self.has_answer = True
        for run in runs:
            if run.run_id not in self.asked or run.run_id in self.runs:
                _logger.debug("dropped a row for run %r: not asked for, or there already", run.run_id)
                continue
            self.runs[run.run_id] = run
            self.held += len(run.result or b"")

    def miss(self, run_ids: Iterable[str]) -> None:
        """Keep the ids that the API does not know."""
        self.has_answer = True
        self.not_found.update(self.asked.intersection(run_ids))

    def result(self) -> Look:
        """Hand over the look; what it lacks is an error only if it lacks everything."""
        if self.refusal is not None:
            raise self.refusal
        if self.trouble is not None and not self.has_answer:
            raise self.trouble
        return Look(
            runs=self.runs,
            not_found=frozenset(self.not_found - self.runs.keys()),
            server_date=self.server_date,
            retry_after=None if self.trouble is None else self.trouble.retry_after,
        )


class RunReader:
    """The looks and cancels of one API; it remembers which of the endpoints for many runs are missing."""

    def __init__(self, http: httpx.AsyncClient, hide: Callable[[str], str]) -> None:
        """Take the connections for looks, and what blots secrets out of a message."""
        self._http = http
        self._hide = hide
        self._has_batch_get = True
        self._has_batch_cancel = True

    async def look(self, run_ids: Sequence[str]) -> Look:
        """Look at any number of runs, a few calls at once.

        An answer that is too large or cannot be read is asked for again in halves. Results beyond the size
        limit of one answer are left for the next look, so that memory stays bounded.
        """
        ids = [run_id for run_id in dict.fromkeys(run_ids) if is_run_id(run_id)]
        gathered = _Gathered(asked=frozenset(ids))
        pending = deque(_chunks(ids, wire.IDS_PER_CALL if self._has_batch_get else 1))

        async def work() -> None:
            while pending and gathered.held <= MAX_BODY_BYTES and not (gathered.trouble or gathered.refusal):
                try:
                    await self._look_at(pending.popleft(), pending, gathered)
                except WebAgentUnavailable as error:
                    gathered.trouble = error
                except BatchfishError as error:
                    gathered.refusal = error

        await asyncio.gather(*(work() for _ in range(min(CALLS_AT_ONCE, len(pending)))))
        return gathered.result()

    async def _look_at(self, ids: list[str], pending: deque[list[str]], gathered: _Gathered) -> None:
        is_batch = self._has_batch_get
        if is_batch:
            answer = await call(self._http, "POST", wire.RUNS_BATCH, body=_encode_ids(ids))
        else:
            answer = await call(self._http, "GET", _path(wire.RUN_BY_ID, ids[0]))
        match answer:
            case NoAnswer(asks_too_much=True) if len(ids) > 1:
                pending.extendleft(_halves(ids))
            case NoAnswer(head=head) if head:
                self._take_giant(ids[0], head, gathered)
            case HttpAnswer(status=httpx.codes.OK):
                gathered.server_date = read_date_header(answer.headers) or gathered.server_date
                self._take(ids, answer.body, pending, gathered, is_batch=is_batch)
            case HttpAnswer(status=status) if is_batch and status in _MISSING:
                self._has_batch_get = False
                pending.extendleft(_chunks(ids, 1))
            case HttpAnswer(status=httpx.codes.NOT_FOUND) if not is_batch and _is_from_api(answer):
                gathered.miss(ids)
            case _:
                raise self._unusable(answer)

    def _take(
        self, ids: list[str], body: bytes, pending: deque[list[str]], gathered: _Gathered, *, is_batch: bool
    ) -> None:
        try:
            if is_batch:
                runs, missing = read_runs_body(body)
            else:
                run, missing = read_run_body(body), frozenset()
                runs = [] if run is None else [run]
        except WrongShape as error:
            raise WebAgentUnavailable(str(error)) from None
        except Unreadable as error:
            if len(ids) > 1:
                _logger.debug(
                    "an answer about %d runs cannot be read (%s): asking in halves", len(ids), error
                )
                pending.extendleft(_halves(ids))
            else:
                self._take_hostile(ids[0], body, gathered)
            return
        gathered.add(runs)
        gathered.miss(missing)

    @staticmethod
    def _take_hostile(run_id: str, body: bytes, gathered: _Gathered) -> None:
        """Take an answer about one run that no parser accepts; one that broke off counts as none."""
        try:
            run = read_only_run(body, run_id)
        except (Unreadable, WrongShape) as error:
            _logger.warning("the answer about run %s cannot be read: %s", run_id, error)
            return
        gathered.add([] if run is None else [run])

    @staticmethod
    def _take_giant(run_id: str, head: bytes, gathered: _Gathered) -> None:
        """Take a run whose answer is over the limit: if completed, it ends as failed, never to be repeated.

        Asking again would bring the same answer, for ever. Where even its beginning does not tell the
        status, the run stays unanswered for.
        """
        run = read_head(head, run_id)
        if run is None:
            _logger.warning("the answer about run %s is too large to be read", run_id)
            return
        if run.status == wire.RunStatus.COMPLETED:
            error = RunError(
                code="RESULT_TOO_LARGE",
                category="AGENT_FAILURE",
                message=f"completed, but its answer is larger than {MAX_BODY_BYTES >> 20} MB",
                never_retry=True,
            )
            run = replace(run, status=wire.RunStatus.FAILED.value, error=error)
        gathered.add([run])

    async def list(self, goal: str, limit: int | None = None) -> Listing:
        """Page through the runs whose goal holds a text; see `WebAgent.find_by_marker`."""
        rows: dict[str, RunSeen] = {}
        cursors: set[str] = set()
        size = wire.ROWS_PER_PAGE if limit is None else min(limit, wire.ROWS_PER_PAGE)
        unread, total, date, cursor = 0, None, None, None
        is_complete = False
        for _ in range(MAX_PAGES):
            page, date = await self._page(goal, size, cursor)
            rows.update((run.run_id, replace(run, result=None)) for run in page.rows)
            unread += page.unread
            total = page.total if total is None else max(total, page.total or 0)
            cursor = page.next_cursor
            is_complete = page.has_more is False and not unread and len(rows) >= (total or 0)
            if limit is not None or not page.has_more or cursor is None or cursor in cursors:
                break
            cursors.add(cursor)
        return Listing(rows=tuple(rows.values()), is_complete=is_complete, total=total, server_date=date)

    async def _page(self, goal: str, size: int, cursor: str | None) -> tuple[Page, float | None]:
        """Get one page, with fewer rows where so many are too large."""
        while True:
            params = {"goal": goal, "limit": str(size)} | ({} if cursor is None else {"cursor": cursor})
            answer = await call(self._http, "GET", wire.RUNS, params=params)
            match answer:
                case NoAnswer(asks_too_much=True) if size > 1:
                    size //= 2
                case HttpAnswer(status=httpx.codes.OK):
                    try:
                        return read_page_body(answer.body), read_date_header(answer.headers)
                    except (Unreadable, WrongShape) as error:
                        raise WebAgentUnavailable(f"the listing cannot be read: {error}") from None
                case _:
                    raise self._unusable(answer)

    async def cancel(self, run_ids: Sequence[str]) -> None:
        """Ask that runs be cancelled; one that cannot be is left to the next look."""
        for ids in _chunks(
            [run_id for run_id in dict.fromkeys(run_ids) if is_run_id(run_id)], wire.IDS_PER_CALL
        ):
            if self._has_batch_cancel:
                answer = await call(self._http, "POST", wire.CANCEL_RUNS, body=_encode_ids(ids))
                if isinstance(answer, HttpAnswer) and answer.status == httpx.codes.OK:
                    continue
                if isinstance(answer, NoAnswer) or answer.status not in _REFUSED:
                    raise self._unusable(answer)
                self._has_batch_cancel = answer.status not in _MISSING
            for run_id in ids:
                await self._cancel_one(run_id)

    async def _cancel_one(self, run_id: str) -> None:
        answer = await call(self._http, "POST", _path(wire.CANCEL_RUN, run_id))
        match answer:
            case HttpAnswer(status=httpx.codes.OK):
                return
            case HttpAnswer(status=status) if status in _REFUSED and _is_from_api(answer):
                _logger.debug("run %s is not cancelled: %d", run_id, status)
            case _:
                raise self._unusable(answer)

    def _unusable(self, answer: HttpAnswer | NoAnswer) -> BatchfishError:
        """Say what an answer other than 200 means for a look."""
        if isinstance(answer, NoAnswer):
            return WebAgentUnavailable(self._hide(answer.message))
        error = read_envelope(read_json(answer.body))
        text = self._hide(
            f"{answer.status} {error}" if error else f"{answer.status} without the API's error envelope"
        )
        if answer.status == httpx.codes.UNAUTHORIZED:
            return NotPermitted(f"the API key is refused: {text}")
        if answer.status in _MISSING:
            return WrongInput(f"this is not the Web Agent API, or not at this base URL: {text}")
        return WebAgentUnavailable(text, retry_after=read_retry_after(answer.headers))


def _path(template: str, run_id: str) -> str:
    """Fill in a run_id, which has been checked to hold nothing that changes the path."""
    return template.format(id=run_id)


def _encode_ids(ids: Sequence[str]) -> bytes:
    return msgspec.json.encode({"run_ids": ids})


def _chunks(ids: Sequence[str], size: int) -> list[list[str]]:
    return [list(ids[start : start + size]) for start in range(0, len(ids), size)]


def _halves(ids: list[str]) -> list[list[str]]:
    return _chunks(ids, (len(ids) + 1) // 2)


def _is_from_api(answer: HttpAnswer) -> bool:
    return read_envelope(read_json(answer.body)) is not None
