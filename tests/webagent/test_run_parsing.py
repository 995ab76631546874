"""Parsing of runs: lenient, and the bytes of a result stay as they came."""

from __future__ import annotations

import contextlib
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchfish.core.runs import RunError, RunSnapshot
from batchfish.webagent import run_parsing
from batchfish.webagent.run_parsing import (
    Unreadable,
    WrongShape,
    read_head,
    read_page_body,
    read_run,
    read_run_body,
    read_runs_body,
    read_unparsable_run,
)

HOSTILE = {
    "a lone surrogate": b'{"name": "\\ud800"}',
    "NaN": b'{"price": NaN}',
    "Infinity": b"[-Infinity]",
    "a control character": b'"\x01"',
    "a leading zero": b"007",
    "an unknown escape": b'"\\x41"',
    "100,000 levels": b"[" * 100_000 + b"]" * 100_000,
}
ODD_BUT_READ = {
    "bytes that are not UTF-8": b'"\xff\xed\xa0\x80"',
    "5,000 digits": b"1" * 5_000,
    "a float beyond all bounds": b"1e999",
    "a repeated member": b'{"a": 1, "a": 2}',
    "unusual spacing": b'{"a" :\t[ 1.0 , 2e0 ]\n}',
    "a text": b'"{\\"a\\": 1}"',
    "a list": b"[1, 2]",
    "a number": b"0",
    "false": b"false",
    "an empty object": b"{}",
}


def row(result: bytes = b"{}", run_id: str = "r-1") -> bytes:
    return b'{"run_id": "%s", "status": "COMPLETED", "goal": "g", "result": %s}' % (run_id.encode(), result)


def test_a_whole_row_is_read() -> None:
    text = json.dumps(
        {
            "run_id": "r-1",
            "status": "completed",
            "goal": "find\n[ref bf-x.]",
            "created_at": "2026-11-24T20:00:00Z",
            "started_at": "2026-11-24T21:00:01.5+01:00",
            "finished_at": None,
            "num_of_steps": 3.0,
            "error": None,
            "streaming_url": "https://x/1",
            "result": {"a": 1},
            "steps": [{"id": "s", "screenshot": "x" * 100}],
            "some_new_member": {"a": [1]},
        }
    ).encode()
    assert read_run(text) == RunSnapshot(
        run_id="r-1",
        status="COMPLETED",
        goal="find\n[ref bf-x.]",
        created_at=1795550400.0,
        started_at=1795550401.5,
        steps=3,
        streaming_url="https://x/1",
        result=b'{"a": 1}',
    )


@pytest.mark.parametrize("result", ODD_BUT_READ.values(), ids=ODD_BUT_READ.keys())
def test_the_bytes_of_a_result_are_kept_out_of_an_answer_of_many(result: bytes) -> None:
    body = b'{"data": [%s, %s, %s], "not_found": null}' % (row(), row(result, "r-2"), row(run_id="r-3"))
    runs, _ = read_runs_body(body)
    assert [run.result for run in runs] == [b"{}", result, b"{}"]


@pytest.mark.parametrize("result", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_result_makes_an_answer_unreadable(result: bytes) -> None:
    with pytest.raises(Unreadable):
        read_runs_body(b'{"data": [%s, %s]}' % (row(), row(result, "r-2")))
    with pytest.raises(Unreadable):
        read_run_body(row(result))


@pytest.mark.parametrize("result", HOSTILE.values(), ids=HOSTILE.keys())
def test_the_whole_answer_is_kept_for_a_hostile_result(result: bytes) -> None:
    for body in (row(result), b'{"data": [%s], "not_found": null}' % row(result)):
        run = read_unparsable_run(body, "r-1")
        assert run == RunSnapshot(
            run_id="r-1", status="COMPLETED", goal="g", result=body, is_whole_answer=True
        )


def test_a_hostile_member_beside_a_missing_result_leaves_it_missing() -> None:
    run = read_unparsable_run(b'{"run_id": "r-1", "status": "RUNNING", "result": null, "steps": NaN}', "r-1")
    assert run == RunSnapshot(run_id="r-1", status="RUNNING")


def test_a_hostile_answer_about_another_run_is_none() -> None:
    assert read_unparsable_run(row(b"NaN", "r-9"), "r-1") is None


@pytest.mark.parametrize("size", [0, 1, 30, 60])
def test_an_answer_that_broke_off_is_never_read(size: int) -> None:
    body = (b'{"data": [%s]}' % row(b"NaN"))[:size]
    with pytest.raises(Unreadable):
        read_runs_body(body)
    with pytest.raises(Unreadable):
        read_unparsable_run(body, "r-1")


@pytest.mark.parametrize(
    "body", [b"[]", b'"x"', b'{"data": null}', b'{"runs": []}', b'{"error": {"code": "X"}}']
)
def test_an_answer_of_another_shape_is_refused(body: bytes) -> None:
    with pytest.raises(WrongShape):
        read_runs_body(body)


@pytest.mark.parametrize("ids", [b"null", b"3", b'"r-1"', b"{}", b'[1, null, "../x"]'])
def test_a_malformed_not_found_is_empty(ids: bytes) -> None:
    assert read_runs_body(b'{"data": [], "not_found": %s}' % ids) == ([], frozenset())


def test_a_list_of_ids_not_found_is_read() -> None:
    assert read_runs_body(b'{"data": [], "not_found": ["a", "b"]}')[1] == {"a", "b"}


@pytest.mark.parametrize(
    "text",
    [
        b"null",
        b"[]",
        b"7",
        b"{}",
        b'{"run_id": "r-1"}',
        b'{"run_id": "r-1", "status": null}',
        b'{"run_id": "r-1", "status": ""}',
        b'{"run_id": null, "status": "RUNNING"}',
        b'{"run_id": "../r", "status": "RUNNING"}',
        b"not json",
        b"",
    ],
)
def test_a_row_without_id_or_status_is_not_a_run(text: bytes) -> None:
    assert read_run(text) is None


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ("3", 3),
        ("3.0", 3),
        ("0", 0),
        ("null", None),
        ("-1", None),
        ("2.5", None),
        ("true", None),
        ('"3"', None),
        ("1e300", None),
        ("9" * 5000, None),
        ("4294967296", None),
    ],
)
def test_steps_are_a_count_that_can_be_stored(steps: str, expected: int | None) -> None:
    run = read_run(f'{{"run_id": "r-1", "status": "RUNNING", "num_of_steps": {steps}}}'.encode())
    assert run is not None
    assert run.steps == expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (None, None),
        ("", None),
        ({}, None),
        ("it broke", RunError(message="it broke")),
        ({"message": "m"}, RunError(message="m")),
        (
            {"message": "m", "code": "service_busy", "category": "system_failure", "retry_after": 30},
            RunError(message="m", code="SERVICE_BUSY", category="SYSTEM_FAILURE", retry_after=30.0),
        ),
        ({"message": "m", "retry_after": None}, RunError(message="m", never_retry=True)),
        ({"message": "m", "retry_after": -5}, RunError(message="m", retry_after=0.0)),
        ({"message": "m", "retry_after": "soon"}, RunError(message="m")),
        ({"message": "m", "retry_after": True}, RunError(message="m")),
        ({"message": "m", "category": None, "code": None}, RunError(message="m")),
        ({"code": "TIMEOUT"}, RunError(message="", code="TIMEOUT")),
        ({"message": ["odd"], "code": 7, "category": {}}, RunError(message="")),
        (["odd"], RunError(message="['odd']")),
    ],
)
def test_an_error_is_read_in_all_its_shapes(error: object, expected: RunError | None) -> None:
    run = read_run(json.dumps({"run_id": "r-1", "status": "FAILED", "error": error}).encode())
    assert run is not None
    assert run.error == expected


def test_lone_surrogates_are_replaced() -> None:
    run = read_run(b'{"run_id": "r-1", "status": "FAILED", "goal": "a\\ud800b", "error": "c\\udfffd"}')
    assert run is not None
    assert (run.goal, run.error) == ("a?b", RunError(message="c?d"))


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_row_hides_no_other_row_of_a_page(hostile: bytes) -> None:
    pagination = b'{"total": 3, "has_more": true, "next_cursor": "c"}'
    body = b'{"data": [%s, %s, %s], "pagination": %s}' % (
        row(),
        row(hostile, "r-2"),
        row(run_id="r-3"),
        pagination,
    )
    page = read_page_body(body)
    assert [run.run_id for run in page.rows] == ["r-1", "r-2", "r-3"]
    assert (page.unread, page.total, page.has_more, page.next_cursor) == (0, 3, True, "c")


def test_rows_of_a_page_that_are_not_runs_are_counted() -> None:
    page = read_page_body(b'{"data": [{}, null, %s]}' % row())
    assert (len(page.rows), page.unread) == (1, 2)


@pytest.mark.parametrize(
    "pagination",
    [b"null", b"[]", b"{}", b'{"total": "7", "has_more": "no", "next_cursor": 9}', b'{"total": -1}'],
)
def test_a_malformed_pagination_is_ignored(pagination: bytes) -> None:
    page = read_page_body(b'{"data": [], "pagination": %s}' % pagination)
    assert (page.total, page.has_more, page.next_cursor) == (None, None, None)


def test_the_beginning_of_a_giant_answer_shows_the_status() -> None:
    body = b'{"data": [%s]}' % row(b'{"text": "' + b"x" * 1000 + b'"}')
    run = read_head(body[:200], "r-1")
    assert run == RunSnapshot(run_id="r-1", status="COMPLETED", goal="g")
    assert read_head(row(b'"' + b"x" * 1000)[:200], "r-1") == run
    assert read_head(body[:200], "r-9") is None
    assert read_head(body[:20], "r-1") is None
    assert read_head(b"", "r-1") is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
rows = st.dictionaries(
    st.sampled_from(
        [
            "run_id",
            "status",
            "goal",
            "created_at",
            "started_at",
            "finished_at",
            "num_of_steps",
            "error",
            "streaming_url",
            "result",
        ]
    )
    | st.text(),
    json_values | st.sampled_from(["r-1", "COMPLETED", "2026-11-24T20:00:00Z"]),
)


@given(rows | json_values)
def test_no_json_value_makes_parsing_fail(value: object) -> None:
    text = json.dumps(value).encode(errors="surrogatepass")
    run = read_run(text)
    if run is not None:
        assert run.result is None or run.result in text
        msgspec.json.encode(run.error)
        (run.goal or "").encode()


def _read_both_ways(body: bytes) -> tuple[object, object]:
    """Read an answer, its runs decoded at once and by parts: what is read, or how it is refused."""

    def read() -> object:
        try:
            return read_runs_body(body)
        except (Unreadable, WrongShape) as error:
            return type(error)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_parsing, "SHORT_ROW_BYTES", 0)  # nothing is remembered
        at_once = read()
        patch.setattr(run_parsing, "_RUN_DECODER", msgspec.json.Decoder(int))  # which refuses every run
        return at_once, read()


@given(st.lists(rows), json_values)
def test_an_answer_is_read_the_same_way_at_once_and_by_parts(
    rows: list[dict[str, object]], ids: object
) -> None:
    answer = {"data": [{"run_id": "r-1", "status": "RUNNING"} | row for row in rows], "not_found": ids}
    at_once, by_parts = _read_both_ways(json.dumps(answer).encode())
    assert at_once == by_parts


@pytest.mark.parametrize("result", ODD_BUT_READ.values(), ids=list(ODD_BUT_READ))
def test_an_odd_result_has_the_same_bytes_at_once_and_by_parts(result: bytes) -> None:
    body = b'{"data": [%s, %s]}' % (row(result), row(run_id="r-2"))
    at_once, by_parts = _read_both_ways(body)
    assert at_once == by_parts
    assert [run.result for run in read_runs_body(body)[0]] == [result, b"{}"]


@pytest.mark.parametrize(
    "odd",
    [b'[{"run_id": "r-1"}]', b"7", b'{"run_id": 7, "status": []}'],
    ids=["a list", "a number", "no run"],
)
def test_an_odd_row_hides_no_other_row_of_an_answer(odd: bytes) -> None:
    runs, _ = read_runs_body(b'{"data": [%s, %s]}' % (odd, row(run_id="r-2")))
    assert [run.run_id for run in runs] == ["r-2"]


@given(st.binary())
def test_no_bytes_make_parsing_fail(text: bytes) -> None:
    assert read_run(text) is None
    read_head(text, "r-1")
    for read in (read_runs_body, read_page_body, read_run_body):
        with contextlib.suppress(Unreadable, WrongShape):
            read(text)
