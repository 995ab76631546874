"""Faults that requests meet in a simulation: lost answers, late acts, refusals, errors."""

from __future__ import annotations

import asyncio
import socket
import struct
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from batchfish.localagent.api.guard import read_body, replay
from batchfish.localagent.api.refusals import refused
from batchfish.webagent.wire import RUN, RUN_ASYNC, RUN_BATCH, RUN_SSE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from random import Random

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from batchfish.localagent.simulation.parameters import Simulation

CREATES = frozenset({RUN, RUN_ASYNC, RUN_BATCH, RUN_SSE})
RESET = "batchfish.reset"
"""The ASGI extension of ResettableProtocol: {"reset": callable}."""
MOST_BESIDE_BODY = 1024 * 1024  # bytes of one request
LINGER_NONE = struct.pack("ii", 1, 0)


class Fault(StrEnum):
    """The fault that a request meets."""

    RESET = "acted on, then the connection is reset"
    LATE = "the connection is reset, acted on later"
    ERROR = "answered 500, not acted on"
    ERROR_ACTED = "answered 500 or 502, acted on"
    BUSY = "answered 429"
    LOOK_ERROR = "a request that creates nothing is answered 503"


@dataclass(frozen=True, kw_only=True, slots=True)
class Faults:
    """The source of faults: a simulation, its chance, and how to wait for a late act.

    The n-th create meets the same fault with the same seed, whatever else is asked in between.
    """

    simulation: Simulation
    chance: Random
    creates: Random
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    def draw(self, *, is_create: bool) -> Fault | None:
        """Return the fault of one request, None for none."""
        simulation = self.simulation
        creates = (
            (Fault.RESET, simulation.reset),
            (Fault.LATE, simulation.late),
            (Fault.ERROR, simulation.error),
            (Fault.ERROR_ACTED, simulation.error_acted),
            (Fault.BUSY, simulation.busy),
        )
        lot = (self.creates if is_create else self.chance).random()
        for fault, share in creates if is_create else ((Fault.LOOK_ERROR, simulation.look_error),):
            if lot < share:
                return fault
            lot -= share
        return None


def faults_of(simulation: Simulation, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> Faults:
    """Return the source of the faults of a simulation."""
    chance, creates = simulation.chance("requests"), simulation.chance("faults")
    return Faults(simulation=simulation, chance=chance, creates=creates, sleep=sleep)


class FaultyRequests:
    """ASGI middleware that draws a fault for each request."""

    def __init__(self, app: ASGIApp, *, faults: Faults) -> None:
        self._app = app
        self._faults = faults
        self._late: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or do what its fault says, with the latency of the simulation."""
        if latency := self._faults.simulation.draw_latency(self._faults.chance):
            await self._faults.sleep(latency / 2)
            send = _later(send, self._faults.sleep, latency / 2)

        async def refuse(status: int, code: str, headers: Mapping[str, str] | None = None) -> None:
            await refused(status, code, "A simulated fault.", headers=headers)(scope, receive, send)

        match self._faults.draw(is_create=scope["path"] in CREATES):
            case None:
                await self._app(scope, receive, send)
            case Fault.RESET:
                await self._act(scope, await read_body(receive))
                await _reset(scope, receive)
            case Fault.LATE:
                body = await read_body(receive)
                task = asyncio.create_task(self._act_later(scope, body))
                self._late.add(task)
                task.add_done_callback(self._late.discard)
                await _reset(scope, receive)
            case Fault.ERROR:
                await refuse(500, "INTERNAL_ERROR")
            case Fault.ERROR_ACTED:
                await self._act(scope, await read_body(receive))
                await refuse(self._faults.chance.choice((500, 502)), "INTERNAL_ERROR")
            case Fault.BUSY:
                headers = {"retry-after": f"{self._faults.simulation.retry_after:g}"}
                is_told = self._faults.chance.random() < 0.5  # noqa: PLR2004 - half of them
                await refuse(429, "RATE_LIMIT_EXCEEDED", headers if is_told else None)
            case Fault.LOOK_ERROR:
                await refuse(503, "SERVICE_BUSY")

    async def _act(self, scope: Scope, body: bytes) -> None:
        """Act on a request as if its client had gone after sending it."""

        async def disconnected() -> Message:
            return {"type": "http.disconnect"}

        async def drop(message: Message) -> None:
            """Lose the answer."""

        await self._app(scope, replay(body, disconnected), drop)

    async def _act_later(self, scope: Scope, body: bytes) -> None:
        await self._faults.sleep(self._faults.chance.uniform(0, self._faults.simulation.late_by))
        await self._act(scope, body)


class ResettableProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 with bounded heads; by an ASGI extension the application resets the connection."""

    _beside_body = 0

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self._beside_body = 0
        self.scope["extensions"] = {RESET: {"reset": self._reset}}

    def on_body(self, body: bytes) -> None:
        """Pass a part of a body on; it is bounded where it is read."""
        self._beside_body -= len(body)
        super().on_body(body)

    def data_received(self, data: bytes) -> None:
        """Parse data; a head that goes on is a 400, and so is what stands between the chunks of a body."""
        self._beside_body += len(data)
        super().data_received(data)
        if self._beside_body > MOST_BESIDE_BODY and not self.transport.is_closing():
            self.send_400_response("The head of the request is too large.")

    def _reset(self) -> None:
        peer = self.transport.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NONE)
        self.transport.abort()


def _later(send: Send, sleep: Callable[[float], Awaitable[None]], seconds: float) -> Send:
    """Return a `send` that waits before an answer begins."""

    async def send_later(message: Message) -> None:
        if message["type"] == "http.response.start":
            await sleep(seconds)
        await send(message)

    return send_later


async def _reset(scope: Scope, receive: Receive) -> None:
    scope["extensions"][RESET]["reset"]()
    while (await receive())["type"] != "http.disconnect":
        pass
