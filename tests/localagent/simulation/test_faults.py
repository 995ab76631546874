"""What requests meet in a simulation: latency, and chance that is each purpose's own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from batchfish.localagent.simulation.faults import Fault, Faults, FaultyRequests
from batchfish.localagent.simulation.parameters import Simulation

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import Message, Receive, Scope, Send


@pytest.mark.parametrize(
    ("latency", "refused", "expected"),
    [(0.0, 0, ["acted on"]), (0.1, 0, [0.05, "acted on", 0.05]), (0.1, 1, [0.05, 0.05])],
)
async def test_half_of_the_latency_passes_before_a_request_is_acted_on_and_half_before_its_answer(
    latency: float, refused: float, expected: list[str | float]
) -> None:
    happened: list[str | float] = []

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        happened.append("acted on")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        happened.append(message["type"])

    async def sleep(seconds: float) -> None:
        happened.append(seconds)

    simulation = Simulation(latency=latency, look_error=refused)
    faults = faults_of(simulation, sleep)
    await FaultyRequests(app, faults=faults)({"type": "http", "path": "/v1/runs"}, receive, send)
    assert happened == [*expected, "http.response.start", "http.response.body"]


def faults_of(simulation: Simulation, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> Faults:
    chances = simulation.chance("requests"), simulation.chance("faults")
    return Faults(simulation=simulation, chance=chances[0], creates=chances[1], sleep=sleep)


def test_the_nth_create_meets_the_same_fault_whatever_is_asked_in_between() -> None:
    simulation = Simulation(seed=5, reset=0.3, error=0.3, look_error=0.3)
    alone, beside = faults_of(simulation), faults_of(simulation)
    drawn = []
    for n in range(100):
        for _ in range(n % 3):
            beside.draw(is_create=False)
        drawn.append((alone.draw(is_create=True), beside.draw(is_create=True)))
    assert all(one == other for one, other in drawn)
    assert {one for one, _ in drawn} == {Fault.RESET, Fault.ERROR, None}


def test_each_purpose_has_chance_of_its_own_by_the_seed() -> None:
    simulation = Simulation(seed=3, latency=0.03, jitter=0.05)
    draws = [one.chance(name).random() for one in (simulation, Simulation()) for name in ("runs", "requests")]
    assert len(set(draws)) == 4
    assert simulation.chance("runs").random() == draws[0]
    latencies = [simulation.draw_latency(simulation.chance(str(n))) for n in range(500)]
    assert (min(latencies), max(latencies)) == pytest.approx((0.03, 0.08), abs=0.001)
