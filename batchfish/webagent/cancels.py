"""Cancelling runs: in hundreds where the API can, one by one where it cannot."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

from batchfish.core.json_text import read_unambiguous
from batchfish.errors import WebAgentUnavailable, WrongInput
from batchfish.webagent import wire
from batchfish.webagent.answers import read_envelope, shorten
from batchfish.webagent.http import HttpAnswer, NoAnswer, call
from batchfish.webagent.ids import chunks, distinct, encode_ids
from batchfish.webagent.refusals import ENDPOINT_MISSING, Acquaintance, explain, is_from_api, is_page

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from batchfish.errors import BatchfishError

_REFUSED = frozenset({400, 404, 405, 409, 422})
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Cancellation:
    """How a run stands after it was asked to stop: one that was over before keeps its status."""

    run_id: str
    status: str
    message: str | None = None


def read_cancellation(body: bytes, run_id: str) -> Cancellation:
    """Read the answer to a cancel; WebAgentUnavailable if it says nothing of the run."""
    answer = read_unambiguous(body)
    status = answer.get("status") if isinstance(answer, dict) else None
    message = answer.get("message") if isinstance(answer, dict) else None
    if not isinstance(status, str):
        raise WebAgentUnavailable(f"the answer to the cancel of run {run_id} cannot be read")
    text = shorten(message) if isinstance(message, str) else None
    return Cancellation(run_id=run_id, status=shorten(status).upper(), message=text)


class RunCanceller:
    """Cancels runs, and remembers whether the endpoint for many is there."""

    def __init__(
        self, http: httpx.AsyncClient, hide: Callable[[str], str], known: Acquaintance | None = None
    ) -> None:
        """Use these connections; `hide` redacts secrets, `known` tells whether the API has answered."""
        self._http = http
        self._hide = hide
        self._known = known or Acquaintance()
        self._has_batch: bool | None = None  # None: not known yet

    async def cancel(self, run_ids: Sequence[str]) -> None:
        """Ask that runs be cancelled, which may be repeated at will; one that cannot be is left as it is."""
        for ids in chunks(distinct(run_ids), wire.IDS_PER_CALL):
            if not await self._cancel_many(ids):
                for run_id in ids:
                    await self._try_to_cancel(run_id)

    async def cancel_one(self, run_id: str) -> Cancellation:
        """Cancel one run and say how it stands; WrongInput, in words, where it cannot be cancelled."""
        answer = await call(self._http, "POST", wire.CANCEL_RUN.format(id=run_id))
        match answer:
            case HttpAnswer(status=httpx.codes.OK):
                return read_cancellation(answer.body, run_id)
            case HttpAnswer(status=status) if status in _REFUSED and is_from_api(answer):
                words = read_envelope(read_unambiguous(answer.body))
                raise WrongInput(self._hide(f"run {run_id} cannot be cancelled: {status} {words}"))
            case _:
                raise self._explain(answer)

    def _explain(self, answer: HttpAnswer | NoAnswer) -> BatchfishError:
        return self._known.judge(explain(answer, self._hide))

    def _take(self, answer: HttpAnswer) -> None:
        """Check that a 200 is an answer of the API."""
        if not isinstance(read_unambiguous(answer.body), dict):
            raise WebAgentUnavailable("the answer to a cancel is not a JSON object")
        self._known.has_answered = True

    async def _cancel_many(self, ids: list[str]) -> bool:
        """Cancel up to a hundred; false where it must be done one by one, as one id may spoil the call."""
        if self._has_batch is False:
            return False
        answer = await call(self._http, "POST", wire.CANCEL_RUNS, body=encode_ids(ids))
        match answer:
            case HttpAnswer(status=httpx.codes.OK):
                self._take(answer)
                self._has_batch = True
                return True
            case HttpAnswer(status=status) if status in ENDPOINT_MISSING:
                if self._has_batch and is_page(answer):
                    raise self._explain(answer)
                self._has_batch = False
                return False
            case HttpAnswer(status=status) if status in _REFUSED:
                return False
            case HttpAnswer() | NoAnswer():
                raise self._explain(answer)

    async def _try_to_cancel(self, run_id: str) -> None:
        answer = await call(self._http, "POST", wire.CANCEL_RUN.format(id=run_id))
        match answer:
            case HttpAnswer(status=httpx.codes.OK):
                self._take(answer)
            case HttpAnswer(status=status) if status in _REFUSED and is_from_api(answer):
                _logger.debug("run %s is not cancelled: %d", run_id, status)
            case _:
                raise self._explain(answer)
