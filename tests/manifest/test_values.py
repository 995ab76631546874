"""Durations, shares and counts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchfish.core.rules import Share
from batchfish.manifest.problems import Refused
from batchfish.manifest.values import parse_count, parse_duration, parse_share


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("250ms", 0.25),
        ("30s", 30),
        ("10m", 600),
        ("2h", 7200),
        ("1d", 86_400),
        ("1.5h", 5400),
        (" 10 m ", 600),
    ],
)
def test_a_duration_is_a_number_and_its_unit(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "10",
        "m",
        "10 minutes",
        "-5s",
        "0s",
        "1e3s",
        "10m30s",
        "400d",
        "\u0661s",
        "5S",
        "1_0s",
        "." + "9" * 99 + "s",
        5,
        None,
    ],
)
def test_anything_else_is_not_a_duration(text: object) -> None:
    with pytest.raises(Refused, match="duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("written", "share"),
    [
        ("20%", Share(value=20, is_percent=True)),
        ("0.5 %", Share(value=0.5, is_percent=True)),
        ("20", Share(value=20)),
        (20, Share(value=20)),
        (0, Share(value=0)),
    ],
)
def test_a_share_is_a_percentage_or_a_count(written: object, share: Share) -> None:
    assert parse_share(written) == share


@pytest.mark.parametrize("written", ["", "%", "101%", "-1", "2.5", 2.5, True, None, "20 percent", [20]])
def test_anything_else_is_not_a_share(written: object) -> None:
    with pytest.raises(Refused, match="share"):
        parse_share(written)


@pytest.mark.parametrize("written", [0, 11, -1, True, 5.0, "5", None])
def test_a_count_is_a_whole_number_within_its_bounds(written: object) -> None:
    assert parse_count(5, most=10) == 5
    with pytest.raises(Refused, match="from 1 to 10"):
        parse_count(written, most=10)


@given(st.text() | st.integers() | st.floats() | st.none() | st.booleans())
def test_any_value_is_read_or_refused_in_printable_words(value: object) -> None:
    for parse in (parse_duration, parse_share, parse_count):
        try:
            parse(value)
        except Refused as error:
            assert f"{error} {error.remedy}".isprintable()  # noqa: PT017 - both ends are right here
