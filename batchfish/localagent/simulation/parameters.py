"""The parameters of a simulation: durations, outcomes, lags and faults, from the value of --simulate."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from random import Random
from typing import TYPE_CHECKING

from batchfish.errors import WrongInput

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True, slots=True)
class Simulation:
    """How a simulated agent behaves; one seed gives the n-th run to start the same duration and outcome.

    Times are in seconds, shares from 0 to 1.

    - Runs: `duration` is the mean and `sigma` the spread of a lognormal distribution (0: all alike). A share
      of `failed` ends as FAILED, `empty` as COMPLETED without a result. Listings omit a new run for up to
      `lag`.
    - Requests that create runs: a share of `reset` is acted on and its connection reset; `late` is reset and
      acted on up to `late_by` later; `error` is answered 500 and not acted on; `error_acted` is answered 500
      or 502 and acted on; `busy` is answered 429, half of it with `retry_after`.
    - Other requests: a share of `look_error` is answered 503.
    - Every request takes `latency` and up to `jitter` longer, half of it before it is acted on and half of it
      before its answer.
    """

    seed: int = 0
    duration: float = 0.1
    sigma: float = 0.0
    failed: float = 0.0
    empty: float = 0.0
    lag: float = 0.0
    reset: float = 0.0
    late: float = 0.0
    late_by: float = 3.0
    error: float = 0.0
    error_acted: float = 0.0
    busy: float = 0.0
    retry_after: float = 1.0
    look_error: float = 0.0
    latency: float = 0.0
    jitter: float = 0.0

    def chance(self, purpose: str) -> Random:
        """Return the source of chance for one purpose: what others draw does not change what it draws."""
        return Random(f"{self.seed} {purpose}")  # noqa: S311 - simulated chance, no secret

    def draw_duration(self, chance: Random) -> float:
        """Return how long a run takes."""
        if not self.sigma:
            return self.duration
        return chance.lognormvariate(math.log(self.duration) - self.sigma**2 / 2, self.sigma)

    def draw_latency(self, chance: Random) -> float:
        """Return how much longer one request takes."""
        return chance.uniform(self.latency, self.latency + self.jitter)

    def draw_lag(self, chance: Random) -> float:
        """Return how long listings omit a new run."""
        return chance.uniform(0, self.lag)


def parse_simulation(text: str) -> Simulation:
    """Parse `key=value,key=value`; WrongInput for an unknown key or a bad value."""
    known = {field.name: field.type for field in fields(Simulation)}
    given: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = part.partition("=")
        if name not in known:
            raise WrongInput(f"--simulate: there is no {name!r}. There are: {', '.join(known)}.")
        try:
            given[name] = int(value) if known[name] == "int" else float(value)
        except ValueError:
            raise WrongInput(f"--simulate: {name} wants a number, not {value!r}.") from None
        if not given[name] >= 0 or math.isinf(given[name]):
            raise WrongInput(f"--simulate: {name} wants a number from 0, not {value!r}.")
    _check_shares(given)
    return Simulation(**given)  # type: ignore[arg-type]  # a seed was read as an int above


def _check_shares(given: Mapping[str, float]) -> None:
    for group in (("failed", "empty"), ("reset", "late", "error", "error_acted", "busy"), ("look_error",)):
        if sum(given.get(name, 0) for name in group) > 1:
            raise WrongInput(f"--simulate: the shares of {', '.join(group)} together are more than 1.")
