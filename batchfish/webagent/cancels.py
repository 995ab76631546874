"""Cancelling runs: in hundreds where the API can, one by one where it cannot."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import httpx

from batchfish.webagent import wire
from batchfish.webagent.http import HttpAnswer, NoAnswer, call
from batchfish.webagent.ids import chunks, distinct, encode_ids
from batchfish.webagent.refusals import ENDPOINT_MISSING, explain, is_from_api

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_REFUSED = frozenset({400, 404, 405, 409, 422})
_logger = logging.getLogger(__name__)


class RunCanceller:
    """Cancels runs, and remembers whether the endpoint for many is there."""

    def __init__(self, http: httpx.AsyncClient, hide: Callable[[str], str]) -> None:
        """Take the connections, and what blots secrets out of a message."""
        self._http = http
        self._hide = hide
        self._has_batch = True

    async def cancel(self, run_ids: Sequence[str]) -> None:
        """Ask that runs be cancelled, which may be repeated at will; one that cannot be is left as it is."""
        for ids in chunks(distinct(run_ids), wire.IDS_PER_CALL):
            if not await self._cancel_many(ids):
                for run_id in ids:
                    await self._cancel_one(run_id)

    async def _cancel_many(self, ids: list[str]) -> bool:
        """Cancel up to a hundred; false where it must be done one by one, as one id may spoil the call."""
        if not self._has_batch:
            return False
        answer = await call(self._http, "POST", wire.CANCEL_RUNS, body=encode_ids(ids))
        match answer:
            case HttpAnswer(status=httpx.codes.OK):
                return True
            case HttpAnswer(status=status) if status in _REFUSED:
                self._has_batch = status not in ENDPOINT_MISSING
                return False
            case HttpAnswer() | NoAnswer():
                raise explain(answer, self._hide)

    async def _cancel_one(self, run_id: str) -> None:
        answer = await call(self._http, "POST", wire.CANCEL_RUN.format(id=run_id))
        match answer:
            case HttpAnswer(status=httpx.codes.OK):
                pass
            case HttpAnswer(status=status) if status in _REFUSED and is_from_api(answer):
                _logger.debug("run %s is not cancelled: %d", run_id, status)
            case _:
                raise explain(answer, self._hide)
