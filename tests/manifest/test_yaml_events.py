"""YAML restricted to JSON's types, with the line of every key."""

from __future__ import annotations

import io
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchfish.manifest.document import PassedOver
from batchfish.manifest.yaml_events import read_document, stream_sequence


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 1", {"a": 1}),
        ("a: -0", {"a": 0}),
        ("a: 1.5e3", {"a": 1500.0}),
        ("a: [true, false, null, ~, ]", {"a": [True, False, None, None]}),
        ("a:", {"a": None}),
        ("a: [NO, yes, on, True, NULL]", {"a": ["NO", "yes", "on", "True", "NULL"]}),
        ("a: [1:30, 010, 0x1F, 0o7, 1_000, +1, .5, 1., .inf, .nan]", None),
        ("a: [2024-01-31, 2024-01-31T10:00:00Z, 12e03x]", None),
        ("a: ['1', \"true\"]", {"a": ["1", "true"]}),
        ("1: a\ntrue: b\nnull: c", {"1": "a", "true": "b", "null": "c"}),
        ("<<: {a: 1}", {"<<": {"a": 1}}),
        ("=: 1", {"=": 1}),
        ("a: |\n  x\n   y\n", {"a": "x\n y\n"}),
        ("a: >-\n  x\n  y\n", {"a": "x y"}),
        ('a: "\\u00e9\\n"', {"a": "é\n"}),
    ],
)
def test_scalars_that_are_not_json_are_texts(text: str, value: object) -> None:
    found = read_document(io.StringIO(text)).value
    if value is None:  # all entries stay as they are written
        value = {"a": text.removeprefix("a: [").removesuffix("]").split(", ")}
    assert found == value


def test_every_key_has_its_line() -> None:
    document = read_document(io.StringIO("a: 1\nb:\n  - x\n  - c: |\n      text\n    d: 2\n"))
    assert [document.line_of(keys) for keys in (("a",), ("b",), ("b", 0), ("b", 1, "c"), ("b", 1, "d"))] == [
        1,
        2,
        3,
        4,
        6,
    ]
    assert document.line_of(("b", 1, "d", "not", "there")) == 6
    assert document.line_of(("nowhere",)) == 1


def test_reading_goes_on_behind_faults_of_notation() -> None:
    text = "%TAG ! tag:x,2000:\n---\na: &x !!int 1\nb: *x\na: 2\n"
    document = read_document(io.StringIO(text))
    assert [(fault.line, fault.message) for fault in document.faults] == [
        (1, "tags are not part of a manifest"),
        (3, "anchors and aliases are not part of a manifest: &x"),
        (3, "tags are not part of a manifest: tag:yaml.org,2002:int"),
        (4, "anchors and aliases are not part of a manifest: *x"),
        (5, "the key 'a' occurs twice, first on line 3"),
    ]


def test_a_list_is_skipped_and_later_read_entry_by_entry() -> None:
    text = "other: {items: [9]}\nitems:\n  - {n: 1, as: 010}\n  - [2, {x: 3}]\n  - four\nlast: 5\n"
    document = read_document(io.StringIO(text), skip="items")
    assert document.value == {"other": {"items": [9]}, "items": PassedOver(count=3), "last": 5}
    entries = list(stream_sequence(io.StringIO(text), "items", as_text=("n",)))
    assert [entry.value for entry in entries] == [{"n": "1", "as": "010"}, [2, {"x": 3}], "four"]
    assert [entry.line_of(()) for entry in entries] == [3, 4, 5]


def test_only_lists_are_skipped() -> None:
    assert read_document(io.StringIO("items: {a: 1}"), skip="items").value == {"items": {"a": 1}}
    assert list(stream_sequence(io.StringIO("items: {a: 1}"), "items")) == []
    assert list(stream_sequence(io.StringIO("- items"), "items")) == []
    assert list(stream_sequence(io.StringIO("a: 1"), "items")) == []


@pytest.mark.parametrize("text", ["a: 1e999", "a: " + "9" * 19, "a: -" + "9" * 5000])
def test_a_number_that_would_lose_digits_is_refused(text: str) -> None:
    with pytest.raises(match="too large"):
        read_document(io.StringIO(text))


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18) + 1, 10**18 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(
        st.characters(codec="utf-8", exclude_categories=["Cc", "Cf", "Cn", "Cs", "Zl", "Zp"]), max_size=10
    ),
    lambda below: (
        st.lists(below, max_size=4) | st.dictionaries(st.text("abc", max_size=3), below, max_size=4)
    ),
    max_leaves=15,
)


@given(json_values)
def test_json_is_read_as_json(value: object) -> None:
    found = read_document(io.StringIO(json.dumps({"a": value}, ensure_ascii=False))).value["a"]
    assert found == value or (isinstance(value, float) and math.isclose(found, value))
