"""Polls: how known runs are doing, asked for many runs in one call, or one by one where the API cannot."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING

import httpx
import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from batchfish.core.runs import RunError, RunSnapshot
from batchfish.errors import BatchfishError, WebAgentUnavailable
from batchfish.webagent import wire
from batchfish.webagent.api_errors import ENDPOINT_MISSING, ErrorReader, is_from_api, is_page
from batchfish.webagent.base import PollResult
from batchfish.webagent.http import MAX_BODY_BYTES, HttpAnswer, NoAnswer, call_uncached
from batchfish.webagent.http_dates import read_date_header
from batchfish.webagent.redaction import redact_run
from batchfish.webagent.run_parsing import (
    Unreadable,
    WrongShape,
    read_head,
    read_run_body,
    read_runs_body,
    read_unparsable_run,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from batchfish.webagent.http import HttpClient

CALLS_AT_ONCE = 4
"""The number of calls of one poll that are made side by side."""

_logger = logging.getLogger(__name__)


class RunPoller:
    """Polls runs, and remembers whether the endpoint for many runs exists."""

    def __init__(self, http: HttpClient, errors: ErrorReader) -> None:
        """Send over `http`, and read refusals with `errors`."""
        self._http = http
        self._errors = errors
        self._has_batch: bool | None = None  # None: not known yet

    async def poll(self, run_ids: Sequence[str]) -> PollResult:
        """Poll any number of runs, a few calls at once.

        An answer that is too large, or is JSON that msgspec refuses, is asked for again in halves. Results
        beyond the size limit of one answer are left for the next poll, so that memory stays bounded.
        """
        ids = distinct(run_ids)
        state = _PollState(asked=frozenset(ids))
        state.pending.extend(chunks(ids, 1 if self._has_batch is False else wire.IDS_PER_CALL))

        async def work() -> None:
            while state.wants_more:
                try:
                    await self._poll_chunk(state.pending.popleft(), state)
                except WebAgentUnavailable as error:
                    state.unavailable = error
                except BatchfishError as error:
                    state.refusal = error

        await asyncio.gather(*(work() for _ in range(min(CALLS_AT_ONCE, len(state.pending)))))
        return state.result()

    async def _poll_chunk(self, ids: list[str], state: _PollState) -> None:
        is_batch = self._has_batch is not False
        if not is_batch and len(ids) > 1:  # the endpoint was found missing while these waited
            state.pending.extendleft(chunks(ids, 1))
            return
        if is_batch:
            answer = await call_uncached(self._http, "POST", wire.RUNS_BATCH, body=encode_ids(ids))
        else:
            answer = await call_uncached(self._http, "GET", wire.RUN_BY_ID.format(id=ids[0]))
        match answer:
            case NoAnswer(is_over_limit=True) if len(ids) > 1:
                state.pending.extendleft(halves(ids))
            case NoAnswer(head=head) if head:
                self._add_oversized(ids[0], head, state)
            case HttpAnswer(status=httpx.codes.OK):
                state.server_date = read_date_header(answer.headers) or state.server_date
                self._add_answer(ids, answer.body, state, is_batch=is_batch)
            case HttpAnswer(status=status) if is_batch and status in ENDPOINT_MISSING:
                if self._has_batch and is_page(answer):
                    raise self._errors.read(answer)
                self._has_batch = False
                state.pending.extendleft(chunks(ids, 1))
            case HttpAnswer(status=httpx.codes.NOT_FOUND) if not is_batch and is_from_api(answer):
                state.add_not_found(ids)
            case HttpAnswer(status=status) if status in ENDPOINT_MISSING:
                self._has_batch = None  # neither endpoint exists now: that says nothing about either
                raise self._errors.read(answer)
            case _:
                raise self._errors.read(answer)

    def _add_answer(self, ids: list[str], body: bytes, state: _PollState, *, is_batch: bool) -> None:
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
                state.pending.extendleft(halves(ids))
            else:
                self._add_unparsable(ids[0], body, state)
            return
        if is_batch:
            self._has_batch = True
        self._errors.api_has_answered = True
        self._add(runs, state)
        state.add_not_found(missing)

    def _add_unparsable(self, run_id: str, body: bytes, state: _PollState) -> None:
        """Add a run from an answer that no parser accepts; one that broke off counts as none."""
        try:
            run = read_unparsable_run(body, run_id)
        except (Unreadable, WrongShape) as error:
            _logger.warning("the answer about run %s cannot be read: %s", run_id, error)
            return
        self._add([] if run is None else [run], state)

    def _add_oversized(self, run_id: str, head: bytes, state: _PollState) -> None:
        """Add a run whose answer is over the size limit; a completed one ends as failed, never to be retried.

        Asking again would bring the same answer, forever. If even its beginning does not show the status,
        nothing is added.
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
        self._add([run], state)

    def _add(self, runs: Iterable[RunSnapshot], state: _PollState) -> None:
        state.add(redact_run(run, self._errors.redact) for run in runs)


class _PollState(Struct, kw_only=True):
    """The state of one poll: the ids still to be asked about, and the answers so far.

    An error of a call, `unavailable` or `refusal`, ends the poll.
    """

    asked: frozenset[str]
    pending: deque[list[str]] = field(default_factory=deque)
    runs: dict[str, RunSnapshot] = field(default_factory=dict)
    not_found: set[str] = field(default_factory=set)
    server_date: float | None = None
    result_bytes: int = 0
    unavailable: WebAgentUnavailable | None = None
    refusal: BatchfishError | None = None

    @property
    def wants_more(self) -> bool:
        """Whether another call is to be made."""
        has_failed = self.unavailable is not None or self.refusal is not None
        return bool(self.pending) and self.result_bytes <= MAX_BODY_BYTES and not has_failed

    def add(self, runs: Iterable[RunSnapshot]) -> None:
        """Keep the runs that were asked for, each once."""
        for run in runs:
            if run.run_id not in self.asked or run.run_id in self.runs:
                _logger.debug("dropped a row for run %r: not asked for, or repeated", run.run_id)
                continue
            self.runs[run.run_id] = run
            self.result_bytes += len(run.result or b"")

    def add_not_found(self, run_ids: Iterable[str]) -> None:
        """Keep the ids that the API does not know."""
        self.not_found.update(self.asked.intersection(run_ids))

    def result(self) -> PollResult:
        """Return the answers; raise the refusal, or WebAgentUnavailable if there are no answers.

        An answer that names none of the runs says nothing about them, not even that they do not exist.
        """
        retry_after = None if self.unavailable is None else self.unavailable.retry_after
        if self.refusal is not None or (self.asked and not self.runs and not self.not_found):
            raise self._take_error()
        self._take_error()
        return PollResult(
            runs=self.runs,
            not_found=frozenset(self.not_found - self.runs.keys()),
            server_date=self.server_date,
            retry_after=retry_after,
        )

    def _take_error(self) -> BatchfishError:
        """Return the error that ends this poll, and forget it.

        Its traceback leads here: a state that kept it would be in a cycle with all that was received.
        """
        error = self.refusal or self.unavailable
        self.refusal = self.unavailable = None
        return error or WebAgentUnavailable("the API's answer names none of the runs that it was asked about")


def distinct(run_ids: Iterable[str]) -> list[str]:
    """Return each well-formed id once: the API does not document how it treats repeated ones."""
    return [run_id for run_id in dict.fromkeys(run_ids) if wire.is_run_id(run_id)]


def chunks(ids: Sequence[str], size: int) -> list[list[str]]:
    """Cut a list of ids into lists of at most `size`."""
    return [list(ids[start : start + size]) for start in range(0, len(ids), size)]


def halves(ids: Sequence[str]) -> list[list[str]]:
    """Cut a list of at least two ids into two halves."""
    return chunks(ids, (len(ids) + 1) // 2)


def encode_ids(ids: Sequence[str]) -> bytes:
    """Return the body of a call about these runs."""
    return msgspec.json.encode({"run_ids": ids})
