"""Webhooks: the POST that reports the end of a run to its `webhook_url`."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Self

import msgspec

from batchfish.localagent.api.answers import show_run
from batchfish.localagent.runs.steps import load_steps

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from batchfish.localagent.egress.proxy import Egress, Ticket
    from batchfish.localagent.runs.records import StoredRun

LOGGER = logging.getLogger(__name__)
WAITS = (1.0, 2.0, 4.0)
TIME_LIMIT = 10.0
MOST_AT_ONCE = 20
GRACE = 5.0
HEADERS = {"Content-Type": "application/json", "User-Agent": "batchfish-local-agent"}


class WebhookRefused(Exception):
    """The egress does not open the address of a webhook; the text says why."""


class Webhooks:
    """Delivers webhooks in the background, as the API does: 4 attempts, 1, 2 and 4 seconds apart.

    An attempt has 10 seconds. An error of the server or the network is tried again; any other answer is
    final, and so is a refusal of the egress: an address that runs may not open gets no webhook either.
    Leaving the block waits a few seconds for deliveries in progress and drops the others.
    """

    def __init__(
        self,
        egress: Egress,
        watch_url: Callable[[str], str],
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`watch_url` returns the address of a run's live view."""
        self._egress = egress
        self._watch_url = watch_url
        self._sleep = sleep
        self._slots = asyncio.Semaphore(MOST_AT_ONCE)
        self._deliveries: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Deliver for the length of a block."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Wait for deliveries, up to GRACE seconds, and cancel those that are left."""
        if self._deliveries:
            await asyncio.wait(self._deliveries, timeout=GRACE)
        for delivery in self._deliveries:
            delivery.cancel()
        await asyncio.gather(*self._deliveries, return_exceptions=True)

    def announce(self, run: StoredRun) -> None:
        """Start to report a run with a webhook, which has ended."""
        url = json.loads(run.options)["webhook_url"]
        delivery = asyncio.create_task(self._deliver(url, run))
        self._deliveries.add(delivery)
        delivery.add_done_callback(self._deliveries.discard)

    async def _deliver(self, url: str, run: StoredRun) -> None:
        import httpx

        body = self._body(run)
        why = ""
        for wait in (*WAITS, None):
            async with self._slots:
                try:
                    async with asyncio.timeout(TIME_LIMIT):
                        status = await self._post(url, body)
                except (httpx.HTTPError, TimeoutError) as broken:
                    why = str(broken) or type(broken).__name__
                except WebhookRefused as refused:
                    why = str(refused)
                    break
                else:
                    if httpx.codes.is_success(status):
                        return
                    why = f"it answered {status}"
                    if status < httpx.codes.INTERNAL_SERVER_ERROR:
                        break
            if wait is not None:
                await self._sleep(wait)
        LOGGER.warning("run %s: its webhook %s was not delivered: %s", run.run_id, url, why)

    async def _post(self, url: str, body: bytes) -> int:
        import httpx

        from batchfish.localagent.egress.client import open_client

        async with open_client(self._egress, headers=HEADERS, timeout=TIME_LIMIT) as (client, ticket):
            try:
                async with client.stream("POST", url, content=body) as answer:
                    status = answer.status_code
            except httpx.HTTPError:
                _check_refusals(ticket)
                raise
            _check_refusals(ticket)
            return status

    def _body(self, run: StoredRun) -> bytes:
        document = {
            "event": f"run.{run.status.lower()}",
            "run_id": run.run_id,
            "status": run.status,
            "data": show_run(run, load_steps(run.steps), watch_url=self._watch_url(run.run_id)),
        }
        return msgspec.json.encode(document)


def _check_refusals(ticket: Ticket) -> None:
    for _, refused in ticket.refusals:
        if not refused.is_ours:
            raise WebhookRefused(str(refused))
