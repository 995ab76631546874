"""The port of the engines: the request of a run, the steps that an engine reports, the outcome.

An engine that sees a page hands a picture along with a step; one that fills a property says where the value
stood. Both are optional: the live view shows what is there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias


@dataclass(frozen=True, kw_only=True, slots=True)
class RunRequest:
    """The request of one run; `options` holds its other fields by the API's own names."""

    url: str
    goal: str
    output_schema: Mapping[str, Any] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class RunFailure:
    """The error of a failed run, in the API's words; `retry_after` in seconds, None: a retry is pointless."""

    message: str
    category: str = "AGENT_FAILURE"
    code: str
    retry_after: float | None = None


def system_failure(code: str, message: str) -> RunFailure:
    """Return a failure that is this agent's fault, not the page's: another attempt may succeed."""
    return RunFailure(code=code, message=message, category="SYSTEM_FAILURE", retry_after=1.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class RunOutcome:
    """The end of a run: a result or a failure; `re_prompts` counts how often a model was asked again."""

    result: Any = None
    failure: RunFailure | None = None
    re_prompts: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Match:
    """The evidence of a value: the property of the schema, as a path, and the place on the page, in words."""

    name: str
    where: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One action of an engine, in words; the API bills by the number of steps.

    `duration` is in seconds, `screenshot` a JPEG of the page after the step.
    """

    action: str
    duration: float | None = None
    matched: Match | None = None
    screenshot: bytes | None = field(default=None, repr=False)


Emit: TypeAlias = Callable[[Step], None]


class Engine(Protocol):
    """Works on runs; a call that is cancelled stops its work at once and leaves nothing behind."""

    async def run(self, request: RunRequest, emit: Emit) -> RunOutcome:
        """Carry out a run to its end and report each step; an exception is a bug of the engine."""
        ...

    async def close(self) -> None:
        """Release what the engine holds: connections, worker processes, browsers."""
        ...
