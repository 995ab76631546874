"""The engine that reads no page, and what its options say."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from batchfish.core.schema import find_violations
from batchfish.errors import WrongInput
from batchfish.localagent.engines.base import RunRequest
from batchfish.localagent.simulation.engine import SimulateEngine, make_result
from batchfish.localagent.simulation.faults import Fault, Faults
from batchfish.localagent.simulation.parameters import Simulation, parse_simulation

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "title": {"type": "string"},
        "price": {"type": "number", "minimum": 3, "maximum": 4},
        "pages": {"type": "integer", "maximum": -5},
        "ready": {"type": "boolean"},
        "grade": {"type": "string", "enum": ["a", "b"]},
        "day": {"type": "string", "format": "date"},
        "either": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
        "rows": {
            "type": "array",
            "minItems": 2,
            "items": {"type": "object", "properties": {"n": {"type": "integer"}}},
        },
    },
    "required": ["title", "price", "pages", "ready", "grade", "day", "either", "rows"],
}


def request(url: str = "http://a.example/1", goal: str = "Read it") -> RunRequest:
    return RunRequest(url=url, goal=goal, output_schema=SCHEMA)


def test_a_made_up_result_fits_its_schema_and_names_its_request() -> None:
    made = make_result(request())
    assert find_violations(made, SCHEMA) == []
    assert made["simulated"] == {"url": "http://a.example/1", "goal": "Read it"}
    assert make_result(request()) == made
    assert make_result(request(url="http://a.example/2")) != made


async def run_many(simulation: Simulation, count: int) -> tuple[list[float], list[str]]:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    engine = SimulateEngine(simulation, chance=Random(7), sleep=sleep)
    outcomes = [await engine.run(request(), lambda _: None) for _ in range(count)]
    return waits, ["failed" if one.failure else "empty" if one.result is None else "done" for one in outcomes]


async def test_shares_and_durations_are_those_asked_for() -> None:
    waits, ends = await run_many(Simulation(duration=2, sigma=1, failed=0.2, empty=0.1), 4000)
    assert sum(waits) / len(waits) == pytest.approx(2, rel=0.1)
    assert min(waits) < 0.5
    assert max(waits) > 6
    assert ends.count("failed") / len(ends) == pytest.approx(0.2, abs=0.03)
    assert ends.count("empty") / len(ends) == pytest.approx(0.1, abs=0.03)


async def test_one_seed_is_one_history() -> None:
    simulation = Simulation(duration=1, sigma=1, failed=0.5)
    assert await run_many(simulation, 50) == await run_many(simulation, 50)


def test_faults_come_in_their_shares_and_only_to_creates() -> None:
    faults = Faults(simulation=Simulation(reset=0.1, late=0.1, error=0.1, busy=0.1), chance=Random(7))
    drawn = [faults.draw(is_create=True) for _ in range(4000)]
    for fault in (Fault.RESET, Fault.LATE, Fault.ERROR, Fault.BUSY):
        assert drawn.count(fault) / len(drawn) == pytest.approx(0.1, abs=0.02)
    assert drawn.count(None) / len(drawn) == pytest.approx(0.6, abs=0.03)
    assert {faults.draw(is_create=False) for _ in range(100)} == {None}


def test_options_are_read_from_one_text() -> None:
    assert parse_simulation("seed=3, duration=0.5,reset=0.02") == Simulation(seed=3, duration=0.5, reset=0.02)
    assert parse_simulation("") == Simulation()


@pytest.mark.parametrize(
    "text", ["speed=1", "duration=x", "duration", "duration=-1", "reset=0.6,late=0.6", "seed=1.5"]
)
def test_options_that_make_no_sense_are_named(text: str) -> None:
    with pytest.raises(WrongInput, match=text.partition("=")[0]):
        parse_simulation(text)
