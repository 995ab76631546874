"""What requests meet in a simulation: latency, and chance that is each purpose's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from batchfish.localagent.simulation.faults import Faults, FaultyRequests
from batchfish.localagent.simulation.parameters import Simulation

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send


async def history(simulation: Simulation, *, requests: int = 1) -> list[str | float]:
    """Send requests to an application behind the faults; return what it did, and the waits in between."""
    happened: list[str | float] = []

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        happened.append("acted on")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for more in (True, False):
            await send({"type": "http.response.body", "body": b"{}", "more_body": more})

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        happened.append(message["type"])

    async def sleep(seconds: float) -> None:
        happened.append(seconds)

    faults = Faults(simulation=simulation, chance=simulation.chance("requests"), sleep=sleep)
    served = FaultyRequests(app, faults=faults)
    for _ in range(requests):
        await served({"type": "http", "path": "/v1/runs"}, receive, send)
    return happened


BODY = ["http.response.body", "http.response.body"]


async def test_half_of_the_latency_passes_before_a_request_is_acted_on_and_half_before_its_answer() -> None:
    assert await history(Simulation(latency=0.1)) == [0.05, "acted on", 0.05, "http.response.start", *BODY]
    assert await history(Simulation()) == ["acted on", "http.response.start", *BODY]


async def test_latency_of_a_range_is_drawn_for_each_request() -> None:
    waits = [
        wait
        for wait in await history(Simulation(latency=0.03, jitter=0.05), requests=500)
        if isinstance(wait, float)
    ]
    assert len(waits) == 1000
    assert waits[::2] == waits[1::2]
    assert (2 * min(waits), 2 * max(waits)) == pytest.approx((0.03, 0.08), abs=0.001)


async def test_a_refusal_takes_its_latency_too() -> None:
    happened = await history(Simulation(latency=0.1, look_error=1))
    assert happened == [0.05, 0.05, "http.response.start", "http.response.body"]


def test_each_purpose_has_chance_of_its_own_by_the_seed() -> None:
    drawn = {
        (seed, purpose): Simulation(seed=seed).chance(purpose).random()
        for seed in (3, 4)
        for purpose in ("runs", "requests")
    }
    assert len(set(drawn.values())) == 4
    assert Simulation(seed=3).chance("runs").random() == drawn[3, "runs"]
