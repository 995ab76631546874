"""Did a completed run reach its goal: the order of the questions, and hostile answers to them."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchfish.core.rules import Check
from batchfish.core.runs import RunSnapshot, Verdict
from batchfish.core.verdict import (
    compile_checks,
    is_empty,
    judge_run,
)

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"title": {"type": "string"}, "price": {"type": "number", "nullable": True}},
    "required": ["title", "price"],
}
CHECKS = compile_checks(
    [
        Check(expr="result.price > 0"),
        Check(expr="title | lower in result.title | lower", reason="wrong_book"),
        Check(expr="id == 'b1' and url != ''", reason="never"),
    ]
)
VALUES = {"title": "Emma", "id": "b1", "url": "https://books.example/1"}


def run(result: bytes | None, *, is_whole_answer: bool = False) -> RunSnapshot:
    return RunSnapshot(run_id="r1", status="COMPLETED", result=result, is_whole_answer=is_whole_answer)


def judge(result: object, schema: dict[str, Any] | None = None) -> Verdict:
    raw = result if isinstance(result, bytes) else json.dumps(result).encode()
    return judge_run(run(raw), schema, (), VALUES)


class TestEmptiness:
    @pytest.mark.parametrize(
        "result",
        [
            None,
            "",
            "  \n",
            [],
            {},
            [[], {}],
            {"title": None, "price": None},
            {"products": []},
            {"a": {"b": [None, ""]}},
            "{}",
            '{"title": null}',
        ],
    )
    def test_a_result_that_says_nothing_is_empty(self, result: object) -> None:
        assert judge(result).reason == "empty_result"

    def test_no_result_at_all_is_empty(self) -> None:
        assert judge_run(run(None), SCHEMA, CHECKS, VALUES).reason == "empty_result"

    @pytest.mark.parametrize(
        "result", [0, False, "x", [0], {"price": 0}, {"a": [None, {"b": False}]}, '{"a": 1}']
    )
    def test_a_zero_a_false_or_a_word_is_something(self, result: object) -> None:
        assert judge(result) == Verdict()

    def test_it_comes_before_everything_else(self) -> None:
        assert judge_run(run(b"{}"), SCHEMA, CHECKS, VALUES).reason == "empty_result"


class TestOwnWords:
    @pytest.mark.parametrize(
        ("result", "message"),
        [
            ({"status": "failure", "reason": "human check"}, "the result says status: failure: human check"),
            ({"status": " Failure "}, "the result says status: failure"),
            ({"success": False, "error_type": "timeout"}, "the result says success: false: timeout"),
            (
                {"success": False, "error_message": "no page", "partial_results": [1]},
                "success: false: no page",
            ),
            ({"error": "blocked"}, "the result says error: blocked"),
            ({"error": {"message": "blocked"}, "title": "Emma"}, "the result says error: blocked"),
            ({"error": True}, "the result says error"),
            ({"schema_validation": {"valid": False}, "title": "x"}, "schema_validation.valid: false"),
            ({"success": False, "reason": "\x1b[31m" + "x" * 1000}, "�[31mxxx"),
        ],
    )
    def test_a_result_that_says_it_failed_is_believed(self, result: object, message: str) -> None:
        verdict = judge(result)
        assert verdict.reason == "goal_not_reached"
        assert message in (verdict.message or "")
        assert len(verdict.message or "") < 300

    @pytest.mark.parametrize(
        "result",
        [
            {"status": "success", "error": None},
            {"status": "ok", "success": True, "error": ""},
            {"status": None, "error": False, "title": "x"},
            {"error": [], "title": "x"},
            {"schema_validation": {"valid": True}, "title": "x"},
            {"schema_validation": None, "title": "x"},
            {"product": {"status": "failure"}},
            ["failure"],
        ],
    )
    def test_other_words_say_nothing_of_the_kind(self, result: object) -> None:
        assert judge(result) == Verdict()


class TestSchema:
    def test_what_lacks_a_required_field_or_has_a_wrong_type_is_a_mismatch(self) -> None:
        verdict = judge({"price": "5"}, SCHEMA)
        assert verdict.reason == "schema_mismatch"
        assert verdict.message == "#/title: is missing; #/price: expected number, got text '5'"

    def test_a_text_where_an_object_is_due_is_a_mismatch(self) -> None:
        assert judge("blocked by captcha", SCHEMA).reason == "schema_mismatch"

    def test_a_text_that_holds_json_is_read_once_more(self) -> None:
        assert judge('{"title": "Emma", "price": 5}', SCHEMA) == Verdict()
        assert judge(json.dumps('{"title": "Emma", "price": 5}'), SCHEMA).reason == "schema_mismatch"


class TestChecks:
    @pytest.mark.parametrize(
        ("result", "verdict"),
        [
            ({"title": "Emma", "price": 5}, Verdict()),
            (
                {"title": "Emma", "price": 0},
                Verdict(reason="check_failed", message="the check result.price > 0 does not hold"),
            ),
            (
                {"title": "Walden", "price": 5},
                Verdict(
                    reason="wrong_book",
                    message="the check title | lower in result.title | lower does not hold",
                ),
            ),
        ],
    )
    def test_the_first_that_fails_gives_the_reason(self, result: object, verdict: Verdict) -> None:
        assert judge_run(run(json.dumps(result).encode()), SCHEMA, CHECKS, VALUES) == verdict

    def test_a_check_that_cannot_be_evaluated_fails_with_a_message(self) -> None:
        verdict = judge_run(run(b'{"title": "Emma", "price": null}'), SCHEMA, CHECKS, VALUES)
        assert verdict.reason == "check_failed"
        assert verdict.message == (
            "the check result.price > 0 cannot be evaluated: "
            "'>' not supported between instances of 'NoneType' and 'int'"
        )

    def test_a_variable_named_result_does_not_hide_the_result(self) -> None:
        values = VALUES | {"result": "of the row"}
        assert judge_run(run(b'{"title": "Emma", "price": 5}'), None, CHECKS, values) == Verdict()


class TestHostileResults:
    @pytest.mark.parametrize(
        "raw",
        [b"", b"{", b"nul", b'{"a": }', b"<html>", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 100_000, b"1 2"],
    )
    def test_what_is_no_json_is_unreadable(self, raw: bytes) -> None:
        verdict = judge(raw)
        assert verdict.reason == "unreadable_result"
        assert (verdict.message or "").isprintable()

    def test_nan_passes_no_check(self) -> None:
        assert (
            judge_run(run(b'{"title": "Emma", "price": NaN}'), None, CHECKS, VALUES).reason == "check_failed"
        )
        assert judge(b'{"title": "Emma", "price": NaN}', SCHEMA).reason == "schema_mismatch"

    def test_nesting_within_a_text_is_left_a_text(self) -> None:
        assert judge(json.dumps("[" * 100_000).encode()) == Verdict()

    def test_a_million_nulls_are_empty_soon(self) -> None:
        began = time.process_time()
        assert is_empty(json.loads("[" + "null," * 1_000_000 + "null]"))
        assert time.process_time() - began < 2

    def test_of_a_whole_answer_the_result_of_its_one_run_is_judged(self) -> None:
        answer = b'{"data": [{"run_id": "r1", "result": {"price": 1, "title": "Emma"}}]}'
        assert judge_run(run(answer, is_whole_answer=True), SCHEMA, CHECKS, VALUES) == Verdict()
        verdict = judge_run(run(b'{"data": []}', is_whole_answer=True), SCHEMA, CHECKS, VALUES)
        assert verdict.reason == "unreadable_result"

    @given(st.binary(max_size=200), st.booleans())
    def test_any_bytes_get_a_verdict(self, raw: bytes, is_whole_answer: bool) -> None:  # noqa: FBT001 - drawn
        verdict = judge_run(run(raw, is_whole_answer=is_whole_answer), SCHEMA, CHECKS, VALUES)
        assert verdict.reason is not None
        assert (verdict.message or "").isprintable()

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
            lambda below: (
                st.lists(below, max_size=3)
                | st.dictionaries(
                    st.sampled_from(
                        ["title", "price", "status", "success", "error", "reason", "schema_validation"]
                    )
                    | st.text(max_size=3),
                    below,
                    max_size=4,
                )
            ),
        )
    )
    def test_any_json_gets_a_verdict(self, value: object) -> None:
        verdict = judge_run(run(json.dumps(value).encode()), SCHEMA, CHECKS, VALUES)
        assert (verdict.message or "").isprintable()
