"""Whether an unanswered create has made a run: what the searches for it prove.

A search that finds nothing proves nothing by itself, since the listing may lag, be filtered, or belong to
another key. Absence is proven by time (`settle`), two complete searches that find nothing, and a control: a
run known to exist that a search of the same kind finds.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

from batchfish.core.backoff import exponential
from batchfish.core.describe import spell_duration

if TYPE_CHECKING:
    from batchfish.core.rules import UnansweredRules
    from batchfish.core.runs import RunSnapshot

LONG_SETTLE = 6.0
"""Without a fresh control, and while the listing is down, this many times `settle` must pass."""

FIRST_PAUSE = 2.0
SHORTEST_PAUSE = 0.05
"""Bounds of the pause between two searches, in seconds."""


class Control(Enum):
    """The result of the search for a run known to exist, in the same round."""

    FRESH = "intended after the unanswered create was given up, and found"
    OLDER = "intended before the unanswered create was given up, and found"
    TOO_NEW = "known for so short a time that it may not be listed yet, and not found"
    MISSING = "known for longer than `settle`, and not found"
    NONE = "no run was accepted under the unanswered create's key with a goal as long as its own"
    IMPOSSIBLE = "this journal never had an accepted run"


class Evidence(Struct, frozen=True, kw_only=True):
    """The facts known of one unanswered create; times in seconds since it was given up.

    `found` is a run that carries the item's marker and no attempt's run_id; `obstacle` says why the latest
    search proves nothing (a row whose marker cannot be read may be the run). `searches` counts the searches
    so far, and `empty_searches` are the times of the complete ones that found nothing. `unreachable_for` is
    how long the listing has not answered.
    """

    elapsed: float
    searches: int
    found: RunSnapshot | None = None
    obstacle: str | None = None
    empty_searches: tuple[float, ...] = ()
    control: Control = Control.MISSING
    unreachable_for: float = 0.0
    markers_work: bool = True


class Adopt(Struct, frozen=True):
    """The run exists, and is the item's own."""

    run: RunSnapshot


class Absent(Struct, frozen=True):
    """The create made no run."""


class SearchAgain(Struct, frozen=True):
    """Nothing is proven yet: search again after this many seconds."""

    after: float


class Hold(Struct, frozen=True):
    """It cannot be found out whether a run exists: a person decides."""

    message: str


Judgement: TypeAlias = Adopt | Absent | SearchAgain | Hold


def judge(evidence: Evidence, rules: UnansweredRules) -> Judgement:
    """Return what the evidence proves about an unanswered create."""
    if evidence.found is not None:
        return Adopt(evidence.found)
    if not evidence.markers_work:
        return Hold("runs cannot be found by their marker here, so no search can tell whether it exists")
    if evidence.unreachable_for > 0 and evidence.unreachable_for >= LONG_SETTLE * rules.settle:
        return Hold(f"no complete listing of runs came for {spell_duration(evidence.unreachable_for)}")
    if rules.then == "hold" and _is_shown_empty(evidence, rules.settle, searches=1):
        return Hold(
            f"not found {spell_duration(evidence.elapsed)} after its create, and the manifest says `hold`"
        )
    if evidence.obstacle is not None and evidence.elapsed >= rules.settle:
        return Hold(evidence.obstacle)
    needed = rules.settle if evidence.control is Control.FRESH else LONG_SETTLE * rules.settle
    if rules.then != "hold" and _is_shown_empty(evidence, needed, searches=2, apart=rules.settle / 10):
        if evidence.control is Control.MISSING:
            return Hold("not found, but neither is a run that is known to exist: the listing proves nothing")
        if evidence.control is Control.NONE:
            return Hold(
                "not found, and there is no run of the same key with as long a goal to show that the listing "
                "would list it"
            )
        if evidence.control is not Control.TOO_NEW:
            return Absent()
    return SearchAgain(pause_between_searches(evidence.searches, rules.settle))


def pause_between_searches(searches: int, settle: float) -> float:
    """Return the seconds to wait after this many searches: 2, 4, 8 … but at most a tenth of `settle`."""
    return max(SHORTEST_PAUSE, exponential(searches, first=FIRST_PAUSE, longest=settle / 10))


def _is_shown_empty(evidence: Evidence, needed: float, *, searches: int, apart: float = 0.0) -> bool:
    """Whether enough complete searches, far enough apart, found nothing after `needed` seconds."""
    late = [at for at in evidence.empty_searches if at >= needed]
    # The tolerance is for floating point alone: searches are paced exactly `apart` from each other.
    return len(late) >= searches and late[-1] - late[0] >= apart - 1e-6
