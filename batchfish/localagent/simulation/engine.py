"""The engine that reads no page: it waits, and returns a made-up result that names its request."""

from __future__ import annotations

import asyncio
import zlib
from typing import TYPE_CHECKING, Any

from batchfish.localagent.engines.base import Emit, RunOutcome, RunRequest, Step, system_failure

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from random import Random

    from batchfish.localagent.simulation.parameters import Simulation

SHORTEST_LIST = 1
BY_FORMAT = {
    "date": "2000-01-01",
    "date-time": "2000-01-01T00:00:00Z",
    "time": "00:00:00",
    "duration": "PT1S",
}


class SimulateEngine:
    """Ends runs as a `Simulation` says, without opening any page."""

    def __init__(
        self,
        simulation: Simulation,
        *,
        chance: Random,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`chance` is drawn from in the order in which runs start."""
        self._simulation = simulation
        self._chance = chance
        self._sleep = sleep

    async def run(self, request: RunRequest, emit: Emit) -> RunOutcome:
        """Wait, then return the outcome that is drawn."""
        duration = self._simulation.draw_duration(self._chance)
        lot = self._chance.random()
        emit(Step(action="simulated: no page is read", duration=duration))
        await self._sleep(duration)
        if lot < self._simulation.failed:
            return RunOutcome(failure=system_failure("LOCAL_SIMULATED", "This run was drawn to fail."))
        if lot < self._simulation.failed + self._simulation.empty:
            return RunOutcome()
        return RunOutcome(result=make_result(request))

    async def close(self) -> None:
        """Release nothing."""


def make_result(request: RunRequest) -> dict[str, Any]:
    """Return a result that fits the request's schema and names the request under `simulated`.

    The same request always gets the same result, so that a result in the wrong row can be recognized.
    """
    properties: Mapping[str, Mapping[str, Any]] = (request.output_schema or {}).get("properties", {})
    made = {name: _value(schema, name, request.url) for name, schema in properties.items()}
    return {**made, "simulated": {"url": request.url, "goal": request.goal}}


def _value(schema: Mapping[str, Any], name: str, url: str) -> object:
    if schema.get("enum"):
        return schema["enum"][0]
    if schema.get("anyOf"):
        return _value(schema["anyOf"][0], name, url)
    match schema.get("type", "object"):
        case "object":
            properties: Mapping[str, Mapping[str, Any]] = schema.get("properties", {})
            return {key: _value(inner, key, url) for key, inner in properties.items()}
        case "array":
            count = max(schema.get("minItems", 0), min(SHORTEST_LIST, schema.get("maxItems", SHORTEST_LIST)))
            return [_value(schema.get("items", {"type": "string"}), name, f"{url}#{n}") for n in range(count)]
        case "boolean":
            return zlib.crc32(f"{name} {url}".encode()) % 2 == 0
        case "integer" | "number" as kind:
            return _number(schema, zlib.crc32(f"{name} {url}".encode()), is_whole=kind == "integer")
        case _:
            return BY_FORMAT.get(schema.get("format", ""), f"{name} of {url}")


def _number(schema: Mapping[str, Any], drawn: int, *, is_whole: bool) -> float:
    low = schema.get("minimum", min(0, schema.get("maximum", 0)))
    high = schema.get("maximum", low + 1000)
    if is_whole:
        return int(low) + drawn % (int(high - low) + 1)
    return float(low + (high - low) * (drawn % 1001) / 1000)
