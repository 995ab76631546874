"""Cancels: many runs in one call, or one by one where the API cannot."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import httpx
from msgspec import Struct

from batchfish.core.json_text import read_unambiguous
from batchfish.errors import WebAgentUnavailable, WrongInput
from batchfish.webagent import wire
from batchfish.webagent.api_errors import (
    ENDPOINT_MISSING,
    ErrorReader,
    is_from_api,
    is_page,
    read_envelope,
    shorten,
)
from batchfish.webagent.http import HttpAnswer, NoAnswer, call
from batchfish.webagent.polls import chunks, distinct, encode_ids

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchfish.webagent.http import HttpClient

_REFUSED = frozenset({400, 404, 405, 409, 422})
_logger = logging.getLogger(__name__)


class Cancellation(Struct, frozen=True, kw_only=True):
    """The status of a run after it was cancelled; one that had ended before keeps its status."""

    run_id: str
    status: str
    message: str | None = None


def read_cancellation(body: bytes, run_id: str) -> Cancellation:
    """Read the answer to a cancel; WebAgentUnavailable if it does not show the run's status."""
    answer = read_unambiguous(body)
    status = answer.get("status") if isinstance(answer, dict) else None
    message = answer.get("message") if isinstance(answer, dict) else None
    if not isinstance(status, str):
        raise WebAgentUnavailable(f"the answer to the cancel of run {run_id} cannot be read")
    text = shorten(message) if isinstance(message, str) else None
    return Cancellation(run_id=run_id, status=shorten(status).upper(), message=text)


class RunCanceller:
    """Cancels runs, and remembers whether the endpoint for many runs exists."""

    def __init__(self, http: HttpClient, errors: ErrorReader) -> None:
        """Send over `http`, and read refusals with `errors`."""
        self._http = http
        self._errors = errors
        self._has_batch: bool | None = None  # None: not known yet

    async def cancel(self, run_ids: Sequence[str]) -> None:
        """Cancel runs; those that cannot be cancelled stay as they are. Safe to repeat."""
        for ids in chunks(distinct(run_ids), wire.IDS_PER_CALL):
            if not await self._cancel_many(ids):
                for run_id in ids:
                    await self._try_to_cancel(run_id)

    async def cancel_one(self, run_id: str) -> Cancellation:
        """Cancel one run and return its status; WrongInput, with the API's reason, if it cannot be."""
        answer = await call(self._http, "POST", wire.CANCEL_RUN.format(id=run_id))
        match answer:
            case HttpAnswer(status=httpx.codes.OK):
                return read_cancellation(answer.body, run_id)
            case HttpAnswer(status=status) if status in _REFUSED and is_from_api(answer):
                envelope = read_envelope(read_unambiguous(answer.body))
                raise WrongInput(
                    self._errors.redact(f"run {run_id} cannot be cancelled: {status} {envelope}")
                )
            case _:
                raise self._errors.read(answer)

    def _check(self, answer: HttpAnswer) -> None:
        """Raise WebAgentUnavailable unless the body of a 200 is a JSON object."""
        if not isinstance(read_unambiguous(answer.body), dict):
            raise WebAgentUnavailable("the answer to a cancel is not a JSON object")
        self._errors.api_has_answered = True

    async def _cancel_many(self, ids: list[str]) -> bool:
        """Cancel up to 100 runs in one call; false if they must be cancelled one by one.

        One id may make the API refuse the whole call.
        """
        if self._has_batch is False:
            return False
        answer = await call(self._http, "POST", wire.CANCEL_RUNS, body=encode_ids(ids))
        match answer:
            case HttpAnswer(status=httpx.codes.OK):
                self._check(answer)
                self._has_batch = True
                return True
            case HttpAnswer(status=status) if status in ENDPOINT_MISSING:
                if self._has_batch and is_page(answer):
                    raise self._errors.read(answer)
                self._has_batch = False
                return False
            case HttpAnswer(status=status) if status in _REFUSED:
                return False
            case HttpAnswer() | NoAnswer():
                raise self._errors.read(answer)

    async def _try_to_cancel(self, run_id: str) -> None:
        answer = await call(self._http, "POST", wire.CANCEL_RUN.format(id=run_id))
        match answer:
            case HttpAnswer(status=httpx.codes.OK):
                self._check(answer)
            case HttpAnswer(status=status) if status in _REFUSED and is_from_api(answer):
                _logger.debug("run %s is not cancelled: %d", run_id, status)
            case _:
                raise self._errors.read(answer)
