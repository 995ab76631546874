"""The text and the value of a result, whatever bytes the API sent for it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchfish.core.results import (
    MAX_DEPTH,
    ResultText,
    UnreadableResult,
    decode_result,
    read_result,
)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b'{"a": Infinity}', {"a": float("inf")}),
        (b'{"a": "\\ud83d"}', {"a": "\ud83d"}),
        (b'{"a": "\xff"}', {"a": "\udcff"}),
        (b'{"a": "tab\there"}', {"a": "tab\there"}),
        (b'{"a": ' + b"9" * 5000 + b"}", {"a": float("inf")}),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b'"[1, 2]"', [1, 2]),
        (b'"[1, 2"', "[1, 2"),
        (b'"5"', "5"),
    ],
)
def test_what_is_nearly_json_is_read(raw: bytes, value: object) -> None:
    assert read_result(decode_result(raw)) == value


def test_no_result_is_none() -> None:
    assert read_result(None) is None


def test_bytes_that_are_not_utf8_are_counted_and_can_be_had_back() -> None:
    result = decode_result(b'{"title":"caf\xe9"}')
    assert result == ResultText('{"title":"caf\\udce9"}', strays=1)
    assert json.loads(result.text)["title"].encode("utf-8", "surrogateescape") == b"caf\xe9"


@pytest.mark.parametrize("answer", [b'{"run_id": "r1", "result": %s}', b'{"data": [{"result": %s}]}'])
def test_the_result_is_found_in_a_whole_answer(answer: bytes) -> None:
    result = decode_result(answer % b'{"price": NaN, "a": "\\ud800"}', is_whole_answer=True)
    assert result == ResultText('{"price": NaN, "a": "\\ud800"}')
    assert read_result(result)["a"] == "\ud800"


@pytest.mark.parametrize(
    "answer", [b"[]", b"{}", b"<html>", b'{"data": []}', b'{"data": [{}, {}]}', b'{"data": [5]}']
)
def test_a_whole_answer_without_one_result_is_kept_with_the_error(answer: bytes) -> None:
    result = decode_result(answer, is_whole_answer=True)
    assert result == ResultText(answer.decode(), error="is not found in the answer about its run")
    with pytest.raises(UnreadableResult, match="the result is not found in the answer about its run"):
        read_result(result)


@pytest.mark.parametrize("is_whole_answer", [False, True])
def test_only_what_every_parser_can_read_is_read(is_whole_answer: bool) -> None:  # noqa: FBT001 - a parameter
    deepest, deeper = (b"[" * levels + b"]" * levels for levels in (MAX_DEPTH, MAX_DEPTH + 1))
    assert read_result(decode_result(deepest)) is not None
    for raw in (deeper, b'{"result": ' + deeper + b"}", b"[" * 100_000):
        with pytest.raises(UnreadableResult, match="nested too deeply"):
            read_result(decode_result(raw, is_whole_answer=is_whole_answer))


@given(st.binary(max_size=200), st.booleans())
def test_the_text_of_any_bytes_is_unicode(raw: bytes, is_whole_answer: bool) -> None:  # noqa: FBT001 - drawn
    result = decode_result(raw, is_whole_answer=is_whole_answer)
    assert result.text.encode().decode() == result.text
