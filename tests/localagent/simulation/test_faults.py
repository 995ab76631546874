"""What requests meet in a simulation: latency, and chance that is each purpose's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from batchfish.localagent.simulation.faults import FaultyRequests, faults_of
from batchfish.localagent.simulation.parameters import Simulation

if TYPE_CHECKING:
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

    faults = faults_of(Simulation(latency=latency, look_error=refused), sleep)
    await FaultyRequests(app, faults=faults)({"type": "http", "path": "/v1/runs"}, receive, send)
    assert happened == [*expected, "http.response.start", "http.response.body"]


def test_the_nth_create_meets_the_same_fault_whatever_is_asked_in_between() -> None:
    alone, beside = (faults_of(Simulation(reset=0.3, error=0.3)) for _ in range(2))
    for _ in range(50):
        beside.draw(is_create=False)
        assert alone.draw(is_create=True) == beside.draw(is_create=True)


def test_each_purpose_has_chance_of_its_own_by_the_seed() -> None:
    simulation = Simulation(seed=3, latency=0.03, jitter=0.05)
    draws = [one.chance(name).random() for one in (simulation, Simulation()) for name in ("runs", "requests")]
    assert len(set(draws)) == 4
    assert simulation.chance("runs").random() == draws[0]
    latencies = [simulation.draw_latency(simulation.chance(str(n))) for n in range(500)]
    assert (min(latencies), max(latencies)) == pytest.approx((0.03, 0.08), abs=0.001)
