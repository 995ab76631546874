"""Looking at many runs: in hundreds where the API can, in halves where it must, else one by one."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import httpx

from batchfish.core.runs import RunError, RunSnapshot
from batchfish.errors import BatchfishError, WebAgentUnavailable
from batchfish.webagent import wire
from batchfish.webagent.base import PollResult
from batchfish.webagent.http import MAX_BODY_BYTES, HttpAnswer, NoAnswer, call_for_news
from batchfish.webagent.http_dates import read_date_header
from batchfish.webagent.ids import chunks, distinct, encode_ids, halves
from batchfish.webagent.redaction import hide_in_run
from batchfish.webagent.refusals import ENDPOINT_MISSING, Acquaintance, explain, is_from_api, is_page
from batchfish.webagent.rows import (
    Unreadable,
    WrongShape,
    read_head,
    read_only_run,
    read_run_body,
    read_runs_body,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

CALLS_AT_ONCE = 4
_logger = logging.getLogger(__name__)


@dataclass(kw_only=True, slots=True)
class _Gathered:
    """What one look has brought together so far; `held` counts the bytes of results."""

    asked: frozenset[str]
    runs: dict[str, RunSnapshot] = field(default_factory=dict)
    not_found: set[str] = field(default_factory=set)
    server_date: float | None = None
    held: int = 0
    trouble: WebAgentUnavailable | None = None
    refusal: BatchfishError | None = None

    def add(self, runs: Iterable[RunSnapshot]) -> None:
        """Keep the runs that were asked for, each once."""
        for run in runs:
            if run.run_id not in self.asked or run.run_id in self.runs:
                _logger.debug("dropped a row for run %r: not asked for, or there already", run.run_id)
                continue
            self.runs[run.run_id] = run
            self.held += len(run.result or b"")

    def miss(self, run_ids: Iterable[str]) -> None:
        """Keep the ids that the API does not know."""
        self.not_found.update(self.asked.intersection(run_ids))

    def result(self) -> PollResult:
        """Return the look. What it lacks is an error only if it names none of the runs that were asked for.

        An answer that does so says nothing of them, not even that it does not know them.
        """
        if self.refusal is not None:
            raise self.refusal
        if self.asked and not self.runs and not self.not_found:
            raise self.trouble or WebAgentUnavailable(
                "the API's answer names none of the runs that it was asked about"
            )
        return PollResult(
            runs=self.runs,
            not_found=frozenset(self.not_found - self.runs.keys()),
            server_date=self.server_date,
            retry_after=None if self.trouble is None else self.trouble.retry_after,
        )


class RunReader:
    """Looks at runs, and remembers whether the endpoint for many is there."""

    def __init__(
        self, http: httpx.AsyncClient, hide: Callable[[str], str], known: Acquaintance | None = None
    ) -> None:
        """Use these connections; `hide` redacts secrets, `known` tells whether the API has answered."""
        self._http = http
        self._hide = hide
        self._known = known or Acquaintance()
        self._has_batch: bool | None = None  # None: not known yet

    async def look(self, run_ids: Sequence[str]) -> PollResult:
        """Look at any number of runs, a few calls at once.

        An answer that is too large, or is JSON that msgspec refuses, is asked for again in halves. Results
        beyond the size limit of one answer are left for the next look, so that memory stays bounded.
        """
        ids = distinct(run_ids)
        gathered = _Gathered(asked=frozenset(ids))
        pending = deque(chunks(ids, 1 if self._has_batch is False else wire.IDS_PER_CALL))

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
        is_batch = self._has_batch is not False
        if not is_batch and len(ids) > 1:  # the endpoint was found missing while these waited
            pending.extendleft(chunks(ids, 1))
            return
        if is_batch:
            answer = await call_for_news(self._http, "POST", wire.RUNS_BATCH, body=encode_ids(ids))
        else:
            answer = await call_for_news(self._http, "GET", wire.RUN_BY_ID.format(id=ids[0]))
        match answer:
            case NoAnswer(asks_too_much=True) if len(ids) > 1:
                pending.extendleft(halves(ids))
            case NoAnswer(head=head) if head:
                self._take_giant(ids[0], head, gathered)
            case HttpAnswer(status=httpx.codes.OK):
                gathered.server_date = read_date_header(answer.headers) or gathered.server_date
                self._take(ids, answer.body, pending, gathered, is_batch=is_batch)
            case HttpAnswer(status=status) if is_batch and status in ENDPOINT_MISSING:
                if self._has_batch and is_page(answer):
                    raise self._known.judge(explain(answer, self._hide))
                self._has_batch = False
                pending.extendleft(chunks(ids, 1))
            case HttpAnswer(status=httpx.codes.NOT_FOUND) if not is_batch and is_from_api(answer):
                gathered.miss(ids)
            case HttpAnswer(status=status) if status in ENDPOINT_MISSING:
                self._has_batch = None  # neither endpoint is there now: that says nothing about either
                raise self._known.judge(explain(answer, self._hide))
            case _:
                raise explain(answer, self._hide)

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
            if not body.lstrip().startswith(b"{"):
                raise WebAgentUnavailable("the API's answer is not JSON") from None
            if len(ids) > 1:
                _logger.debug(
                    "an answer about %d runs cannot be read (%s): asking in halves", len(ids), error
                )
                pending.extendleft(halves(ids))
            else:
                self._take_hostile(ids[0], body, gathered)
            return
        if is_batch:
            self._has_batch = True
        self._known.has_answered = True
        gathered.add(hide_in_run(run, self._hide) for run in runs)
        gathered.miss(missing)

    def _take_hostile(self, run_id: str, body: bytes, gathered: _Gathered) -> None:
        """Take an answer about one run that no parser accepts; one that broke off counts as none."""
        try:
            run = read_only_run(body, run_id)
        except (Unreadable, WrongShape) as error:
            _logger.warning("the answer about run %s cannot be read: %s", run_id, error)
            return
        gathered.add([] if run is None else [hide_in_run(run, self._hide)])

    def _take_giant(self, run_id: str, head: bytes, gathered: _Gathered) -> None:
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
        gathered.add([hide_in_run(run, self._hide)])
