"""The periods of scheduled manifests: each has a batch of its own, named by hour, day, week or month."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

PERIODS = {"hour": "%Y-%m-%dT%H", "day": "%Y-%m-%d", "week": "%G-W%V", "month": "%Y-%m"}
"""The kinds of periods, with the format of their names in UTC: the names of a kind sort chronologically."""

_STEPS = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(weeks=1)}


def period_at(kind: str | None, now: float) -> str | None:
    """Return the name of the period that `now` (epoch seconds) is in; None for a manifest without periods."""
    return None if kind is None else datetime.fromtimestamp(now, UTC).strftime(PERIODS[kind])


def periods_before(kind: str | None, now: float, most: int = 400) -> Sequence[str]:
    """Return the names of the period at `now` and of those before it, latest first, `most` in all.

    Empty for a manifest without periods.
    """
    if kind is None:
        return []
    names: list[str] = []
    moment = datetime.fromtimestamp(now, UTC)
    while len(names) < most:
        names.append(moment.strftime(PERIODS[kind]))
        if kind == "month":
            moment = moment.replace(day=1) - timedelta(days=1)
        else:
            moment -= _STEPS[kind]
    return names
