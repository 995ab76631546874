"""Faults that requests meet in a simulation: lost answers, late acts, refusals, errors."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from batchfish.webagent.wire import RUN, RUN_ASYNC, RUN_BATCH, RUN_SSE, error_envelope

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from random import Random

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from batchfish.localagent.simulation.parameters import Simulation

CREATES = frozenset({RUN, RUN_ASYNC, RUN_BATCH, RUN_SSE})
ABORT = "batchfish.abort"
"""The ASGI extension by which a server lets an application cut the connection: {"cut": callable}."""


class Fault(StrEnum):
    """What becomes of a request."""

    RESET = "acted on, then the connection is reset"
    LATE = "the connection is reset, acted on later"
    ERROR = "answered 500, not acted on"
    ERROR_ACTED = "answered 500 or 502, acted on"
    BUSY = "answered 429"
    LOOK_ERROR = "a look answered 503"


class ConnectionCut(Exception):
    """The connection is to be cut, and the server in front of the application has no way to do so."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Faults:
    """Where faults come from: a simulation, its chance, and how to wait for a late act."""

    simulation: Simulation
    chance: Random
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    def draw(self, *, is_create: bool) -> Fault | None:
        """Draw the fault of one request, None for none."""
        simulation = self.simulation
        creates = (
            (Fault.RESET, simulation.reset),
            (Fault.LATE, simulation.late),
            (Fault.ERROR, simulation.error),
            (Fault.ERROR_ACTED, simulation.error_acted),
            (Fault.BUSY, simulation.busy),
        )
        lot = self.chance.random()
        for fault, share in creates if is_create else ((Fault.LOOK_ERROR, simulation.look_error),):
            if lot < share:
                return fault
            lot -= share
        return None


class FaultyRequests:
    """ASGI middleware that lets requests meet their faults; what is acted on, the application acts on."""

    def __init__(self, app: ASGIApp, *, faults: Faults) -> None:
        self._app = app
        self._faults = faults
        self._late: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request as ever, or as its fault says."""
        is_create = scope["type"] == "http" and scope["path"] in CREATES
        match self._faults.draw(is_create=is_create):
            case None:
                await self._app(scope, receive, send)
            case Fault.RESET:
                await self._act(scope, await _read(receive))
                await _cut(scope, receive)
            case Fault.LATE:
                body = await _read(receive)
                task = asyncio.create_task(self._act_later(scope, body))
                self._late.add(task)
                task.add_done_callback(self._late.discard)
                await _cut(scope, receive)
            case Fault.ERROR:
                await _refuse(send, 500, "INTERNAL_ERROR")
            case Fault.ERROR_ACTED:
                await self._act(scope, await _read(receive))
                await _refuse(send, self._faults.chance.choice((500, 502)), "INTERNAL_ERROR")
            case Fault.BUSY:
                wait = self._faults.simulation.retry_after if self._faults.chance.random() < 0.5 else None  # noqa: PLR2004 - half of them
                await _refuse(send, 429, "RATE_LIMIT_EXCEEDED", retry_after=wait)
            case Fault.LOOK_ERROR:
                await _refuse(send, 503, "SERVICE_BUSY")

    async def _act(self, scope: Scope, body: bytes) -> None:
        """Have a request acted on for a client that is gone once it has sent it."""
        coming: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Message:
            return coming.pop() if coming else {"type": "http.disconnect"}

        async def drop(message: Message) -> None:
            """Lose the answer."""

        await self._app(scope, receive, drop)

    async def _act_later(self, scope: Scope, body: bytes) -> None:
        await self._faults.sleep(self._faults.chance.uniform(0, self._faults.simulation.late_by))
        await self._act(scope, body)


async def _read(receive: Receive) -> bytes:
    body, is_whole = b"", False
    while not is_whole:
        message = await receive()
        body += message.get("body", b"")
        is_whole = not message.get("more_body", False)
    return body


async def _cut(scope: Scope, receive: Receive) -> None:
    cut = scope.get("extensions", {}).get(ABORT, {}).get("cut")
    if cut is None:
        raise ConnectionCut
    cut()
    while (await receive())["type"] != "http.disconnect":
        pass


async def _refuse(send: Send, status: int, code: str, *, retry_after: float | None = None) -> None:
    body = json.dumps(error_envelope(code, "A simulated fault.")).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if retry_after is not None:
        headers.append((b"retry-after", f"{retry_after:g}".encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
