"""What a run has told so far, and a way to wait for more."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchfish.localagent.engines.base import Match, Step
from batchfish.localagent.runs.captures import HTML, SCREENSHOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

STEP_NUMBER = re.compile(r"[1-9][0-9]{0,8}")


@dataclass(frozen=True, kw_only=True, slots=True)
class TimedStep:
    """A step, when it was told, and which captures there are of it (the bytes may lie in the book)."""

    at: float
    step: Step
    captured: tuple[str, ...] = ()


def timed(step: Step, at: float) -> TimedStep:
    """Note when a step was told."""
    captured = [(SCREENSHOT, step.screenshot), (HTML, step.html)]
    return TimedStep(at=at, step=step, captured=tuple(kind for kind, body in captured if body is not None))


def captures_of(steps: Iterable[TimedStep]) -> Iterator[tuple[int, str, bytes]]:
    """Give what steps captured: the number of the step, from 1, the kind, the bytes."""
    for number, timed in enumerate(steps, start=1):
        if timed.step.screenshot is not None:
            yield number, SCREENSHOT, timed.step.screenshot
        if timed.step.html is not None:
            yield number, HTML, timed.step.html.encode(errors="replace")


def dump_steps(steps: Sequence[TimedStep]) -> str:
    """Write steps down as JSON, without what they captured."""
    return json.dumps(
        [
            {
                "at": timed.at,
                "action": timed.step.action,
                "duration": timed.step.duration,
                "matched": timed.step.matched and [timed.step.matched.name, timed.step.matched.where],
                "captured": timed.captured,
            }
            for timed in steps
        ]
    )


def load_steps(text: str) -> list[TimedStep]:
    """Read steps as `dump_steps` wrote them."""
    return [
        TimedStep(
            at=row["at"],
            step=Step(
                action=row["action"],
                duration=row["duration"],
                matched=row["matched"] and Match(name=row["matched"][0], where=row["matched"][1]),
            ),
            captured=tuple(row["captured"]),
        )
        for row in json.loads(text)
    ]


def step_number(text: str) -> int | None:
    """Read the number of a step, as clients name it; None where the text is none."""
    return int(text) if STEP_NUMBER.fullmatch(text) else None


class Trail:
    """The steps of a run, growing until the run is over; any number of watchers read it, each at its pace."""

    __slots__ = ("_changed", "changes", "is_over", "steps")

    def __init__(self, steps: Iterable[TimedStep] = (), *, is_over: bool = False) -> None:
        self.steps = list(steps)
        self.is_over = is_over
        self.changes = 0
        self._changed: asyncio.Event | None = None

    def add(self, step: TimedStep) -> None:
        """Tell of another step."""
        self.steps.append(step)
        self.mark()

    def close(self) -> None:
        """Tell that the run is over."""
        self.is_over = True
        self.mark()

    def mark(self) -> None:
        """Wake whoever waits: something about the run is new."""
        self.changes += 1
        if self._changed is not None:
            self._changed.set()
            self._changed = None  # the next to wait waits for the next change

    async def changed(self, seen: int) -> None:
        """Wait until there have been more than `seen` changes, or the run is over."""
        while self.changes <= seen and not self.is_over:
            if self._changed is None:
                self._changed = asyncio.Event()
            await self._changed.wait()
