"""JSON text cut into its parts, measured and read, without a value losing its exact spelling."""

from __future__ import annotations

import contextlib
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchfish.core.json_text import (
    CutOff,
    InvalidJson,
    cut_array,
    cut_object,
    decode_text,
    is_nested_deeper,
    parse_string,
    read_strictly,
    read_unambiguous,
    split_array,
    split_object,
)

LEVELS = 100

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(value=st.dictionaries(st.text(), JSON), indent=st.sampled_from([None, 0, 2]), is_ascii=st.booleans())
def test_each_member_of_an_object_is_its_own_text(
    value: dict[str, Any], indent: int | None, *, is_ascii: bool
) -> None:
    found = split_object(json.dumps(value, indent=indent, ensure_ascii=is_ascii))
    assert found is not None
    assert {name: repr(json.loads(text)) for name, text in found.items()} == {
        name: repr(member) for name, member in value.items()
    }


@given(value=st.lists(JSON), indent=st.sampled_from([None, 0, 2]))
def test_each_element_of_an_array_is_its_own_text(value: list[Any], indent: int | None) -> None:
    found = split_array(json.dumps(value, indent=indent))
    assert found is not None
    assert [repr(json.loads(text)) for text in found] == [repr(element) for element in value]


def test_numbers_keep_their_spelling() -> None:
    digits = "7" * 5000
    text = f'{{"a": 1.10, "b": 1e999, "c": {digits}, "d": [1.50, -0.0 ], "e": NaN, "a": 2.00}}'
    assert split_object(text) == {"a": "2.00", "b": "1e999", "c": digits, "d": "[1.50, -0.0 ]", "e": "NaN"}


@pytest.mark.parametrize(
    "text", ["", "[]", '"{}"', "1", "{", '{"a"', '{"a":', '{"a":1', '{"a":1,}', "{1:2}", '{"a" 1}', '{"a":x}']
)
def test_what_is_no_object_has_no_split_object(text: str) -> None:
    assert split_object(text) is None


@pytest.mark.parametrize("text", ["", "{}", "[", "[1", "[1,]", "[1 2]", "[,]", "nul"])
def test_what_is_no_array_has_no_split_array(text: str) -> None:
    assert split_array(text) is None


@pytest.mark.parametrize("text", ["", "1", '"a', '"a" ', '"a""b"'])
def test_what_is_no_string_has_no_value(text: str) -> None:
    assert parse_string(text) is None


@given(raw=st.text().map(lambda text: json.dumps(text, ensure_ascii=False)[1:-1].encode()), stray=st.binary())
def test_bytes_that_are_not_utf8_can_be_had_back(raw: bytes, stray: bytes) -> None:
    stray = bytes(byte for byte in stray if byte >= 0x80)
    came = b'"' + raw + stray + b'"'
    text, strays = decode_text(came)
    text.encode()
    assert json.loads(text).encode("utf-8", "surrogateescape") == json.loads(
        came.decode("utf-8", "surrogateescape")
    ).encode("utf-8", "surrogateescape")
    assert (strays == 0) == (text.encode() == came)


@pytest.mark.parametrize(
    ("raw", "is_deeper"),
    [
        (b"", False),
        (b"[" * LEVELS + b"]" * LEVELS, False),
        (b"[" * (LEVELS + 1) + b"1" + b"]" * (LEVELS + 1), True),
        (b'{"a":[' * (LEVELS // 2) + b"]}" * (LEVELS // 2), False),
        (b"[" + b'{"a":[' * (LEVELS // 2) + b"]}" * (LEVELS // 2) + b"]", True),
        (b"[" * 100_000, True),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, True),
        (b"[" + b"{},[]," * 1000 + b'"]"]', False),
        (b'{"a":"' + b"[{" * 1000 + b'"}', False),
        (b'{"a":"' + b'\\"[{' * 1000 + b'"}', False),
        (b'["]",' * 1000 + b"1" + b',"["]' * 1000, True),
    ],
)
def test_depth_is_counted_outside_strings(raw: bytes, *, is_deeper: bool) -> None:
    """A string that pretends to close brackets must not hide a depth that would crash a parser."""
    assert is_nested_deeper(raw, LEVELS) is is_deeper


@given(value=JSON, levels=st.integers(0, 4))
def test_depth_is_that_of_the_value(value: object, levels: int) -> None:
    def depth(value: object) -> int:
        if not isinstance(value, (list, dict)):
            return 0
        return 1 + max(map(depth, value.values() if isinstance(value, dict) else value), default=0)

    assert is_nested_deeper(json.dumps(value).encode(), levels) is (depth(value) > levels)


@pytest.mark.parametrize("raw", [b'"' + b'[\\"' * 100_000, b'"' + b'[\\"' * 100_000 + b"\\", b'["' * 100_000])
def test_an_endless_string_is_not_read_over_and_over(raw: bytes) -> None:
    start = time.process_time()
    is_nested_deeper(raw, LEVELS)
    assert time.process_time() - start < 2


@given(st.dictionaries(st.text(), JSON), st.sampled_from([None, 2]), st.booleans())
def test_an_objects_members_are_cut_out_whole(
    value: dict[str, object],
    indent: int | None,
    ensure_ascii: bool,  # noqa: FBT001 - drawn
) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ensure_ascii).encode(errors="surrogatepass")
    members = cut_object(text)
    assert list(members) == list(value)
    found = {name: json.loads(part.decode(errors="surrogatepass")) for name, part in members.items()}
    assert repr(found) == repr(value)


@given(st.lists(JSON), st.sampled_from([None, 2]))
def test_an_arrays_elements_are_cut_out_whole(value: list[object], indent: int | None) -> None:
    found = [json.loads(part) for part in cut_array(json.dumps(value, indent=indent).encode())]
    assert repr(found) == repr(value)


@given(st.binary())
def test_any_bytes_are_cut_or_refused(text: bytes) -> None:
    for cut in (cut_object, cut_array):
        cut(text, may_be_cut=True)
        with contextlib.suppress(CutOff):
            cut(text)


@pytest.mark.parametrize("text", [b"", b"  ", b"[1]", b'"a"', b'{"a": 1', b'{"a": "}', b'{"a": [1}'])
def test_an_object_that_broke_off_is_refused(text: bytes) -> None:
    with pytest.raises(CutOff):
        cut_object(text)


def test_of_an_object_that_broke_off_the_whole_members_can_be_had() -> None:
    members = cut_object(b'{"run_id": "r", "status": "COMPLETED", "result": {"a": [1, 2', may_be_cut=True)
    assert members["run_id"] == b'"r"'
    assert members["status"] == b'"COMPLETED"'


def test_what_no_parser_takes_is_cut_all_the_same() -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    text = b'{"a": NaN, "b": "\\ud800\\x", "c": "\x01\xff", "d": ' + deep + b', "e": 01}'
    assert cut_object(text) == {
        "a": b"NaN",
        "b": b'"\\ud800\\x"',
        "c": b'"\x01\xff"',
        "d": deep,
        "e": b"01",
    }


def test_a_long_string_of_escapes_is_cut_in_one_go() -> None:
    text = b'{"a": "' + b"\\\\" * 1_000_000 + b'", "b": 1}'
    assert cut_object(text)["b"] == b"1"


@pytest.mark.parametrize("text", ["[1}", '{"a": 1]', '["a": 1]', "{1}"])
def test_brackets_of_two_kinds_close_nothing(text: str) -> None:
    assert split_object(text) is None
    assert split_array(text) is None


@given(st.text(alphabet='{}[]",:\\ 1a\n', max_size=12))
def test_what_is_split_is_what_the_parser_reads(text: str) -> None:
    try:
        value, _ = json.JSONDecoder(strict=False).raw_decode(text.lstrip(" \n"))
    except ValueError:
        value = None
    array, members = split_array(text), split_object(text)
    assert (None if array is None else [json.loads(part, strict=False) for part in array]) == (
        value if isinstance(value, list) else None
    )
    assert (
        None if members is None else {name: json.loads(part, strict=False) for name, part in members.items()}
    ) == (value if isinstance(value, dict) else None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not valid JSON: Expecting value at character 1"),
        ('{"a": 1, "a": 2}', "the key 'a' occurs twice"),
        ("[NaN]", "NaN is not JSON"),
        ("1e999", "the number 1e999 is too large"),
        ("1234567890123456789", "is too large"),
        ('"\\ud800"', "lone surrogate"),
        ("[[[[1]]]]", "nested deeper than 3 levels"),
        ("[" * 100_000 + "]" * 100_000, "nested deeper than 3 levels"),
    ],
)
def test_json_that_can_be_misread_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidJson, match=message):
        read_strictly(text, max_depth=3)


def test_json_that_a_person_wrote_is_read() -> None:
    text = '{"a": [[1, 2.5, "\\ud83d\\ude00"]], "b": null}'
    assert read_strictly(text, max_depth=3) == {"a": [[1, 2.5, "😀"]], "b": None}


@pytest.mark.parametrize("raw", [b"", b"x", b'{"a": 1, "a": 1}', b"[NaN]", b"1 2", b'"\xff"', b"[" * 100_000])
def test_a_servers_answer_that_is_not_one_plain_value_is_none(raw: bytes) -> None:
    assert read_unambiguous(raw) is None


def test_a_servers_answer_may_hold_numbers_and_characters_that_a_manifest_may_not() -> None:
    assert read_unambiguous(b'{"a": 12345678901234567890, "b": "\\ud800"}') == {
        "a": 12345678901234567890,
        "b": "\ud800",
    }
