"""Results as records of typed cells, without losing or changing a value."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from batchfish.core.results import decode_result
from batchfish.core.rules import OutputRules
from batchfish.table.cells import Record, RecordReader, columns_from
from batchfish.table.columns import ColumnPlan, plan_columns

PROPERTIES = {
    "title": {"type": "string"},
    "price": {"type": "number"},
    "pages": {"type": "integer"},
    "in_stock": {"type": "boolean"},
    "day": {"type": "string", "format": "date"},
    "seen": {"type": "string", "format": "date-time"},
    "tags": {"type": "array", "items": {"type": "string"}},
    "shop": {"type": "object"},
    "any": {"anyOf": [{"type": "string"}, {"type": "number"}]},
}
BOOK = {"type": "object", "properties": PROPERTIES}
BOOKS = {
    "type": "object",
    "properties": {"found": {"type": "object", "properties": {"books": {"type": "array", "items": BOOK}}}},
}
PLAN = plan_columns([BOOK], [], OutputRules())
EXPLODED = plan_columns([BOOKS], [], OutputRules(explode="result.found.books"))


def read(result: bytes | None, plan: ColumnPlan = PLAN, *, is_whole_answer: bool = False) -> list[Record]:
    text = None if result is None else decode_result(result, is_whole_answer=is_whole_answer)
    return list(RecordReader(plan).read(text))


def read_one(result: bytes | None, plan: ColumnPlan = PLAN, *, is_whole_answer: bool = False) -> Record:
    (record,) = read(result, plan, is_whole_answer=is_whole_answer)
    return record


def cells(record: Record, plan: ColumnPlan = PLAN) -> dict[str | None, object]:
    return {
        column.source: cell
        for column, cell in zip(plan.results, record.cells, strict=True)
        if cell is not None
    }


def test_a_result_that_fits_fills_its_columns() -> None:
    raw = (
        b'{"title": "Walden", "price": 7.10, "pages": 352, "in_stock": true, "day": "1854-08-09",'
        b' "seen": "2026-11-24T01:00:00+01:00", "tags": [ "a", 1.10 ], "shop": {"x" : 1e999}, "any": 3.50,'
        b' "extra": null}'
    )
    record = read_one(raw)
    assert cells(record) == {
        "title": "Walden",
        "price": 7.1,
        "pages": 352,
        "in_stock": True,
        "day": date(1854, 8, 9),
        "seen": datetime(2026, 11, 24, tzinfo=UTC),
        "tags": '[ "a", 1.10 ]',
        "shop": '{"x" : 1e999}',
        "any": "3.50",
    }
    assert record.text == raw.decode()
    assert record.error is None


def test_values_that_do_not_fit_are_named_and_others_read() -> None:
    record = read_one(b'{"title": "Walden", "price": "n/a", "pages": "12", "in_stock": 1}')
    assert cells(record) == {"title": "Walden"}
    assert record.error == (
        'price: "n/a" is not a number; pages: "12" is not an integer; in_stock: 1 is not true or false'
    )


def test_a_long_misfit_is_shortened_in_its_message() -> None:
    record = read_one(json.dumps({"price": "x" * 1000}).encode())
    assert record.error is not None
    assert len(record.error) < 100


HOSTILE: list[tuple[str, bytes, dict[str, Any], str]] = [
    ("NaN beside good values", b'{"title":"a","price":NaN}', {"title": "a"}, "price: NaN is not a number"),
    ("half a pair", b'{"title":"\\ud800","pages":1}', {"pages": 1}, 'title: "\\ud800" contains a lone'),
    ("half a pair elsewhere", b'{"title":"a","zz":"\\ud800"}', {"title": "a"}, ""),
    ("a huge integer", b'{"pages":' + b"7" * 5000 + b"}", {}, "does not fit into 64 bits"),
    ("a huge integer elsewhere", b'{"zz":' + b"7" * 5000 + b',"pages":1}', {"pages": 1}, ""),
    ("one past Int64", b'{"pages":9223372036854775808}', {}, "does not fit into 64 bits"),
    ("one that Float64 rounds", b'{"price":9007199254740993}', {}, "more digits than a Float64 keeps"),
    ("a number past Float64", b'{"price":1e999}', {}, "too large"),
    ("deep nesting", b'{"title":"a","zz":' + b"[" * 100_000 + b"]" * 100_000 + b"}", {}, "nested too deeply"),
    ("deep and cut", b"[" * 100_000, {}, "nested too deeply"),
    ("a string holding JSON", b'"{\\"title\\":\\"a\\"}"', {}, "is not an object"),
    ("a list", b"[1,2]", {}, "result: [1,2] is not an object"),
    ("a number", b"5", {}, "result: 5 is not an object"),
    ("cut JSON", b'{"title":"a"', {}, "is not JSON"),
    ("no JSON", b"<html>", {}, "is not an object"),
    ("nothing", b"", {}, "is not an object"),
    ("bytes that are no UTF-8", b'{"title":"\xff","pages":1}', {"pages": 1}, "not UTF-8 in 1 bytes"),
    ("the last of equal names", b'{"pages":"x","pages":2}', {"pages": 2}, ""),
    ("control characters", b'{"title":"a\x01\x1b[31m\nb"}', {"title": "a\x01\x1b[31m\nb"}, ""),
    ("an integer spelled as a decimal", b'{"pages":12.0}', {"pages": 12}, ""),
]


@pytest.mark.parametrize(
    ("raw", "expected", "said"), [case[1:] for case in HOSTILE], ids=[case[0] for case in HOSTILE]
)
def test_a_hostile_result_keeps_its_row_and_its_text(raw: bytes, expected: dict[str, Any], said: str) -> None:
    record = read_one(raw)
    assert cells(record) == expected
    assert said in (record.error or "")
    assert bool(said) is bool(record.error)
    assert record.text is not None
    if b"\xff" not in raw:
        assert record.text.encode() == raw


def test_bytes_that_are_not_utf8_are_escaped_without_loss() -> None:
    record = read_one(b'{"title":"caf\xe9"}')
    assert record.text == '{"title":"caf\\udce9"}'
    assert json.loads(record.text)["title"].encode("utf-8", "surrogateescape") == b"caf\xe9"


def test_an_item_without_a_result_has_one_row_without_cells() -> None:
    for plan in (PLAN, EXPLODED):
        for result, is_whole in ((None, False), (b"null", False), (b'{"result":null}', True)):
            record = read_one(result, plan, is_whole_answer=is_whole)
            assert (record.index, record.text, record.error, cells(record, plan)) == (None, None, None, {})


@pytest.mark.parametrize("answer", [b'{"run_id":"r","result":%s}', b'{"data":[{"run_id":"r","result":%s}]}'])
def test_a_result_is_found_in_a_whole_answer(answer: bytes) -> None:
    record = read_one(answer % b'{"title":"a","price":NaN}', is_whole_answer=True)
    assert record.text == '{"title":"a","price":NaN}'
    assert cells(record) == {"title": "a"}


@pytest.mark.parametrize(
    "answer", [b'{"data":[{"result":1},{"result":2}]}', b'{"data":[]}', b"<html>", b'{"a":1}']
)
def test_a_whole_answer_without_one_result_is_shown(answer: bytes) -> None:
    record = read_one(answer, is_whole_answer=True)
    assert record.text == answer.decode()
    assert record.error == "result: is not found in the answer about its run"


def test_without_typed_columns_any_result_fits() -> None:
    plan = plan_columns([], [], OutputRules())
    record = read_one(b'["anything"]', plan)
    assert (record.text, record.error) == ('["anything"]', None)


def exploded(*books: str) -> bytes:
    return ('{"found":{"books":[' + ",".join(books) + ']},"total":3}').encode()


def test_each_record_of_a_list_is_a_row_with_its_own_text() -> None:
    records = read(exploded('{"title":"a"}', '{"title":"b","price":1.50}', '{"title":3}', "7"), EXPLODED)
    assert [record.index for record in records] == [0, 1, 2, 3]
    assert [cells(record, EXPLODED) for record in records] == [
        {"title": "a"},
        {"title": "b", "price": 1.5},
        {},
        {},
    ]
    assert [record.text for record in records] == [
        '{"title":"a"}',
        '{"title":"b","price":1.50}',
        '{"title":3}',
        "7",
    ]
    assert [record.error for record in records] == [
        None,
        None,
        "title: 3 is not a string",
        "record: 7 is not an object",
    ]


def test_a_hostile_record_does_not_affect_others() -> None:
    records = read(
        exploded('{"title":"a"}', '{"price":NaN}', '{"title":"\\ud800"}', '{"title":"b"}'), EXPLODED
    )
    assert [cells(record, EXPLODED) for record in records] == [{"title": "a"}, {}, {}, {"title": "b"}]


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b'{"found":{"books":[]}}', None),
        (b'{"found":{"books":null}}', "result.found.books: is not a list"),
        (b'{"found":{}}', "result.found.books: is not a list"),
        (b'{"found":[]}', "result.found.books: is not a list"),
        (b"[]", "result.found.books: is not a list"),
        (b'{"found":{"books":{"title":"a"}}}', "result.found.books: is not a list"),
    ],
)
def test_an_item_without_records_keeps_one_row(raw: bytes, error: str | None) -> None:
    record = read_one(raw, EXPLODED)
    assert (record.index, record.text, record.error) == (None, raw.decode(), error)


def test_a_list_of_scalars_is_exploded_into_its_column() -> None:
    plan = plan_columns([BOOK], [], OutputRules(explode="result.tags"))
    records = read(b'{"tags":["a",5,"\\u00e9"]}', plan)
    assert [record.cells for record in records] == [("a",), (None,), ("é",)]
    assert records[1].error == "tags: 5 is not a string"


def test_the_result_itself_may_be_the_list() -> None:
    plan = plan_columns([], [], OutputRules(explode="result", columns={"title": "string"}))
    assert [record.cells for record in read(b'[{"title":"a"},{"title":1.50}]', plan)] == [("a",), ("1.50",)]


def test_names_that_need_escapes_are_found() -> None:
    names = ['quo"te', "back\\slash", "new\nline", "", "é", "\ud800"]
    plan = plan_columns([{"properties": {name: {"type": "integer"} for name in names}}], [], OutputRules())
    raw = json.dumps({name: at for at, name in enumerate(names)}).encode()
    assert read_one(raw, plan).cells == (0, 1, 2, 3, 4, 5)


VALUES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.dates().map(str)
    | st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat)
    | st.datetimes().map(datetime.isoformat)
    | st.lists(st.integers() | st.text(), max_size=3)
    | st.dictionaries(st.text(), st.floats(), max_size=3)
)
ORDINARY = st.fixed_dictionaries(
    {},
    optional={
        "title": st.text(),
        "price": st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**60), 2**60),
        "pages": st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False),
        "in_stock": st.booleans(),
        "day": st.dates().map(str),
        "seen": st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat),
        "tags": st.lists(st.text()),
        "shop": st.dictionaries(st.text(), st.integers()),
        "any": st.text() | st.integers(),
    },
)


@given(
    result=ORDINARY | st.dictionaries(st.sampled_from(list(PROPERTIES)), VALUES),
    indent=st.sampled_from([None, 1]),
)
@example(result={"price": 2**53 + 1, "pages": 2**63}, indent=None)
@example(result={"price": float(2**53), "pages": 1e3}, indent=None)
def test_decoding_at_once_and_value_by_value_agree(result: dict[str, Any], indent: int | None) -> None:
    """A stray NaN, in a member that nobody asked for, forces the careful way."""
    quick = read_one(json.dumps(result, indent=indent).encode())
    careful = read_one(json.dumps({**result, "nobody asked": float("nan")}, indent=indent).encode())
    assert quick.cells == careful.cells
    assert quick.error == careful.error


@given(st.lists(st.none() | st.binary() | (ORDINARY | VALUES).map(lambda value: json.dumps(value).encode())))
@example([None, b"null", b' {"title": "a"} ', b'{"title": 1}', b'{"title": "\xff"}', b"[" * 300 + b"]" * 300])
def test_many_results_and_one_by_one_agree(raws: list[bytes | None]) -> None:
    results = [None if raw is None else decode_result(raw) for raw in raws]
    for plan in (
        PLAN,
        plan_columns([], [], OutputRules()),
        plan_columns([{"properties": {'"': {}}}], [], OutputRules()),
    ):
        reader = RecordReader(plan)
        assert reader.read_each(results) == columns_from([reader.read(result)[0] for result in results])


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_make_a_row(raw: bytes) -> None:
    for plan in (PLAN, EXPLODED):
        for is_whole in (False, True):
            for record in read(raw, plan, is_whole_answer=is_whole):
                assert len(record.cells) == len(plan.results)
