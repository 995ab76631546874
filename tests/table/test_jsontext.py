"""JSON text taken apart without being understood."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchfish.table.jsontext import MAX_DEPTH, elements, is_shallow, members, string_of, text_of

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(value=st.dictionaries(st.text(), JSON), indent=st.sampled_from([None, 0, 2]), is_ascii=st.booleans())
def test_each_member_of_an_object_is_its_own_text(
    value: dict[str, Any], indent: int | None, *, is_ascii: bool
) -> None:
    found = members(json.dumps(value, indent=indent, ensure_ascii=is_ascii))
    assert found is not None
    assert {name: repr(json.loads(text)) for name, text in found.items()} == {
        name: repr(member) for name, member in value.items()
    }


@given(value=st.lists(JSON), indent=st.sampled_from([None, 0, 2]))
def test_each_element_of_an_array_is_its_own_text(value: list[Any], indent: int | None) -> None:
    found = elements(json.dumps(value, indent=indent))
    assert found is not None
    assert [repr(json.loads(text)) for text in found] == [repr(element) for element in value]


def test_numbers_keep_their_spelling() -> None:
    digits = "7" * 5000
    text = f'{{"a": 1.10, "b": 1e999, "c": {digits}, "d": [1.50, -0.0 ], "e": NaN, "a": 2.00}}'
    assert members(text) == {"a": "2.00", "b": "1e999", "c": digits, "d": "[1.50, -0.0 ]", "e": "NaN"}


@pytest.mark.parametrize(
    "text", ["", "[]", '"{}"', "1", "{", '{"a"', '{"a":', '{"a":1', '{"a":1,}', "{1:2}", '{"a" 1}', '{"a":x}']
)
def test_what_is_no_object_has_no_members(text: str) -> None:
    assert members(text) is None


@pytest.mark.parametrize("text", ["", "{}", "[", "[1", "[1,]", "[1 2]", "[,]", "nul"])
def test_what_is_no_array_has_no_elements(text: str) -> None:
    assert elements(text) is None


@pytest.mark.parametrize("text", ["", "1", '"a', '"a" ', '"a""b"'])
def test_what_is_no_string_has_no_value(text: str) -> None:
    assert string_of(text) is None


@given(raw=st.text().map(lambda text: json.dumps(text, ensure_ascii=False)[1:-1].encode()), stray=st.binary())
def test_bytes_that_are_not_utf8_can_be_had_back(raw: bytes, stray: bytes) -> None:
    stray = bytes(byte for byte in stray if byte >= 0x80)
    came = b'"' + raw + stray + b'"'
    text, strays = text_of(came)
    text.encode()
    assert json.loads(text).encode("utf-8", "surrogateescape") == json.loads(
        came.decode("utf-8", "surrogateescape")
    ).encode("utf-8", "surrogateescape")
    assert (strays == 0) == (text.encode() == came)


@pytest.mark.parametrize(
    ("raw", "is_fine"),
    [
        (b"", True),
        (b"[" * MAX_DEPTH + b"]" * MAX_DEPTH, True),
        (b"[" * 2 * MAX_DEPTH + b"1" + b"]" * 2 * MAX_DEPTH, False),
        (b'{"a":[' * MAX_DEPTH + b"]}" * MAX_DEPTH, True),
        (b'{"a":[' * 101 + b"]}" * 101, False),
        (b"[" * 100_000, False),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, False),
        (b"[" + b"{},[]," * 1000 + b'"]"]', True),
        (b'{"a":"' + b"[{" * 1000 + b'"}', True),
        (b'{"a":"' + b'\\"[{' * 1000 + b'"}', True),
        (b'["]",' * 1000 + b"1" + b',"["]' * 1000, False),
    ],
)
def test_depth_is_counted_outside_strings(raw: bytes, *, is_fine: bool) -> None:
    """A string that pretends to close brackets must not hide a depth that would crash a parser."""
    assert is_shallow(raw) is is_fine


@pytest.mark.parametrize("raw", [b'"' + b'[\\"' * 100_000, b'"' + b'[\\"' * 100_000 + b"\\", b'["' * 100_000])
def test_an_endless_string_is_not_read_over_and_over(raw: bytes) -> None:
    start = time.process_time()
    is_shallow(raw)
    assert time.process_time() - start < 2
