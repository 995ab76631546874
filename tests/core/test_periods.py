"""Names of periods."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchfish.core.periods import PERIODS, period_at, periods_before


def at(year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: float = 0.0) -> float:
    return datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp() + second


@pytest.mark.parametrize(
    ("kind", "now", "period"),
    [
        (None, at(2026, 11, 24), None),
        ("hour", at(2026, 11, 24, 13, 59, 59.999), "2026-11-24T13"),
        ("hour", at(2026, 11, 24, 14), "2026-11-24T14"),
        ("day", at(2026, 11, 24, 23, 59, 59.999), "2026-11-24"),
        ("day", at(2026, 11, 25), "2026-11-25"),
        ("day", at(2028, 2, 29, 12), "2028-02-29"),
        ("month", at(2026, 12, 31, 23, 59), "2026-12"),
        ("month", at(2027, 1, 1), "2027-01"),
        # A week belongs to the year of its Thursday.
        ("week", at(2026, 11, 24), "2026-W48"),
        ("week", at(2026, 12, 31), "2026-W53"),
        ("week", at(2027, 1, 3, 23, 59), "2026-W53"),
        ("week", at(2027, 1, 4), "2027-W01"),
        ("week", at(2024, 12, 30), "2025-W01"),
    ],
)
def test_a_period_is_named_in_utc(kind: str | None, now: float, period: str | None) -> None:
    assert period_at(kind, now) == period


@given(
    kind=st.sampled_from(sorted(PERIODS)),
    moments=st.tuples(st.floats(at(1980, 1, 1), at(2120, 1, 1)), st.floats(at(1980, 1, 1), at(2120, 1, 1))),
)
def test_period_names_sort_chronologically(kind: str, moments: list[float]) -> None:
    first, second = (period_at(kind, moment) or "" for moment in sorted(moments))
    assert "" < first <= second


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
def test_an_hour_repeated_by_daylight_saving_is_two_periods(
    zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        hours = [str(period_at("hour", at(2026, 1, 1) + 3600 * hour)) for hour in range(365 * 24)]
    finally:
        monkeypatch.undo()
        time.tzset()
    assert len(set(hours)) == len(hours)
    assert hours == sorted(hours)


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (None, []),
        ("hour", ["2027-01-01T00", "2026-12-31T23", "2026-12-31T22"]),
        ("day", ["2027-01-01", "2026-12-31", "2026-12-30"]),
        ("week", ["2026-W53", "2026-W52", "2026-W51"]),
        ("month", ["2027-01", "2026-12", "2026-11"]),
    ],
)
def test_periods_before_are_named_latest_first(kind: str | None, names: list[str]) -> None:
    assert periods_before(kind, at(2027, 1, 1), most=3) == names
