"""Times from the server: malformed ones are None, waits are bounded, and no local clock is used."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchfish.webagent.http_dates import read_date_header, read_iso_time, read_retry_after

NOW = "Tue, 24 Nov 2026 20:00:00 GMT"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("7", 7.0),
        (" 2.5 ", 2.5),
        ("-1", 0.0),
        ("901", 900.0),
        ("9e999", 900.0),
        ("inf", 900.0),
        ("-inf", 0.0),
        ("nan", None),
        ("", None),
        ("soon", None),
        ("Tue, 24 Nov 2026 20:01:30 GMT", 90.0),
        ("Tue, 24 Nov 2026 21:01:30 +0100", 90.0),
        ("Tue, 24 Nov 2026 19:00:00 GMT", 0.0),
        ("Tue, 24 Nov 2035 20:00:00 GMT", 900.0),
        ("Tue, 99 Nov 2026 20:00:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_within_the_clamp(text: str, seconds: float | None) -> None:
    assert read_retry_after({"retry-after": text, "date": NOW}) == seconds


def test_a_retry_after_date_means_nothing_without_the_answers_own_date() -> None:
    assert read_retry_after({"retry-after": NOW}) is None


def test_no_retry_after_is_none() -> None:
    assert read_retry_after({"date": NOW}) is None


@given(st.text(), st.text())
def test_any_header_text_is_read_without_an_error(retry_after: str, date: str) -> None:
    seconds = read_retry_after({"retry-after": retry_after, "date": date})
    assert seconds is None or 0 <= seconds <= 900


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-11-24T20:00:00Z", 1795550400.0),
        ("2026-11-24T20:00:00.250Z", 1795550400.25),
        ("2026-11-24T20:00:00.123456789Z", 1795550400.123456),
        ("2026-11-24T21:00:00+01:00", 1795550400.0),
        ("2026-11-24 20:00:00", 1795550400.0),
        ("  2026-11-24T20:00:00Z ", 1795550400.0),
        ("", None),
        ("yesterday", None),
        ("2026-13-01T00:00:00Z", None),
        ("0001-01-01T00:00:00+23:59", None),
        ("9999-12-31T23:59:59-23:59", None),
        (1795550400, None),
        (None, None),
        (True, None),
        (["2026-11-24T20:00:00Z"], None),
    ],
)
def test_iso_times_are_epoch_seconds_and_malformed_ones_none(text: object, seconds: float | None) -> None:
    assert read_iso_time(text) == seconds


@given(st.text())
def test_any_text_is_read_as_a_time_or_as_none(text: str) -> None:
    read_iso_time(text)


@pytest.mark.parametrize(("text", "seconds"), [(NOW, 1795550400.0), ("", None), ("now", None), ("0", None)])
def test_the_date_header_is_epoch_seconds(text: str, seconds: float | None) -> None:
    assert read_date_header({"date": text}) == seconds
