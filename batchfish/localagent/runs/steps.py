"""The steps of a run: growing while it works, stored as JSON afterwards."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchfish.localagent.engines.base import Match, Step
from batchfish.localagent.runs.records import dump

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

STEP_NUMBER = re.compile(r"[1-9][0-9]{0,8}")


@dataclass(frozen=True, kw_only=True, slots=True)
class TimedStep:
    """A step and when it was taken, epoch seconds; the bytes of its screenshot may lie in the store."""

    at: float
    step: Step
    has_screenshot: bool = False


def screenshots_of(steps: Iterable[TimedStep]) -> Iterator[tuple[int, bytes]]:
    """Yield the screenshots that steps carry, each with the number of its step, from 1."""
    for number, timed in enumerate(steps, start=1):
        if timed.step.screenshot is not None:
            yield number, timed.step.screenshot


def dump_steps(steps: Sequence[TimedStep]) -> str:
    """Return steps as JSON, without their screenshots."""
    return dump(
        [
            {
                "at": timed.at,
                "action": timed.step.action,
                "duration": timed.step.duration,
                "matched": timed.step.matched and [timed.step.matched.name, timed.step.matched.where],
                "has_screenshot": timed.has_screenshot,
            }
            for timed in steps
        ]
    )


def load_steps(text: str | None) -> list[TimedStep]:
    """Parse what `dump_steps` returned; None is no steps."""
    return [
        TimedStep(
            at=row["at"],
            step=Step(
                action=row["action"],
                duration=row["duration"],
                matched=row["matched"] and Match(name=row["matched"][0], where=row["matched"][1]),
            ),
            has_screenshot=row["has_screenshot"],
        )
        for row in json.loads(text or "[]")
    ]


def step_number(text: str) -> int | None:
    """Parse the number of a step in a URL or header; None if it is none."""
    return int(text) if STEP_NUMBER.fullmatch(text) else None


class Trail:
    """The steps of a run until it is over; any number of watchers read it, each at its pace."""

    __slots__ = ("_changed", "changes", "is_over", "steps")

    def __init__(self, steps: Iterable[TimedStep] = (), *, is_over: bool = False) -> None:
        self.steps = list(steps)
        self.is_over = is_over
        self.changes = 0
        self._changed: asyncio.Event | None = None

    def add(self, step: Step, *, at: float) -> None:
        """Append a step taken at a time."""
        self.steps.append(TimedStep(at=at, step=step, has_screenshot=step.screenshot is not None))
        self.wake()

    def close(self) -> None:
        """Mark the run as over."""
        self.is_over = True
        self.wake()

    def wake(self) -> None:
        """Wake the watchers: something about the run has changed."""
        self.changes += 1
        if self._changed is not None:
            self._changed.set()
            self._changed = None  # a later wait is for a later change

    async def changed(self, seen: int) -> None:
        """Wait until there have been more than `seen` changes, or the run is over."""
        while self.changes <= seen and not self.is_over:
            if self._changed is None:
                self._changed = asyncio.Event()
            await self._changed.wait()
