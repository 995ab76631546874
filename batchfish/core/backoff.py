"""Exponential backoff: how long to wait, in seconds, after failures in a row."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST_RETRY_AFTER = 900.0
"""The longest wait that the API can ask for with Retry-After; a longer one is cut to this."""

MAX_OUTAGE = 900.0
"""Default of `--max-outage`: how long the API may give no usable answer before a command gives up."""

_MOST_DOUBLINGS = 60  # past any wait that may be named, and no float overflows


def exponential(failures: int, *, first: float, longest: float) -> float:
    """Return `first` after one failure, twice as much after each further one, and at most `longest`."""
    return min(longest, first * 2.0 ** min(max(failures - 1, 0), _MOST_DOUBLINGS))


def jittered(
    failures: int,
    chance: Callable[[], float],
    *,
    first: float,
    longest: float,
    asked: float | None = None,
    longest_asked: float = LONGEST_RETRY_AFTER,
) -> float:
    """Return a random part of the exponential wait ("full jitter"), at least as long as the API asks for.

    `chance` returns numbers from 0 to 1; `asked` is the API's Retry-After, None where it sent none.
    """
    spread = chance() * exponential(failures, first=first, longest=longest)
    return max(spread, min(max(asked or 0.0, 0.0), longest_asked))
