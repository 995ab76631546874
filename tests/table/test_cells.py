"""Cells of each kind, read from the JSON text of one value."""

from __future__ import annotations

from datetime import UTC, date, datetime
from math import copysign

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchfish.table.cells import Misfit, read_cell
from batchfish.table.columns import Kind


@pytest.mark.parametrize(
    ("kind", "text", "cell"),
    [
        (Kind.STRING, '"a\\u00e9\\n"', "aé\n"),
        (Kind.STRING, '"\\ud83d\\ude00"', "😀"),
        (Kind.FLOAT64, "1.10", 1.1),
        (Kind.FLOAT64, "3", 3.0),
        (Kind.FLOAT64, "-1e-7", -1e-7),
        (Kind.FLOAT64, "9007199254740992", 2.0**53),
        (Kind.FLOAT64, "1e300", 1e300),
        (Kind.INT64, "12", 12),
        (Kind.INT64, "12.0", 12),
        (Kind.INT64, "12e2", 1200),
        (Kind.INT64, "9223372036854775807", 2**63 - 1),
        (Kind.INT64, "-9223372036854775808", -(2**63)),
        (Kind.BOOL, "true", True),
        (Kind.BOOL, "false", False),
        (Kind.DATE, '"2026-02-28"', date(2026, 2, 28)),
        (Kind.DATETIME, '"2026-02-28T12:00:00Z"', datetime(2026, 2, 28, 12, tzinfo=UTC)),
        (Kind.DATETIME, '"2026-02-28t12:00:00.5z"', datetime(2026, 2, 28, 12, 0, 0, 500_000, tzinfo=UTC)),
        (Kind.DATETIME, '"2026-02-28 12:00+02:00"', datetime(2026, 2, 28, 10, tzinfo=UTC)),
        (
            Kind.DATETIME,
            '"2026-01-01T00:00:00.1234560+00:00"',
            datetime(2026, 1, 1, 0, 0, 0, 123_456, tzinfo=UTC),
        ),
        (Kind.LIST, "[1.10, NaN]", "[1.10, NaN]"),
        (Kind.OBJECT, '{"a":1}', '{"a":1}'),
        (Kind.TEXT, '"12"', "12"),
        (Kind.TEXT, "12.50", "12.50"),
        (Kind.TEXT, "[1]", "[1]"),
        *((kind, "null", None) for kind in Kind),
    ],
)
def test_a_value_that_fits_is_the_cell(kind: Kind, text: str, cell: object) -> None:
    found = read_cell(kind, text)
    assert found == cell
    assert type(found) is type(cell)


@pytest.mark.parametrize(
    ("kind", "text", "why"),
    [
        (Kind.STRING, "12", "is not a string"),
        (Kind.STRING, '"\\ud800"', "lone surrogate"),
        (Kind.TEXT, '"\\udfff"', "lone surrogate"),
        (Kind.FLOAT64, '"12"', "is not a number"),
        (Kind.FLOAT64, '"n/a"', "is not a number"),
        (Kind.FLOAT64, "true", "is not a number"),
        (Kind.FLOAT64, "NaN", "is not a number"),
        (Kind.FLOAT64, "-Infinity", "is not a number"),
        (Kind.FLOAT64, "1e999", "too large for a Float64"),
        (Kind.FLOAT64, "9007199254740993", "more digits than a Float64 keeps"),
        (Kind.FLOAT64, "7" * 5000, "too large for a Float64"),
        (Kind.INT64, "true", "is not an integer"),
        (Kind.INT64, "12.5", "is not an integer"),
        (Kind.INT64, "1.00000000000000000000000001", "is not an integer"),
        (Kind.INT64, '"12"', "is not an integer"),
        (Kind.INT64, "9223372036854775808", "does not fit into 64 bits"),
        (Kind.INT64, "-9223372036854775809", "does not fit into 64 bits"),
        (Kind.INT64, "7" * 5000, "does not fit into 64 bits"),
        (Kind.INT64, "1e-999999999999999999999", "is not an integer"),
        (Kind.INT64, "1e400", "does not fit into 64 bits"),
        (Kind.BOOL, "1", "is not true or false"),
        (Kind.BOOL, '"true"', "is not true or false"),
        (Kind.DATE, '"2026-02-30"', "is not a date"),
        (Kind.DATE, '"20260228"', "is not a date"),
        (Kind.DATE, '"2026-02-28T00:00:00Z"', "is not a date"),
        (Kind.DATE, "20260228", "is not a date"),
        (Kind.DATETIME, '"2026-02-28T12:00:00"', "names no time zone"),
        (Kind.DATETIME, '"2026-02-28T12:00:00.1234567Z"', "finer than a microsecond"),
        (Kind.DATETIME, '"2026-02-28T23:59:60Z"', "is not a time"),
        (Kind.DATETIME, '"0001-01-01T00:00:00+14:00"', "is not a time"),
        (Kind.DATETIME, '"yesterday"', "is not a time"),
        (Kind.LIST, '{"a":1}', "is not a list"),
        (Kind.LIST, '"[1]"', "is not a list"),
        (Kind.OBJECT, "[1]", "is not an object"),
    ],
)
def test_a_value_that_does_not_fit_is_named_not_changed(kind: Kind, text: str, why: str) -> None:
    found = read_cell(kind, text)
    assert isinstance(found, Misfit)
    assert why in found.why


@given(st.integers())
def test_an_integer_is_kept_exactly_or_does_not_fit(number: int) -> None:
    found = read_cell(Kind.INT64, str(number))
    assert found == number if -(2**63) <= number < 2**63 else isinstance(found, Misfit)


@given(st.integers())
def test_a_number_column_never_changes_an_integer(number: int) -> None:
    found = read_cell(Kind.FLOAT64, str(number))
    assert isinstance(found, Misfit) or found == number


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_column_holds_every_float(number: float) -> None:
    found = read_cell(Kind.FLOAT64, repr(number))
    assert isinstance(found, float)
    assert (found, copysign(1, found)) == (number, copysign(1, number))
