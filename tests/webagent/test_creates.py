"""The body of a create, and the closed table of what an answer to one proves."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchfish.core.events import (
    CreateAnswer,
    SubmitAccepted,
    SubmitDeferred,
    SubmitRejected,
    SubmitUnanswered,
)
from batchfish.errors import WrongInput
from batchfish.webagent.api_errors import MESSAGE_LENGTH
from batchfish.webagent.creates import build_create, read_create
from batchfish.webagent.http import HttpAnswer

DATE = {"date": "Tue, 24 Nov 2026 20:00:00 GMT"}
HTML = {"content-type": "text/html; charset=utf-8"}


def envelope(code: str, message: str = "no", **more: object) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, **more}}


def answer(status: int, content: object, headers: dict[str, str] | None = None) -> CreateAnswer:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return read_create(HttpAnswer(status=status, headers=headers or {}, body=body), str)


def reason(proof: CreateAnswer) -> str:
    assert isinstance(proof, (SubmitDeferred, SubmitRejected)), proof
    return proof.reason


def test_a_body_holds_what_is_set_as_utf8() -> None:
    create = build_create("https://x.example/é", "ähm", {"browser_profile": "stealth", "use_vault": None}, {})
    assert json.loads(create.body) == {
        "url": "https://x.example/é",
        "goal": "ähm",
        "browser_profile": "stealth",
        "api_integration": "batchfish",
    }
    assert "é".encode() in create.body


def test_a_request_may_name_another_integration() -> None:
    create = build_create("https://x.example", "g", {"api_integration": "mine"}, {})
    assert json.loads(create.body)["api_integration"] == "mine"


def test_the_same_request_has_the_same_digest_and_another_has_another() -> None:
    first = build_create("https://x.example", "g", {"use_vault": True, "browser_profile": "lite"}, {})
    second = build_create("https://x.example", "g", {"browser_profile": "lite", "use_vault": True}, {})
    third = build_create("https://x.example", "h", {"browser_profile": "lite", "use_vault": True}, {})
    assert first.sha256 == second.sha256 != third.sha256


def test_a_proxys_password_is_sent_and_its_variable_is_not() -> None:
    proxy = {"enabled": True, "type": "custom", "url": "http://p:1", "password_env": "PW"}
    create = build_create("https://x.example", "g", {"proxy_config": proxy}, {"PW": "canary-1"})
    assert json.loads(create.body)["proxy_config"] == {
        "enabled": True,
        "type": "custom",
        "url": "http://p:1",
        "password": "canary-1",
    }
    other = build_create("https://x.example", "g", {"proxy_config": proxy}, {"PW": "canary-2"})
    assert create.sha256 == other.sha256
    assert "canary" not in repr(create)


@pytest.mark.parametrize("secrets", [{}, {"PW": ""}, {"OTHER": "x"}])
def test_a_variable_that_is_not_set_is_named(secrets: dict[str, str]) -> None:
    with pytest.raises(WrongInput, match="PW"):
        build_create(
            "https://x.example", "g", {"proxy_config": {"enabled": True, "password_env": "PW"}}, secrets
        )


@pytest.mark.parametrize("request_", [{"gaol": "x"}, {"output_schema": {"a": object()}}])
def test_a_request_that_the_api_does_not_know_is_refused(request_: dict[str, object]) -> None:
    with pytest.raises(WrongInput):
        build_create("https://x.example", "g", request_, {})


def test_a_text_with_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(WrongInput):
        build_create("https://x.example", "\ud800", {}, {})


@pytest.mark.parametrize("content", [{"run_id": "r-1", "error": None}, {"run_id": "r-1"}])
def test_a_200_with_a_run_id_and_no_error_is_accepted(content: object) -> None:
    assert answer(200, content, DATE) == SubmitAccepted(run_id="r-1", server_date=1795550400.0)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"r-1"',
        b"<html>",
        b'{"run_id": "r-1"',
        b'{"run_id": "r-1", "error": null} x',
        b'\xef\xbb\xbf{"run_id": "r-1", "error": null}',
        b'{"run_id": "r-1", "run_id": "r-2", "error": null}',
        b'{"run_id": "r-1", "error": null, "x": NaN}',
        b'{"run_id": "r-1", "error": null, "x": "\xff"}',
        b'{"run_id": "r-1", "error": null, "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_a_200_with_a_malformed_body_is_unanswered(body: bytes) -> None:
    assert isinstance(answer(200, body), SubmitUnanswered)


@pytest.mark.parametrize(
    "run_id", ["", " r", "r\n", "../x", "a/b", "é", "r" * 129, 7, True, ["r"], {"id": "r"}, "\ud800"]
)
def test_a_200_whose_run_id_is_malformed_is_unanswered(run_id: object) -> None:
    assert isinstance(answer(200, {"run_id": run_id, "error": None}), SubmitUnanswered)


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"run_id": None, "error": None},
        {"run_id": None},
        {"run_id": "r-1", "error": {"code": "X", "message": "m"}},
        {"run_id": "r-1", "error": ""},
        {"run_id": None, "error": {}},
        {"run_id": None, "error": "  "},
        {"run_id": None, "error": 3},
        {"error": {"code": "X", "message": "m"}},
        {"run_ids": ["r-1"], "error": None},
        {"data": {"run_id": "r-1"}},
    ],
)
def test_a_200_with_both_a_run_and_an_error_or_neither_is_unanswered(content: object) -> None:
    assert isinstance(answer(200, content), SubmitUnanswered)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ({"code": "INSUFFICIENT_CREDITS", "message": "m"}, "no_credits"),
        ({"code": "rate_limit_exceeded", "message": "m"}, "rate_limited"),
        ({"code": "DAILY_LIMIT_EXCEEDED", "message": "m"}, "daily_limit"),
        ({"code": "INTERNAL_ERROR", "message": "m"}, "create_error"),
        ({"message": "only words", "category": "SYSTEM_FAILURE"}, "create_error"),
        ({"code": "SERVICE_BUSY"}, "create_error"),
        ("a bare text", "create_error"),
    ],
)
def test_a_200_with_an_error_and_no_run_made_no_run(error: object, expected: str) -> None:
    proof = answer(200, {"run_id": None, "error": error}, {"retry-after": "7"})
    assert isinstance(proof, SubmitDeferred)
    assert (proof.reason, proof.retry_after) == (expected, 7.0)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("INVALID_INPUT", "invalid_request"),
        ("invalid_input", "invalid_request"),
        ("CONTENT_POLICY_VIOLATION", "content_policy_violation"),
    ],
)
def test_a_200_that_refuses_the_request_itself_is_rejected(code: str, expected: str) -> None:
    proof = answer(200, {"run_id": None, "error": {"code": code, "message": "m"}})
    assert isinstance(proof, SubmitRejected)
    assert proof.reason == expected


@pytest.mark.parametrize("content", [b"", b"<html>slow down</html>", {"detail": "x"}, envelope("X")])
def test_a_429_is_deferred_with_or_without_an_envelope(content: object) -> None:
    proof = answer(429, content, {"retry-after": "12"})
    assert isinstance(proof, SubmitDeferred)
    assert (proof.reason, proof.retry_after) == ("rate_limited", 12.0)


def test_the_daily_limit_and_the_rate_limit_have_different_reasons() -> None:
    assert reason(answer(429, envelope("DAILY_LIMIT_EXCEEDED"))) == "daily_limit"


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (401, "INVALID_API_KEY", "key_refused"),
        (402, "INSUFFICIENT_CREDITS", "no_credits"),
        (402, "SOMETHING", "no_credits"),
        (403, "INSUFFICIENT_CREDITS", "no_credits"),
        (403, "FORBIDDEN", "forbidden"),
    ],
)
def test_refusals_of_the_account_are_deferred(status: int, code: str, expected: str) -> None:
    proof = answer(status, envelope(code))
    assert isinstance(proof, SubmitDeferred)
    assert proof.reason == expected


def test_a_403_in_html_is_deferred_as_forbidden() -> None:
    assert reason(answer(403, b"<html>blocked</html>", HTML)) == "forbidden"


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_refused_request_is_rejected_and_names_the_member(status: int) -> None:
    details = [{"path": ["proxy_config", "country_code"], "message": "bad"}, {"path": []}, "malformed"]
    proof = answer(status, envelope("INVALID_INPUT", "wrong", details=details))
    assert isinstance(proof, SubmitRejected)
    assert proof.reason == "invalid_request"
    assert proof.message == f"{status} INVALID_INPUT: wrong (at proxy_config.country_code)"


@pytest.mark.parametrize("status", [404, 405, 415])
def test_a_missing_endpoint_is_deferred(status: int) -> None:
    assert reason(answer(status, envelope("NOT_FOUND"))) == "wrong_api"


@pytest.mark.parametrize(
    "status", [408, 409, 418, 301, 302, 307, 308, 201, 202, 204, 500, 502, 503, 504, 520]
)
def test_every_other_status_is_unanswered_even_with_an_envelope(status: int) -> None:
    assert isinstance(answer(status, envelope("INTERNAL_ERROR")), SubmitUnanswered)
    assert isinstance(answer(status, {"run_id": "r-1", "error": None}), SubmitUnanswered)


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 413, 415, 422])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>",
        {"detail": "Not Found"},
        {"error": "text"},
        {"error": {"message": "no code"}},
        {"error": {"code": 7, "message": "m"}},
        {"error": {"code": " ", "message": "m"}},
        {"error": [envelope("X")]},
        [envelope("X")],
    ],
)
def test_a_refusal_without_the_envelope_is_unanswered(status: int, content: object) -> None:
    assert isinstance(answer(status, content), SubmitUnanswered)


@pytest.mark.parametrize("status", [401, 402, 404, 500])
def test_only_a_403_may_come_as_html(status: int) -> None:
    assert isinstance(answer(status, b"<html>", HTML), SubmitUnanswered)


def test_a_message_is_one_short_line_that_can_be_stored() -> None:
    proof = answer(400, envelope("INVALID_INPUT", "a\n\tb \ud800 " + "x" * 10_000))
    assert isinstance(proof, SubmitRejected)
    assert proof.message.startswith("400 INVALID_INPUT: a b ? xxx")
    assert len(proof.message) < MESSAGE_LENGTH + 50


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
errors = json_values | st.fixed_dictionaries(
    {}, optional={"code": json_values, "message": json_values, "details": json_values}
)
bodies = (
    st.binary()
    | json_values.map(lambda value: json.dumps(value).encode())
    | st.fixed_dictionaries(
        {},
        optional={
            "run_id": json_values | st.just("r-1"),
            "error": errors,
            "run_ids": json_values,
            "message": json_values,
        },
    ).map(lambda value: json.dumps(value).encode())
)
headers = st.dictionaries(
    st.sampled_from(["content-type", "retry-after", "date", "x-other"]),
    st.sampled_from(["text/html", "7", "-1", "nan", "inf", "Tue, 24 Nov 2026 20:00:00 GMT"]) | st.text(),
)


def has_envelope(content: object) -> bool:
    error = content.get("error") if isinstance(content, dict) else None
    return isinstance(error, dict) and isinstance(error.get("code"), str) and error["code"].strip() != ""


def may_say_anything(status: int, content: object, headers: dict[str, str]) -> bool:
    """Whether the table, restated here more coarsely, lets this answer prove anything."""
    if status == 200:
        return isinstance(content, dict) and (content.get("run_id") is None) != (content.get("error") is None)
    if status == 429:
        return True
    if status in {400, 401, 402, 403, 404, 405, 413, 415, 422} and has_envelope(content):
        return True
    return status == 403 and headers.get("content-type", "").strip().lower().startswith("text/html")


@given(st.sampled_from([200, 400, 401, 403, 404, 429]) | st.integers(100, 999), headers, bodies)
def test_nothing_outside_the_table_proves_anything(status: int, headers: dict[str, str], body: bytes) -> None:
    proof = read_create(HttpAnswer(status=status, headers=headers, body=body), str)
    try:
        content = json.loads(body.decode())
    except ValueError:
        content = None
    if not may_say_anything(status, content, headers):
        assert isinstance(proof, SubmitUnanswered)
    if isinstance(proof, SubmitAccepted):
        assert (status, content["run_id"], content.get("error")) == (200, proof.run_id, None)
    if isinstance(proof, SubmitDeferred) and proof.retry_after is not None:
        assert 0 <= proof.retry_after <= 900
    if not isinstance(proof, SubmitAccepted):
        proof.message.encode()
