"""Cutting JSON that no parser accepts, by brackets and quotes alone."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchfish.webagent.slices import Cut, slice_array, slice_object

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), json_values), st.sampled_from([None, 2]), st.booleans())
def test_an_objects_members_are_cut_out_whole(
    value: dict[str, object],
    indent: int | None,
    ensure_ascii: bool,  # noqa: FBT001 - drawn
) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ensure_ascii).encode(errors="surrogatepass")
    members = slice_object(text)
    assert list(members) == list(value)
    assert {name: json.loads(part.decode(errors="surrogatepass")) for name, part in members.items()} == value


@given(st.lists(json_values), st.sampled_from([None, 2]))
def test_an_arrays_elements_are_cut_out_whole(value: list[object], indent: int | None) -> None:
    assert [json.loads(part) for part in slice_array(json.dumps(value, indent=indent).encode())] == value


@given(st.binary())
def test_any_bytes_are_cut_or_refused(text: bytes) -> None:
    for cut in (slice_object, slice_array):
        cut(text, may_be_cut=True)
        with contextlib.suppress(Cut):
            cut(text)


@pytest.mark.parametrize("text", [b"", b"  ", b"[1]", b'"a"', b'{"a": 1', b'{"a": "}', b'{"a": [1}'])
def test_an_object_that_broke_off_is_refused(text: bytes) -> None:
    with pytest.raises(Cut):
        slice_object(text)


def test_of_an_object_that_broke_off_the_whole_members_can_be_had() -> None:
    members = slice_object(b'{"run_id": "r", "status": "COMPLETED", "result": {"a": [1, 2', may_be_cut=True)
    assert members["run_id"] == b'"r"'
    assert members["status"] == b'"COMPLETED"'


def test_what_no_parser_takes_is_cut_all_the_same() -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    text = b'{"a": NaN, "b": "\\ud800\\x", "c": "\x01\xff", "d": ' + deep + b', "e": 01}'
    assert slice_object(text) == {
        "a": b"NaN",
        "b": b'"\\ud800\\x"',
        "c": b'"\x01\xff"',
        "d": deep,
        "e": b"01",
    }


def test_a_long_string_of_escapes_is_cut_in_one_go() -> None:
    text = b'{"a": "' + b"\\\\" * 1_000_000 + b'", "b": 1}'
    assert slice_object(text)["b"] == b"1"
