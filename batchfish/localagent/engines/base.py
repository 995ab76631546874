"""The port of the engines: what a run asks for, what an engine tells while it works, how it ends.

An engine that sees a page hands a picture along with a step; one that fills a property says where the value
stood. Both are optional: the live view shows what is there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias


@dataclass(frozen=True, kw_only=True, slots=True)
class RunRequest:
    """What one run asks for; `options` holds the other request fields by the API's own names."""

    url: str
    goal: str
    output_schema: Mapping[str, Any] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class RunFailure:
    """Why a run failed, in the API's words; `retry_after` is seconds, None: repeating is pointless."""

    message: str
    category: str = "AGENT_FAILURE"
    code: str
    retry_after: float | None = None


def system_failure(code: str, message: str) -> RunFailure:
    """Say that this agent, not the page or the goal, is to blame: another attempt may do better."""
    return RunFailure(code=code, message=message, category="SYSTEM_FAILURE", retry_after=1.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class RunOutcome:
    """How a run ended: with a result or a failure; `re_prompts` is how often a model was asked again."""

    result: Any = None
    failure: RunFailure | None = None
    re_prompts: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Match:
    """Where a value was found: the property of the schema, as a path, and the place on the page, in words."""

    name: str
    where: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One thing an engine did, in words; the number of steps is what the API bills.

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
        """Work on a run to its end, telling each step; an exception is a bug of the engine."""
        ...

    async def close(self) -> None:
        """Release what the engine holds: connections, worker processes, browsers."""
        ...
